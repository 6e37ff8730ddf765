"""`asteroid-bimodal import`: converts a published checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

from .parsing import add_parser, count


def add_command(commands) -> None:
    parser = add_parser(
        commands,
        "import",
        _import,
        aliases=["import-official"],
        help="convert a checkpoint of AudioSep, CLIPSep or the paper's release",
        examples=["audiosep.ckpt models/audiosep"],
    )
    add = parser.add_argument
    add("checkpoint", type=Path, help="the file as its authors host it")
    add("out", type=Path, help="folder for model.safetensors and config.json")
    add("--query-encoder", help="another than the checkpoint's, such as laion:FILE")
    add(
        "--tokenizer", help="of its CLAP: a folder or hub id (roberta-base, beside it or the hub's)"
    )
    add("--sample-rate", type=count, help="AudioSep: in hertz, where its n_fft does not tell")
    add("--hop-length", type=count, help="AudioSep: in samples, where its n_fft does not tell")
    add("--binary-masks", action="store_true", help="CLIPSep: let places through whole or not")
    add("--num-heads", type=count, help="the paper's release: attention heads (8)")
    add("--with-scorer", action="store_true", help="the paper's release: its CLAP, to OUT/clap")


def _import(args: argparse.Namespace) -> None:
    from ..models.published import import_published

    given = {
        "query_encoder": args.query_encoder,
        "sample_rate": args.sample_rate,
        "hop_length": args.hop_length,
        "num_heads": args.num_heads,
        "binary_masks": args.binary_masks or None,
    }
    import_published(
        args.checkpoint,
        args.out,
        with_scorer=args.with_scorer,
        tokenizer=args.tokenizer,
        **{name: value for name, value in given.items() if value is not None},
    )
    print(args.out)
