"""`asteroid-bimodal import-official`: converts a checkpoint of the paper's release."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_command(commands) -> None:
    parser = commands.add_parser(
        "import-official", help="convert a checkpoint of the paper's release"
    )
    add = parser.add_argument
    add("checkpoint", type=Path, help="model_best.pth.tar")
    add("out", type=Path, help="folder for model.safetensors and config.json")
    add("--num-heads", type=int, default=8, help="not in the checkpoint")
    add("--with-scorer", action="store_true", help="also write its CLAP, to OUT/clap")
    add("--tokenizer", default="roberta-base", help="of its CLAP: a folder or hub id (%(default)s)")
    parser.set_defaults(run=_import_official)


def _import_official(args: argparse.Namespace) -> None:
    from ..models import BiModalUNet
    from ..models.official_clap import export_scorer
    from ..models.pretrained import CONFIG, WEIGHTS

    existing = [args.out / name for name in (WEIGHTS, CONFIG) if (args.out / name).exists()]
    if existing:
        raise FileExistsError(f"{existing[0]} exists already. Choose another folder.")
    model = BiModalUNet.from_official(args.checkpoint, args.num_heads)
    if args.with_scorer:
        export_scorer(args.checkpoint, args.out / "clap", args.tokenizer)
    model.save_pretrained(args.out)
    print(args.out)
