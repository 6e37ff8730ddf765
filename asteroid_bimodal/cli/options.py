"""Options that several commands have."""

from __future__ import annotations

import argparse


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", help="cpu, cuda, cuda:1, … (default: a GPU if there is one)")


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        default="mini",
        help="mini (instruments, the default), mini-events (36 everyday sounds), an experiment or "
        "other folder, a file, or user/repo on the hub",
    )
