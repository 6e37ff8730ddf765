#!/usr/bin/env bash
# Trains the mini CLAP: the small text-audio scorer that the mini recipes listen with.
#
#   ./run.sh                        render, train, evaluate
#   ./run.sh --stop_stage 3         and put the result into the package
#   ./run.sh --steps 300 --tag try  change any key of local/conf.yml
#   ./run.sh --sounds events --tag mini_clap_events   everyday sounds instead of instruments
#
# Stages: 0 render the data · 1 train · 2 evaluate · 3 export into the package (only when asked for)
#
# --stage N   --stop_stage N   --tag NAME   --sounds music|events|shipped
# --config FILE (a YAML file over local/conf.yml)   --print_config (and stop)

set -euo pipefail

stage=0
stop_stage=2
tag=mini_clap
sounds=music
script_options=(stage stop_stage tag sounds)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../utils/parse_options.sh"
. "$here/../utils/env.sh"
cd "$here"

exp=exp/$tag
files=(local/conf.yml)
if [ "$sounds" != music ] && [ -f "local/$sounds.yml" ]; then files+=("local/$sounds.yml"); fi
check_range stage "$stage" 0 3
check_range stop_stage "$stop_stage" "$stage" 3
[[ $sounds =~ ^(music|events|shipped)$ ]] || fail "--sounds takes music, events or shipped; received '$sounds'."
check_conf "${files[@]}" -- "${conf_options[@]}"

if run_stage 0 "render the data"; then
  "$PYTHON" local/get_data.py --sounds "$sounds" "${conf_options[@]}"
fi

if run_stage 1 "train"; then
  "$PYTHON" train.py --exp_dir "$exp" --sounds "$sounds" "${conf_options[@]}"
fi

if run_stage 2 "evaluate"; then
  "$PYTHON" eval.py --exp_dir "$exp" --sounds "$sounds" "${conf_options[@]}"
fi

if run_stage 3 "export into the package"; then
  "$PYTHON" local/export.py "$exp"
fi
