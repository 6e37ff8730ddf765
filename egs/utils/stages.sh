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
limit=
device=
license=mit
script_flags=(share private bundle_encoder no_example i_have_the_right_to_publish)
for flag in "${script_flags[@]}"; do printf -v "$flag" false; done

script_options=(data system n_src tag exp id stage stop_stage test_n_src resume repo)
script_options+=(limit device license "${script_flags[@]}")

. "$here/../utils/parse_options.sh"
. "$here/../utils/env.sh"
cd "$here"

child=

# A signal that reaches this shell alone reaches the program that it waits for, too. Ctrl-C at a
# terminal reaches both; there, a second one does not wait for the program to save.
pass_on() {
  if [ -z "$child" ]; then exit "$2"; fi
  kill -"$1" "$child" 2>/dev/null || true
}
trap 'pass_on TERM 143' TERM
trap 'pass_on TERM 129' HUP
trap 'pass_on USR1 138' USR1
trap '[ -n "$child" ] || exit 130' INT

# run PROGRAM...: runs it to its end; if a signal ended it, so it does this script.
run() {
  local code=0
  (trap - INT; exec "$@") <&0 &
  child=$!
  wait "$child" || code=$?
  while kill -0 "$child" 2>/dev/null; do  # a signal came
    code=0
    wait "$child" || code=$?
  done
  child=
  if [ "$code" -gt 128 ]; then
    echo "Stopped in stage $running: the same command goes on from there." >&2
  fi
  return "$code"
}

# Of the tasks that torchrun or srun started for one job, this is number $rank; see engine/tasks.py.
rank=0 tasks=1
if [ -n "${TORCHELASTIC_RUN_ID-}" ]; then
  rank=$RANK tasks=$WORLD_SIZE
elif [ "${SLURM_STEP_NUM_TASKS:-1}" -gt 1 ]; then
  rank=$SLURM_PROCID tasks=$SLURM_STEP_NUM_TASKS
fi
if [ "$rank" -gt 0 ]; then exec >/dev/null; fi  # the first one speaks for all

# once PROGRAM...: runs it in one task; the others wait, and end as it does.
once() {
  local code=0
  if [ "$tasks" -gt 1 ]; then
    if [ "$rank" -eq 0 ]; then run "$@" || code=$?; fi
    set -- "$PYTHON" ../utils/meet.py "$code"
  fi
  run "$@"
}

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
  once "$PYTHON" ../utils/prepare.py get_data . "${recipe[@]}"
fi

if run_stage 1 "manifests and pinned test lists"; then
  once "$PYTHON" ../utils/prepare.py draw_lists . "${recipe[@]}"
fi

if run_stage 2 "text embeddings"; then
  once "$PYTHON" ../utils/prepare.py embed_texts . "${recipe[@]}"
fi

if run_stage 3 "train"; then
  run "$PYTHON" train.py --exp_dir "$exp" --resume "$resume" "${recipe[@]}"
fi

if run_stage 4 "evaluate"; then
  chosen=(--test_n_src "$test_n_src")
  if $share; then chosen+=(--share); fi
  if [ -n "$limit" ]; then chosen+=(--limit "$limit"); fi
  if [ -n "$device" ]; then chosen+=(--device "$device"); fi
  once "$PYTHON" eval.py --exp_dir "$exp" "${chosen[@]}"
fi

if run_stage 5 "report"; then
  once "$PYTHON" -m asteroid_bimodal report "$exp"
fi

if run_stage 6 "publish"; then
  chosen=(--license "$license")
  for flag in private bundle_encoder no_example i_have_the_right_to_publish; do
    if ${!flag}; then chosen+=("--${flag//_/-}"); fi
  done
  if [ -n "$repo" ]; then chosen+=(--repo "$repo"); else chosen+=(--dry-run); fi
  once "$PYTHON" -m asteroid_bimodal publish "$exp" "${chosen[@]}"
fi
