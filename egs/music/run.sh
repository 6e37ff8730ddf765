#!/usr/bin/env bash
# Trains, evaluates and reports a text-conditioned separator on MUSIC or its miniature.
#
#   ./run.sh                                     the proposed system on mini data
#   ./run.sh --system clapsep                    the mix-and-separate baseline
#   ./run.sh --system clapsep --n_src 1          supervised training
#   ./run.sh --stage 4                           go on from stage 4
#   ./run.sh --lr 3e-4 --masker.ngf 24           change any key of local/conf.yml
#
# Stages: 0 get the data · 1 manifests and pinned test lists · 2 text embeddings · 3 train
#         4 evaluate · 5 report · 6 publish (a dry run unless --repo is given)
#
# --data mini|full   --system NAME (conf/systems)   --n_src 1|2|3|4   --tag NAME   --id 0,1 (GPUs)
# --stage N   --stop_stage N   --test_n_src 2|3|4   --resume true   --repo user/name
# --exp FOLDER (exp/<tag> unless given)

set -euo pipefail

data=mini
system=bimodal_clap
n_src=2
tag=
exp=
id=
stage=0
stop_stage=6
test_n_src=2
resume=false
repo=

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../utils/parse_options.sh"
. "$here/../utils/env.sh"
cd "$here"

check_range stage "$stage" 0 6
check_range stop_stage "$stop_stage" "$stage" 6
check_range n_src "$n_src" 1 4
check_range test_n_src "$test_n_src" 2 4

tag=${tag:-${data}_${system}_${n_src}src}
exp=${exp:-exp/$tag}
if [ -n "$id" ]; then export CUDA_VISIBLE_DEVICES=$id; fi
recipe=(--data "$data" --system "$system" --n_src "$n_src" "${conf_options[@]}")

run_stage() { [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ] && echo "Stage $1: $2"; }

if run_stage 0 "get the data"; then
  "$PYTHON" local/get_data.py "${recipe[@]}"
fi

if run_stage 1 "manifests and pinned test lists"; then
  "$PYTHON" local/prepare_data.py "${recipe[@]}"
fi

if run_stage 2 "text embeddings"; then
  "$PYTHON" local/embed_texts.py "${recipe[@]}"
fi

if run_stage 3 "train"; then
  "$PYTHON" train.py --exp_dir "$exp" --resume "$resume" "${recipe[@]}"
fi

if run_stage 4 "evaluate"; then
  "$PYTHON" eval.py --exp_dir "$exp" --test_n_src "$test_n_src"
fi

if run_stage 5 "report"; then
  "$PYTHON" -m asteroid_bimodal.cli report "$exp"
fi

if run_stage 6 "publish"; then
  if [ -n "$repo" ]; then
    "$PYTHON" -m asteroid_bimodal.cli publish "$exp" --repo "$repo"
  else
    "$PYTHON" -m asteroid_bimodal.cli publish "$exp" --dry-run
  fi
fi
