"""Stage 4: scores an experiment's best model on a pinned test list."""

from functools import partial
from pathlib import Path

from asteroid_bimodal.engine.recipe import eval_main
from asteroid_bimodal.engine.script import run_script

if __name__ == "__main__":
    run_script(partial(eval_main, Path(__file__).parent))
