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
# --stage N   --stop_stage N   --tag NAME

set -euo pipefail

stage=0
stop_stage=2
tag=mini_clap

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../utils/parse_options.sh"
. "$here/../utils/env.sh"
cd "$here"

exp=exp/$tag

run_stage() { [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ] && echo "Stage $1: $2"; }

if run_stage 0 "render the data"; then
  "$PYTHON" local/get_data.py "${conf_options[@]}"
fi

if run_stage 1 "train"; then
  "$PYTHON" train.py --exp_dir "$exp" "${conf_options[@]}"
fi

if run_stage 2 "evaluate"; then
  "$PYTHON" eval.py --exp_dir "$exp" "${conf_options[@]}"
fi

if run_stage 3 "export into the package"; then
  "$PYTHON" local/export.py "$exp"
fi
