"""Has the tasks of a job wait for the first one: meet.py CODE, in each, ends with its CODE."""

import sys

from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.engine.tasks import find_launcher, meet


def main(arguments: list[str]) -> None:
    """Waits, where there is a job of several tasks."""
    launcher = find_launcher()
    sys.exit(int(arguments[0]) if launcher is None else meet(launcher, int(arguments[0])))


if __name__ == "__main__":
    run_script(main)
