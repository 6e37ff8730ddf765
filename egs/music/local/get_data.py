"""Stage 0: renders the miniature, or downloads the full set and says what is missing of it."""

from functools import partial
from pathlib import Path
from typing import Any

from asteroid_bimodal.data.mini.frames import render_frames
from asteroid_bimodal.data.mini.music import render
from asteroid_bimodal.engine.prepare import get_data_main
from asteroid_bimodal.engine.recipe import run_script


def render_all(root: str, **options: Any) -> None:
    """Renders sounds and pictures."""
    render(root, **options)
    render_frames(root)


main = partial(get_data_main, Path(__file__).parent.parent, name="music", render=render_all)

if __name__ == "__main__":
    run_script(main)
