"""Is every due moment in exactly one row or one span, and is nothing there that was not due?

A job's eras are separate: each is a track of stretches (its terms), walked once from the oldest row to the newest.
Moments inside spans are counted, never listed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from jarvis.core.complaints import Complaints, numbered, stretch
from jarvis.core.evidence import TICK, Counted, Definition, Evidence, Frame, Row, Term
from jarvis.core.run import Status, instant
from jarvis.core.schedule import Moment, Schedule

_FIRE = re.compile(r"schedule:([^#@]+)(?:#([1-9]\d*))?(?:@([1-9]\d*))?")
_MONTH = timedelta(days=31)
_LAST = datetime.max.replace(tzinfo=TICK_ZONE) if (TICK_ZONE := None) else None
