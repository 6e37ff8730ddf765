"""Stage 0: renders the scorer's own takes, and test takes of the separators' set."""

from __future__ import annotations

import sys
from pathlib import Path

from asteroid_bimodal.data.mini.music import render
from asteroid_bimodal.utils.conf import load_conf

RECIPE = Path(__file__).parents[1]


def main(options: list[str]) -> None:
    """Renders what is missing."""
    conf = load_conf([RECIPE / "local/conf.yml"], options)
    data = conf.data
    common = {"sample_rate": data.sample_rate, "num_workers": data.num_workers, "seed": conf.seed}
    render(
        RECIPE / data.root / "scorer",
        takes=dict(data.takes),
        seconds=tuple(data.seconds),
        namespace="scorer",
        **common,
    )
    # What the separators are tested on: never trained on, here only listened to.
    render(RECIPE / data.root / "separator", takes={"test": 4}, namespace="separator", **common)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ValueError, OSError) as error:
        sys.exit(f"Error: {error}")
