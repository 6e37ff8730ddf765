"""Stage 6: puts a trained separator where the package ships it, with what it was made of.

python local/export.py exp/small_tagger data/sounds/sources.csv
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import torch

from asteroid_bimodal.data.manifest import read_rows, write_rows
from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.models import load_separator
from asteroid_bimodal.utils.clap import SMALL

LARGEST = 16_000_000  # bytes that the package spares for it
COLUMNS = ["source", "licence", "attribution"]


def export(exp: Path, sources: Path) -> None:
    """Writes a model in half precision, queried by the shipped CLAP `small`.

    Args:
        exp: the folder of stage 4.
        sources: what stage 0 has used.

    Raises:
        ValueError: when it is too large.
    """
    model = load_separator(exp, query_encoder="small")
    size = sum(2 * weight.numel() for weight in model.parameters())
    if size > LARGEST:
        raise ValueError(f"Expected at most {LARGEST} bytes, received {size}: make it smaller.")
    folder = SMALL.with_name("small")
    model.save_pretrained(folder, dtype=torch.float16)
    used = Counter(tuple(row.values()) for row in read_rows(sources, COLUMNS, "Run stage 0."))
    write_rows(
        folder / "sources.csv",
        ["recordings", *COLUMNS[1:]],
        [
            {"recordings": count, "licence": licence, "attribution": credit}
            for (licence, credit), count in sorted(_by_credit(used).items())
        ],
    )
    print(f"{size / 1e6:.1f} MB in {folder}")


def _by_credit(used: Counter) -> Counter:
    credits: Counter = Counter()
    for (_, licence, attribution), count in used.items():
        credits[licence, attribution] += count
    return credits


def main(options: list[str]) -> None:
    """Exports a model."""
    if len(options) != 2:
        raise ValueError("Call it as export.py FOLDER SOURCES.")
    export(Path(options[0]), Path(options[1]))


if __name__ == "__main__":
    run_script(main)
