# Sourced by the run scripts: sets $PYTHON to a Python that has the package.
#
# The current Python is used when it can import asteroid_bimodal; otherwise .venv at the repository's
# root is, made and filled on first use, with what the recipes need. $EXTRAS names other extras to
# install, for example "dev".
# `bash egs/utils/env.sh` makes .venv and does nothing else.

set -euo pipefail

EXTRAS=recipes${EXTRAS:+,$EXTRAS}
REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# Whether a Python has the package of this repository and, for the tests, their tools.
has_package() {
  "$1" - "$REPO" "$EXTRAS" <<'PY' 2>/dev/null
import importlib.util as util, pathlib, sys
spec = util.find_spec("asteroid_bimodal")
ours = spec and pathlib.Path(sys.argv[1]).resolve() in pathlib.Path(spec.origin).resolve().parents
needed = ["torch", "asteroid", "soxr", "matplotlib", "midirenderer", "omegaconf"]
needed += ["pytest", "xdist", "hypothesis", "mir_eval", "onnxruntime"] if "dev" in sys.argv[2] else []
sys.exit(not (ours and all(map(util.find_spec, needed))))
PY
}

# The first Python on the PATH that is supported and can make environments.
find_python() {
  local name supported=
  for name in python3 python3.13 python3.12 python3.11 python3.10; do
    if "$name" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      supported=$name
      if "$name" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "$name"
        return
      fi
    fi
  done
  if [ -n "$supported" ]; then
    echo "$supported has no venv module; on Debian and Ubuntu, install the package python3-venv." >&2
  else
    echo "There is no Python from 3.10 to 3.13 on the PATH." >&2
  fi
  return 1
}

# PyPI's PyTorch for x86_64 comes with CUDA; for other processors it is small.
check_space() {
  local gigabytes=2 free
  if [ "$(uname -m)" = x86_64 ]; then gigabytes=8; fi
  free=$(df -Pk "$REPO" | awk 'NR == 2 { print int($4 / 1000000) }')
  if [ "$free" -lt "$gigabytes" ]; then
    echo "The environment takes $gigabytes GB and $REPO has $free GB left: make room, or set PYTHON to a Python that has the package." >&2
    return 1
  fi
}

# Without pesq, which would need a C compiler: see requirements.py. The small packages come first,
# so that a missing network shows at once.
install_package() {
  local alone=(asteroid==0.7.0 pb_bss_eval==0.0.2)
  "$PYTHON" -m pip install --quiet --no-deps "${alone[@]}" --editable "$REPO"
  "$PYTHON" "$REPO/egs/utils/requirements.py" "$EXTRAS" asteroid-bimodal "${alone[@]%%=*}" |
    "$PYTHON" -m pip install --quiet --no-warn-conflicts --requirement /dev/stdin
}

# Run from elsewhere than the repository, so that only an installed package counts.
cd_python=${PYTHON:-python3}
if (cd / && has_package "$cd_python"); then
  PYTHON=$cd_python
else
  PYTHON=$REPO/.venv/bin/python
  if ! (cd / && [ -x "$PYTHON" ] && has_package "$PYTHON"); then
    echo "Making $REPO/.venv (a few minutes, once)"
    base=$(find_python)
    check_space
    "$base" -m venv "$REPO/.venv"
    install_package
  fi
fi
export PYTHON

# torchmetrics, which asteroid pins, says on every import what nobody here can change.
export PYTHONWARNINGS=${PYTHONWARNINGS:-"ignore:pkg_resources is deprecated"}

# On a CPU large tensors come and go in every training step. glibc would hand their memory back to
# the system each time; keeping it makes a step of the mini recipes about a tenth faster.
export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=268435456
