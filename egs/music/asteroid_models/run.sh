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
# --config FILE (a YAML file over local/conf.yml)   --print_config (and stop)

set -euo pipefail

variant=film
exp=
stage=0
stop_stage=1
script_options=(variant exp stage stop_stage)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../../utils/parse_options.sh"
. "$here/../../utils/env.sh"
cd "$here"

check_range stage "$stage" 0 1
check_range stop_stage "$stop_stage" "$stage" 1
[[ $variant =~ ^(film|assigned)$ ]] || fail "--variant takes film or assigned; received '$variant'."
check_conf local/conf.yml -- --variant "$variant" "${conf_options[@]}"

if run_stage 0 "mini data and manifests"; then
  ../run.sh --data mini --stop_stage 1
fi

if run_stage 1 "train"; then
  exp=${exp:-../exp/asteroid_$variant}
  "$PYTHON" train.py --exp_dir "$exp" --variant "$variant" "${conf_options[@]}"
fi
