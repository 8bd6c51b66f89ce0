"""When is a job due? (docs/schedules.md)

``for_job`` answers for a whole job, ``parse_cron`` for one cron text, ``for_when`` for one entry of
``schedules``; all give a ``Schedule``. Everything else is a value or raises ``ScheduleError``.
"""

from jarvis.core.schedule.advice import english, warnings
from jarvis.core.schedule.cron import Cron, Dst
from jarvis.core.schedule.cron import parse as parse_cron
from jarvis.core.schedule.fields import read
from jarvis.core.schedule.jitter import delay as jitter_delay
from jarvis.core.schedule.moment import Moment, Schedule, ScheduleError
from jarvis.core.schedule.union import for_job, for_when
from jarvis.core.schedule.zone import find as find_zone
from jarvis.core.schedule.zone import instant

__all__ = [
    "Cron",
    "Dst",
    "Moment",
    "Schedule",
    "ScheduleError",
    "check",
    "english",
    "find_zone",
    "for_job",
    "for_when",
    "instant",
    "jitter_delay",
    "parse_cron",
    "warnings",
]


def check(text: str) -> None:
    """Raise ScheduleError unless this is a cron text that can run."""
    read(text)
