#!/usr/bin/env bash
# Trains and evaluates a list of systems, and collects their results in the paper's tables.
#
#   ./grid.sh                                      the main comparison on mini data
#   ./grid.sh --cells "bimodal_clap:2 clapsep:2"   these systems, 2 sources per training mixture
#   ./grid.sh --cells "bimodal_semi:2:data.clean.share=0.25" --seeds "0 1 2"
#   ./grid.sh --training.epochs 9 --id 0           any option of run.sh, for all cells
#
# A cell is SYSTEM:N_SRC, followed by :KEY=VALUE for every option of its own. Each is an experiment
# <exp>/<data>_<system>_<K>src_seed<N>[_<its options>]. What is finished is skipped and what was
# interrupted goes on, so that the same command carries on wherever it stopped. Several may run at
# a time, on a GPU each: they leave each other's cells alone.
# The tables are of <results>/music_<data>_cells, where every cell leaves a file of its results.
#
# --data mini|full   --cells LIST   --seeds LIST   --test_n_src 2|3|4
# --exp FOLDER (exp/grid)   --results FOLDER (results)   --config FILE   --print_config
# --recordings FILE (path,label): scores the cells on pairs of these, too

set -euo pipefail

data=mini
cells="clapsep:1 clapsep:2 clapsep:3 bimodal_clap:2 bimodal_clap:3 bimodal_semi:2 bimodal_semi:3"
seeds=0
test_n_src=2
exp=exp/grid
results=results
recordings=
script_options=(data cells seeds test_n_src exp results recordings)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../utils/parse_options.sh"
. "$here/../utils/env.sh"
if [ -n "$recordings" ]; then
  [ -f "$recordings" ] || fail "--recordings $recordings does not exist."
  [[ $recordings = /* ]] || recordings=$PWD/$recordings
fi
cd "$here"

check_range test_n_src "$test_n_src" 2 4
shared=() # options of the configuration, without those of run.sh
for ((i = 0; i < ${#conf_options[@]}; i += 2)); do
  case "${conf_options[i]}" in
    --system | --n_src | --seed) fail "Give --cells and --seeds instead of ${conf_options[i]}." ;;
    --tag | --stop_stage) fail "${conf_options[i]} cannot be given: every cell has its own folder." ;;
    --id | --stage | --resume | --repo) ;;
    *) shared+=("${conf_options[@]:i:2}") ;;
  esac
done

read -ra cell_list <<<"${cells//$'\n'/ }"
read -ra seed_list <<<"${seeds//[$'\n',]/ }"
for cell in "${cell_list[@]}"; do
  [[ $cell =~ ^[A-Za-z0-9_]+:[1-4](:[A-Za-z0-9_.]+=[^:]+)*$ ]] ||
    fail "--cells takes cells such as clapsep:2 or bimodal_semi:2:data.clean.share=0.25; received '$cell'."
done
for seed in "${seed_list[@]}"; do
  [[ $seed =~ ^[0-9]+$ ]] || fail "--seeds takes a list such as \"0 1 2\"; received '$seed'."
done
total=$((${#cell_list[@]} * ${#seed_list[@]}))
[ "$total" -gt 0 ] || fail "--cells and --seeds name no cell."

IFS=: read -r system n_src _ <<<"${cell_list[0]}"
check_conf "$here" -- --data "$data" --system "$system" --n_src "$n_src" "${shared[@]}"

final=final_metrics.json
[ "$test_n_src" -eq 2 ] || final=final_metrics_${test_n_src}src.json
BUSY=75 # exit status for a cell that another process is at
number=0
failed=()
collected=false

# The lock goes with the processes of the cell, also when this script is killed and they are not.
run_cell() {
  local lock=()
  mkdir -p "$folder"
  if command -v flock >/dev/null; then
    lock=(flock --nonblock --conflict-exit-code "$BUSY" "$folder/.lock")
  fi
  "${lock[@]}" ./run.sh "${conf_options[@]}" --data "$data" --system "$system" --n_src "$n_src" \
    --seed "$seed" "${own_options[@]}" --test_n_src "$test_n_src" --exp "$folder" --stop_stage 5
}

score_recordings() {
  [ -n "$recordings" ] && [ ! -f "$folder/real_pairs.csv" ] && [ -f "$folder/$final" ] || return 0
  collected=false
  "$PYTHON" ../../benchmarks/real_pairs.py "$recordings" --model "$folder" \
    --scores "$folder/real_pairs.csv"
}

collect() {
  "$PYTHON" local/collect_results.py --data "$data" --exp "$exp" --results "$results" \
    --test_n_src "$test_n_src" && collected=true
}

trap 'echo "Stopped. The same command goes on." >&2; exit 130' INT

for seed in "${seed_list[@]}"; do
  for cell in "${cell_list[@]}"; do
    number=$((number + 1))
    IFS=: read -r system n_src own <<<"$cell"
    IFS=: read -ra pairs <<<"$own"
    own_options=()
    for pair in "${pairs[@]}"; do own_options+=("--${pair%%=*}" "${pair#*=}"); done
    own=${own//:/,}
    tag=${data}_${system}_${n_src}src_seed$seed${own:+_$own}
    folder=$exp/${tag//[^A-Za-z0-9_.,=+-]/_}
    status=0
    if [ -f "$folder/$final" ]; then
      echo "Cell $number of $total: $tag is finished, skipped"
      score_recordings || failed+=("$tag, on recordings")
      continue
    fi
    echo "Cell $number of $total: $tag"
    run_cell || status=$?
    if [ "$status" -eq 0 ]; then
      score_recordings || failed+=("$tag, on recordings")
      collect || true
    elif [ "$status" -eq "$BUSY" ]; then
      echo "$tag is in the hands of another process, left to it"
    else
      failed+=("$tag")
      echo "$tag failed" >&2
    fi
  done
done

$collected || collect || failed+=("collecting the results")
if [ "${#failed[@]}" -gt 0 ]; then
  echo "Failed:" >&2
  printf '  %s\n' "${failed[@]}" >&2
  exit 1
fi
