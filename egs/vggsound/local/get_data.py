"""Stage 0: renders the miniature, or downloads the full set."""

from functools import partial
from pathlib import Path

from asteroid_bimodal.data.mini.vggsound import render
from asteroid_bimodal.engine.prepare import get_data_main
from asteroid_bimodal.engine.recipe import run_script

main = partial(get_data_main, Path(__file__).parent.parent, name="vggsound", render=render)

if __name__ == "__main__":
    run_script(main)
