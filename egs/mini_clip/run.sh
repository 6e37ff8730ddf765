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

set -euo pipefail

stage=0
stop_stage=1
tag=mini_clip

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../utils/parse_options.sh"
. "$here/../utils/env.sh"
cd "$here"

exp=exp/$tag

run_stage() { [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ] && echo "Stage $1: $2"; }

if run_stage 0 "train"; then
  "$PYTHON" train.py --exp_dir "$exp" "${conf_options[@]}"
fi

if run_stage 1 "evaluate"; then
  "$PYTHON" eval.py --exp_dir "$exp" "${conf_options[@]}"
fi

if run_stage 2 "export into the package"; then
  "$PYTHON" local/export.py "$exp"
fi
