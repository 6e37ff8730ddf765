"""Collects what the cells of grid.sh have achieved into tables and pictures."""

import argparse
from pathlib import Path

from grid import write_grid

from asteroid_bimodal.engine.script import run_script


def main(options: list[str]) -> None:
    """Writes `<results>/music_<data>.md`, `.json` and the pictures beside them."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--data", default="mini")
    parser.add_argument("--exp", type=Path, required=True, help="folder of the experiments")
    parser.add_argument("--results", type=Path, required=True, help="folder to write to")
    parser.add_argument("--test_n_src", type=int, default=2)
    args = parser.parse_args(options)
    path = write_grid(args.exp, args.results, data=args.data, test_n_src=args.test_n_src)
    print(f"Results collected: {path}")


if __name__ == "__main__":
    run_script(main)
