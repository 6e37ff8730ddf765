#!/usr/bin/env bash
# Trains Asteroid's own ConvTasNet, through Asteroid's System, with this package's losses.
#
#   ./run.sh                         phrases steer one output
#   ./run.sh --variant assigned      one output for each class, assigned by the text
#   ./run.sh --stage 1 --epochs 50   change any key of local/conf.yml
#
# Stages: 0 mini data and manifests, by ../run.sh · 1 train
#
# --variant film|assigned   --stage N   --stop_stage N   --exp FOLDER (../exp/asteroid_<variant>)

set -euo pipefail

variant=film
exp=
stage=0
stop_stage=1

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../../utils/parse_options.sh"
. "$here/../../utils/env.sh"
cd "$here"

check_range stage "$stage" 0 1
check_range stop_stage "$stop_stage" "$stage" 1

run_stage() { [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ] && echo "Stage $1: $2"; }

if run_stage 0 "mini data and manifests"; then
  ../run.sh --data mini --stop_stage 1
fi

if run_stage 1 "train"; then
  exp=${exp:-../exp/asteroid_$variant}
  "$PYTHON" train.py --exp_dir "$exp" --variant "$variant" "${conf_options[@]}"
fi
