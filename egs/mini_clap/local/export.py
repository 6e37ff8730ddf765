"""Stage 3: puts a trained mini CLAP where the package ships it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from asteroid_bimodal.queries import ClapTextEncoder
from asteroid_bimodal.queries.stored import KnownLabels
from asteroid_bimodal.scorers import ClapScorer
from asteroid_bimodal.utils.clap import MINI, MINI_EVENTS, SMALL, known_labels, load_clap
from asteroid_bimodal.utils.conf import read_conf
from asteroid_bimodal.utils.files import atomic_write

LARGEST = 8_000_000  # bytes that the package spares for it


def export(model: Path, target: Path = MINI) -> None:
    """Copies the files of a model after a look at them, and adds the embeddings of its labels.

    Args:
        model: folder written by stage 1.
        target: folder in the package.

    Raises:
        ValueError: when the model does not load or is too large.
    """
    ClapScorer(model).embed_text(["violin"])
    files = sorted(path for path in model.iterdir() if path.suffix in (".json", ".safetensors"))
    size = sum(path.stat().st_size for path in files)
    if size > LARGEST:
        raise ValueError(f"Expected at most {LARGEST} bytes, received {size}: make it smaller.")
    for path in files:
        with atomic_write(target / path.name) as temporary:
            shutil.copyfile(path, temporary)
    KnownLabels(ClapTextEncoder(model), known_labels(load_clap(model))).save_pretrained(target)
    print(f"{size / 1e6:.1f} MB in {target}")


if __name__ == "__main__":
    try:
        exp = Path(sys.argv[1])
        heard = read_conf(exp / "conf.yml").data.sets
        targets = {"events": MINI_EVENTS, "shipped": SMALL}
        export(exp / "model", next((targets[name] for name in heard if name in targets), MINI))
    except (ValueError, OSError) as error:
        sys.exit(f"Error: {error}")
