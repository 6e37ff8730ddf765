"""One self-contained HTML page per experiment: figures with intervals, curves, pictures, sound.

The page needs no network and no script, follows the reader's light or dark theme, and says in
words what an experiment folder does not hold.
"""

from ..utils.extras import extra

with extra("recipes"):
    from .example import Example
    from .page import write_report

__all__ = ["Example", "write_report"]
