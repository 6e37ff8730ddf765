# Sourced by the run scripts of the data sets, which set `here`: reads the options, and runs the
# stages that they share. What differs between data sets is in their local/.

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

script_options=(data system n_src tag exp id stage stop_stage test_n_src resume repo)

. "$here/../utils/parse_options.sh"
. "$here/../utils/env.sh"
cd "$here"

check_range stage "$stage" 0 6
check_range stop_stage "$stop_stage" "$stage" 6
check_range n_src "$n_src" 1 4
check_range test_n_src "$test_n_src" 2 4
[[ $resume =~ ^(true|false)$ ]] || fail "--resume takes true or false; received '$resume'."

tag=${tag:-${data}_${system}_${n_src}src}
exp=${exp:-exp/$tag}
if [ -n "$id" ]; then export CUDA_VISIBLE_DEVICES=$id; fi
recipe=(--data "$data" --system "$system" --n_src "$n_src" "${conf_options[@]}")
check_conf "$here" -- "${recipe[@]}"

if run_stage 0 "get the data"; then
  "$PYTHON" ../utils/prepare.py get_data . "${recipe[@]}"
fi

if run_stage 1 "manifests and pinned test lists"; then
  "$PYTHON" ../utils/prepare.py draw_lists . "${recipe[@]}"
fi

if run_stage 2 "text embeddings"; then
  "$PYTHON" ../utils/prepare.py embed_texts . "${recipe[@]}"
fi

if run_stage 3 "train"; then
  "$PYTHON" train.py --exp_dir "$exp" --resume "$resume" "${recipe[@]}"
fi

if run_stage 4 "evaluate"; then
  "$PYTHON" eval.py --exp_dir "$exp" --test_n_src "$test_n_src"
fi

if run_stage 5 "report"; then
  "$PYTHON" -m asteroid_bimodal report "$exp"
fi

if run_stage 6 "publish"; then
  if [ -n "$repo" ]; then
    "$PYTHON" -m asteroid_bimodal publish "$exp" --repo "$repo"
  else
    "$PYTHON" -m asteroid_bimodal publish "$exp" --dry-run
  fi
fi
