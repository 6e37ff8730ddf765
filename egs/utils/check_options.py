"""Checks the options of a run script before its first stage, and says what they change.

check_options.py true|false RECIPE|FILE... -- OPTIONS: of a recipe's folder, or of YAML files merged
in order; `true` prints the merged configuration instead.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from asteroid_bimodal.utils.conf import Settings, describe_changes


def main(arguments: Sequence[str]) -> None:
    """Reads the configuration; an option that it cannot have is one sentence and exit code 1."""
    sys.stdout.reconfigure(errors="replace")  # of an arrow, where the terminal has none
    end = arguments.index("--")
    printed, *places = arguments[:end]
    options = arguments[end + 1 :]
    try:
        if Path(places[0]).is_dir():
            from asteroid_bimodal.engine.recipe import read_recipe  # seconds, with PyTorch

            conf, changes = read_recipe(places[0], options)
        else:
            settings = Settings()
            for path in places:
                settings.add_file(path)
            changes = settings.add_options(options)
            conf = settings.build()
    except (ValueError, OSError) as error:
        sys.exit(f"Error: {error}")
    if printed == "true":
        print(OmegaConf.to_yaml(conf), end="")
    elif changes:
        print(describe_changes(changes))


if __name__ == "__main__":
    main(sys.argv[1:])
