# Sourced by the run scripts: sets $PYTHON to a Python that has the package.
#
# The current Python is used when it can import asteroid_bimodal; otherwise .venv at the repository's
# root is, made and filled on first use. $EXTRAS names extras to install, for example "dev".

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# Whether a Python has the package of this repository and, for the tests, their tools.
has_package() {
  "$1" - "$REPO" "${EXTRAS:-}" <<'PY' 2>/dev/null
import importlib.util as util, pathlib, sys
spec = util.find_spec("asteroid_bimodal")
ours = spec and pathlib.Path(sys.argv[1]).resolve() in pathlib.Path(spec.origin).resolve().parents
tools = ["pytest", "mir_eval", "onnxruntime"] if "dev" in sys.argv[2] else []
sys.exit(not (ours and all(map(util.find_spec, ["torch", "asteroid", "midirenderer", *tools]))))
PY
}

# The first supported Python on the PATH.
find_python() {
  local name
  for name in python3 python3.12 python3.11 python3.10; do
    if "$name" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  echo "Expected Python 3.10, 3.11 or 3.12 on the PATH, found none." >&2
  return 1
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
    "$base" -m venv "$REPO/.venv"
    "$PYTHON" -m pip install --quiet --editable "$REPO${EXTRAS:+[$EXTRAS]}"
  fi
fi
export PYTHON

# torchmetrics, which asteroid pins, says on every import what nobody here can change.
export PYTHONWARNINGS=${PYTHONWARNINGS:-"ignore:pkg_resources is deprecated"}

# On a CPU large tensors come and go in every training step. glibc would hand their memory back to
# the system each time; keeping it makes a step of the mini recipes about a tenth faster.
export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=268435456
