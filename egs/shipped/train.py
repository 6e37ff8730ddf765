"""Stage 2: trains a separator; `python train.py --help` and local/<size>.yml list the options."""

from functools import partial
from pathlib import Path

from asteroid_bimodal.engine.recipe import train_main
from asteroid_bimodal.engine.script import run_script

if __name__ == "__main__":
    run_script(partial(train_main, Path(__file__).parent))
