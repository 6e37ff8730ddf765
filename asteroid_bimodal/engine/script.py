"""How the scripts of recipes run: problems and stops are lines, with the exit codes of shells."""

from __future__ import annotations

import sys
from collections.abc import Callable

from pytorch_lightning.utilities.rank_zero import rank_zero_only

from ..utils.signals import exit_code, stopped_by_signals
from ..utils.streams import patient_streams
from .tasks import find_launcher

_GOES_ON = "The same command goes on from what is finished."


def run_script(main: Callable[[list[str]], None]) -> None:
    """Runs a script's main: an expected problem is one clear line and exit code 1.

    A signal that ends it is a line, too, and the exit code that shells know it by: a recipe does
    not go on to its next stage.

    Args:
        main: takes the command line's arguments.
    """
    try:
        with patient_streams(), stopped_by_signals():
            main(sys.argv[1:])
    except BaseException as error:
        # Lightning turns an interrupt into an exit; what is told to stop as well may fail of it.
        behind: BaseException | None = error
        while behind is not None and not isinstance(behind, KeyboardInterrupt):
            behind = behind.__context__
        if behind is not None:
            print(f"Stopped by {str(behind) or 'Ctrl-C'}. {_GOES_ON}", file=sys.stderr)
            # The first process speaks for those that Lightning started, which kills it when another
            # one fails; a task of a job speaks for itself.
            silent = rank_zero_only.rank and find_launcher() is None
            sys.exit(0 if silent else exit_code(behind))
        problem = _problem(error)
        if problem is None:
            raise
        sys.exit(f"Error: {' '.join(problem.split())}")


def _problem(error: BaseException) -> str | None:
    """What a user can do something about; None for an error of the program."""
    text = str(error)
    if isinstance(error, (ValueError, OSError)):
        # What a DataLoader's worker raised comes with the worker's traceback around it.
        lines = text.splitlines()
        return lines[-1] if lines and "DataLoader worker" in lines[0] else text
    if isinstance(error, RuntimeError) and text.startswith("DataLoader timed out"):
        return f"{text} (data.timeout): look whether the disk of data.root answers. {_GOES_ON}"
    if isinstance(error, RuntimeError) and text.startswith("DataLoader worker (pid"):
        return (
            f"{text.rstrip('. ')}: most often memory ran out. Lower data.num_workers, or give the "
            f"machine or container more memory, /dev/shm included. {_GOES_ON}"
        )
    return None
