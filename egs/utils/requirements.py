"""Prints what packages that were installed without their requirements require.

    python requirements.py "dev" asteroid-bimodal asteroid

Asteroid requires pesq, a measure of speech quality that has to be compiled; nothing here imports
it. pip cannot leave a requirement out, so env.sh installs the packages that lead to pesq by
themselves and then what this prints: all that they require but pesq and each other.
"""

import sys
from importlib.metadata import requires

from pip._vendor.packaging.requirements import Requirement

NEVER = {"pesq"}


def normal(name: str) -> str:
    """Returns a package's name as pip compares it."""
    return name.lower().replace("_", "-")


if __name__ == "__main__":
    extras, *packages = sys.argv[1:]
    left_out = NEVER | {normal(name) for name in packages}
    for package in packages:
        for line in requires(package) or []:
            requirement = Requirement(line)
            marker, requirement.marker = requirement.marker, None
            wanted = marker is None or any(
                marker.evaluate({"extra": extra}) for extra in ["", *extras.split(",")]
            )
            if wanted and normal(requirement.name) not in left_out:
                print(requirement)
