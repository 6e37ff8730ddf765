"""Stage 2: embeds every phrase and caption that training can ask for, once per encoder."""

from functools import partial
from pathlib import Path

from asteroid_bimodal.engine.prepare import embed_main
from asteroid_bimodal.engine.recipe import run_script

main = partial(embed_main, Path(__file__).parent.parent)

if __name__ == "__main__":
    run_script(main)
