#!/usr/bin/env bash
# Makes a shipped model from soundfonts, synthesised sounds and a folder of labelled recordings.
#
#   ./run.sh --recordings my/manifest.csv        the model `small` and its CLAP
#   ./run.sh                                     without recordings: rendered sounds alone
#   ./run.sh --size base --recordings FILE       a larger one, for a GPU
#   ./run.sh --stage 5                           go on from stage 5
#   ./run.sh --lr 1e-3 --masker.ngf 24           change any key of the separator's configuration
#
# Stages: 0 render and gather the sounds · 1 train the CLAP · 2 train the separator · 3 teach it
#         silence about what is not there · 4 train the tagger, which hears what is there · 5 evaluate
#         6 export into the package · 7 calibrate its likelihoods there (both only when asked)
#
# --size small|base (local/<size>.yml)   --tag NAME   --recordings FILE (local/sources.yml says of
# what columns)   --test FILE (manifest of recordings that nothing was trained on, for stage 5)
# --stage N   --stop_stage N   --resume true   --config FILE   --print_config

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

size=small
tag=
recordings=
test=
stage=0
stop_stage=5
resume=false
script_options=(size tag recordings test stage stop_stage resume)

called_from=$PWD
. "$here/../utils/parse_options.sh"
. "$here/../utils/env.sh"
cd "$here"

check_range stage "$stage" 0 7
check_range stop_stage "$stop_stage" "$stage" 7
[[ $resume =~ ^(true|false)$ ]] || fail "--resume takes true or false; received '$resume'."
[ -f "local/$size.yml" ] || fail "--size takes the name of a file of local, small or base; received '$size'."
for name in recordings test; do
  file=${!name}
  [[ -z $file || $file = /* ]] || printf -v "$name" '%s' "$called_from/$file"
  [ -z "$file" ] || [ -f "${!name}" ] || fail "${!name} does not exist."
done

tag=${tag:-$size}
exp=exp/$tag
clap=../mini_clap/exp/$tag
recipe=(--data "$size" --system clapsep "${conf_options[@]}")
check_conf "$here" -- "${recipe[@]}"

if run_stage 0 "render and gather the sounds"; then
  gathered=()
  if [ -n "$recordings" ]; then gathered=(--recordings.manifest "$recordings"); fi
  "$PYTHON" local/gather.py "data/sounds" "${gathered[@]}"
  "$PYTHON" ../utils/prepare.py draw_lists . "${recipe[@]}"
fi

if run_stage 1 "train the CLAP"; then
  (cd ../mini_clap && "$PYTHON" train.py --exp_dir "exp/$tag" --sounds shipped)
fi

if run_stage 2 "train the separator"; then
  "$PYTHON" ../utils/prepare.py embed_texts . "${recipe[@]}"
  "$PYTHON" train.py --exp_dir "$exp" --resume "$resume" "${recipe[@]}" --query.clap "$clap/model"
fi

if run_stage 3 "teach it silence"; then
  "$PYTHON" train.py --exp_dir "${exp}_silence" --resume "$resume" --config local/silence.yml \
    --training.init "$exp" "${recipe[@]}" --query.clap "$clap/model"
fi

if run_stage 4 "train the tagger"; then
  "$PYTHON" local/train_tagger.py "${exp}_silence" data/sounds "${exp}_tagger"
fi

if run_stage 5 "evaluate"; then
  "$PYTHON" ../../benchmarks/real_pairs.py "${test:-data/sounds/valid.csv}" --levels 0 10 -10 \
    --model "${exp}_tagger" --scores "${exp}_tagger/real_pairs.csv"
fi

if run_stage 6 "export into the package"; then
  "$PYTHON" ../mini_clap/local/export.py "$clap"
  "$PYTHON" local/export.py "${exp}_tagger" "data/sounds/sources.csv"
fi

if run_stage 7 "calibrate its likelihoods"; then
  "$PYTHON" ../../benchmarks/likelihood.py data/sounds/valid.csv --pairs 500 --model small \
    --fit ../../asteroid_bimodal/pretrained/small
fi
