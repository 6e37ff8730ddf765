"""`asteroid-bimodal shards`: writes the clips of a data set as tar files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .parsing import add_parser, count

_SHOWN = 3  # clips that cannot be used


def add_command(commands) -> None:
    parser = add_parser(
        commands,
        "shards",
        _shards,
        help="write a data set's clips as tar files, to train from",
        description="Writes a data set's clips as tar files, to train from. What is missing or not "
        "whole is written, the rest kept.",
        examples=["data/full -o /mnt/shards", "data/full -o /mnt/shards --frames --jobs 16"],
    )
    add = parser.add_argument
    add("dataset", type=Path, help="folder with train.csv")
    add("-o", "--out", type=Path, required=True, help="folder of the tar files")
    add("--split", choices=("train", "valid", "test"), default="train", help="(%(default)s)")
    add("--clips-per-shard", type=count, default=1000, help="(%(default)s)")
    add("--frames", action="store_true", help="with the frames of the clips' videos")
    add("--seed", type=int, default=0, help="of the order of the clips (%(default)s)")
    add("--jobs", type=count, default=8, help="shards at a time (%(default)s)")


def _shards(args: argparse.Namespace) -> None:
    from ..data.shards import write_shards

    written = write_shards(
        args.dataset,
        args.out,
        args.split,
        args.clips_per_shard,
        args.seed,
        frames=args.frames,
        jobs=args.jobs,
    )
    for skip in written.skipped[:_SHOWN]:
        print(f"asteroid-bimodal: left out: {skip.reason}", file=sys.stderr)
    more = f", {len(written.skipped)} left out" if written.skipped else ""
    print(f"{written.num_clips} clips in {len(written.paths)} shards{more}")
    print(f"./run.sh --data.shards '{args.out.resolve()}/{args.split}-*.tar'")
