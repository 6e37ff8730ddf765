"""Stage 0: renders the scorer's own takes, and test takes of the separators' sets."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "utils"))  # the miniatures

from sets import SETS, SHIPPED, folders, read_conf


def main(options: list[str]) -> None:
    """Renders what is missing."""
    conf = read_conf(options)
    data = conf.data
    common = {"sample_rate": data.sample_rate, "num_workers": data.num_workers, "seed": conf.seed}
    if SHIPPED in conf.data.sets:
        folder = folders(conf, "scorer")[SHIPPED]
        if not (folder / "train.csv").is_file():
            raise ValueError(f"{folder}/train.csv does not exist. Run stage 0 of egs/shipped.")
        return
    for name, folder in folders(conf, "scorer").items():
        SETS[name].render(
            folder,
            takes=dict(data.takes),
            seconds=tuple(data.seconds),
            namespace="scorer",
            **common,
        )
    # What the separators are tested on: never trained on, here only listened to.
    for name, folder in folders(conf, "separator").items():
        SETS[name].render(folder, takes={"test": 4}, namespace="separator", **common)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ValueError, OSError) as error:
        sys.exit(f"Error: {error}")
