#!/usr/bin/env bash
# Trains the mini CLIP and the mini ResNet: the small networks that see the miniature's frames.
#
#   ./run.sh                             train, evaluate
#   ./run.sh --stop_stage 2              and put the result into the package
#   ./run.sh --clip_steps 300 --tag try  change any key of local/conf.yml
#
# Stages: 0 train · 1 evaluate · 2 export into the package (only when asked for)
#
# --stage N   --stop_stage N   --tag NAME
# --config FILE (a YAML file over local/conf.yml)   --print_config (and stop)

set -euo pipefail

stage=0
stop_stage=1
tag=mini_clip
script_options=(stage stop_stage tag)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../utils/parse_options.sh"
. "$here/../utils/env.sh"
cd "$here"

exp=exp/$tag
check_range stage "$stage" 0 2
check_range stop_stage "$stop_stage" "$stage" 2
check_conf local/conf.yml -- "${conf_options[@]}"

if run_stage 0 "train"; then
  "$PYTHON" train.py --exp_dir "$exp" "${conf_options[@]}"
fi

if run_stage 1 "evaluate"; then
  "$PYTHON" eval.py --exp_dir "$exp" "${conf_options[@]}"
fi

if run_stage 2 "export into the package"; then
  "$PYTHON" local/export.py "$exp"
fi
