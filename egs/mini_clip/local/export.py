"""Stage 2: puts a trained mini CLIP and mini ResNet where the package ships them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import asteroid_bimodal
from asteroid_bimodal.queries import ClipImageEncoder, ClipTextEncoder, ResNetFrameEncoder
from asteroid_bimodal.utils.files import atomic_write

SHIPPED = Path(asteroid_bimodal.__file__).parent / "pretrained"
# Of each network: its folder in the package, the encoders that read it, bytes that it may have.
NETWORKS = {
    "clip": ("mini_clip", (ClipTextEncoder, ClipImageEncoder), 3_000_000),
    "resnet": ("mini_resnet", (ResNetFrameEncoder,), 2_000_000),
}


def export(exp: Path, shipped: Path = SHIPPED) -> None:
    """Copies the files of both networks after a look at them.

    Args:
        exp: folder of the experiment.
        shipped: folder in the package.

    Raises:
        ValueError: when a network does not load or is too large.
    """
    for name, (target, encoders, largest) in NETWORKS.items():
        for encoder in encoders:
            encoder(exp / name)
        files = sorted(p for p in (exp / name).iterdir() if p.suffix in (".json", ".safetensors"))
        size = sum(path.stat().st_size for path in files)
        if size > largest:
            raise ValueError(f"Expected at most {largest} bytes, received {size}: make it smaller.")
        for path in files:
            with atomic_write(shipped / target / path.name) as temporary:
                shutil.copyfile(path, temporary)
        print(f"{size / 1e6:.1f} MB in {shipped / target}")


if __name__ == "__main__":
    try:
        export(Path(sys.argv[1]))
    except (ValueError, OSError) as error:
        sys.exit(f"Error: {error}")
