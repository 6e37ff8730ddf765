#!/usr/bin/env bash
# Trains, evaluates and reports a text-conditioned separator on AudioCaps or its miniature.
#
#   ./run.sh                                     the proposed system on mini data
#   ./run.sh --system clapsep                    the mix-and-separate baseline
#   ./run.sh --system bimodal_semi --data.clean.share 1   with VGGSound as single sources
#   ./run.sh --stage 4                           go on from stage 4
#   ./run.sh --lr 3e-4 --masker.ngf 24           change any key of ../music/local/conf.yml
#
# Stages: 0 get the data · 1 manifests and pinned test lists · 2 text embeddings · 3 train
#         4 evaluate · 5 report · 6 publish (a dry run unless --repo is given)
#
# --data mini|full   --system NAME (conf/systems)   --tag NAME   --id 0,1 (GPUs)
# --stage N   --stop_stage N   --test_n_src 2   --resume true   --repo user/name
# --exp FOLDER (exp/<tag> unless given)   --config FILE (a YAML file, over all others)
# --print_config (prints the merged configuration and stops)
# Stage 4 also takes --limit N, --share and --device NAME, stage 6 --bundle_encoder (needed for a CLAP
# in a folder of yours), --no_example, --private, --license NAME and --i_have_the_right_to_publish.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../utils/stages.sh"
