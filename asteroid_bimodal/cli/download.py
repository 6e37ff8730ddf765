"""`asteroid-bimodal download`: gets a data set, and goes on where it was interrupted."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .parsing import add_parser, count

SETS = ("music", "vggsound", "audiocaps")
SPLITS = ("train", "valid", "test", "duet")
_ALL_GONE = 3  # the exit code


def add_command(commands) -> None:
    parser = add_parser(
        commands,
        "download",
        _download,
        help="get a data set; interrupted, it goes on",
        description="Gets a data set; interrupted, it goes on. Exits with 0 when nothing is left "
        "to try, 1 when the same command may get more, and 3 when every clip is gone.",
        examples=["music -o data/music --limit 20", "audiocaps -o data/audiocaps --split test"],
    )
    add = parser.add_argument
    add("set", choices=SETS, help="which")
    add("-o", "--out", type=Path, required=True, help="folder of the set")
    add(
        "--annotations",
        nargs="+",
        default=[],
        metavar="FILE",
        help="annotation files, or names of published ones (default: those that make up the set)",
    )
    add("--split", choices=SPLITS, help="fetch this part only")
    add("--limit", type=count, metavar="N", help="fetch the first N clips only")
    add("--sample-rate", type=count, default=16_000, help="in Hz (default 16000)")
    add("--frames", action="store_true", help="fetch a picture of each second, too")
    add("--retry-gone", action="store_true", help="try those again that were gone")
    _add_network_options(parser)


def _add_network_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--jobs", type=count, default=4, help="clips at a time (default 4)")
    add("--sleep", type=float, default=1.0, help="seconds that each job waits before a clip (1)")
    add(
        "--rate-limit",
        type=_bytes,
        metavar="BYTES",
        help="per second and job, for videos that are fetched whole, for example 500K",
    )
    add("--timeout", type=float, default=30.0, help="seconds to wait for a silent server (30)")
    add(
        "--clip-timeout",
        type=float,
        default=600.0,
        help="seconds that a clip may take before it is left to the next run (600)",
    )
    add("--cookies", type=Path, metavar="FILE", help="cookies.txt of a browser")
    add("--url-template", metavar="URL", help="where videos are looked up, with {id} (YouTube)")


def _bytes(text: str) -> float:
    factors = {"K": 1e3, "M": 1e6}
    try:
        value = float(text.rstrip("KMkm")) * factors.get(text[-1:].upper(), 1.0)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of bytes such as 500K or 2M")
    return value


def _download(args: argparse.Namespace) -> None:
    from ..data.download import (
        DownloadStoppedError,
        FetchOptions,
        download,
        read_set,
        write_manifests,
    )

    given = {"url_template": args.url_template} if args.url_template else {}
    options = FetchOptions(
        sample_rate=args.sample_rate,
        cookies=_read_cookies(args.cookies),
        rate_limit=args.rate_limit,
        timeout=args.timeout,
        clip_timeout=args.clip_timeout,
        **given,
    )
    listing = read_set(args.set, args.out, args.annotations, timeout=args.timeout)
    print(listing)
    entries = [entry for entry in listing.entries if args.split in (None, entry.split)]
    if not entries:
        raise ValueError(f"The annotations list no clips of the split {args.split}.")
    try:
        summary = download(
            entries[: args.limit],
            args.out,
            options=options,
            frames=args.frames,
            jobs=args.jobs,
            sleep=args.sleep,
            retry_gone=args.retry_gone,
        )
    except DownloadStoppedError as error:
        if error.summary is not None:
            write_manifests(args.out)
            print(error.summary)
        raise
    for manifest in write_manifests(args.out).values():
        print(manifest)
    print(summary)
    if summary.failed:
        raise ValueError(f"{summary.failed} clips failed. The same command tries them again.")
    if not summary.ok:
        print("asteroid-bimodal: every clip is gone; --retry-gone tries again.", file=sys.stderr)
        sys.exit(_ALL_GONE)


def _read_cookies(path: Path | None) -> str | None:
    if path is None:
        return None
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: give a cookies.txt of a browser.")
    return path.read_text(encoding="utf-8-sig")
