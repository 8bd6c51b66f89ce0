"""When does Python look through the daemon's memory for garbage?

Rarely: a full look through 10,000 jobs is a pause of a quarter of a second, just when they are all due.
"""

from __future__ import annotations

import gc

YOUNG = 5_000
"""Objects made before the young ones are looked through: a burst of runs is over by then, and garbage stays small."""


def keep_what_is_there() -> None:
    """Modules and jobs stay as long as the daemon does: collect once, and never look through them again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)
