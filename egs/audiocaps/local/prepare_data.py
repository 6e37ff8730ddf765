"""Stage 1: pinned lists of validation and test mixtures."""

from functools import partial
from pathlib import Path

from asteroid_bimodal.engine.prepare import prepare_main
from asteroid_bimodal.engine.recipe import run_script

main = partial(prepare_main, Path(__file__).parent.parent)

if __name__ == "__main__":
    run_script(main)
