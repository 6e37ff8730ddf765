#!/usr/bin/env bash
# Lint, types, doctests and tests. Arguments go to pytest: ./tests/run.sh -k mixit

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
EXTRAS=dev
. egs/utils/env.sh

"$PYTHON" -m ruff check .
"$PYTHON" -m ruff format --check .
"$PYTHON" -m mypy
# One thread per process: on small machines more only get in each other's way.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# Files, not tests, are shared out: what a file's tests have in common is then made once.
"$PYTHON" -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
  -m "not slow" --doctest-modules asteroid_bimodal tests "$@"
