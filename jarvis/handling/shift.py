"""How does one process look after one run after the other?

Only cheap stdlib modules and the files beside this one may be imported.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jarvis.handling import supervisor
    from jarvis.handling.lean import ears, frames, notices, processes, record
else:
    import supervisor
    from lean import ears, frames, notices, processes, record

RUNS_EACH = 500
"""Runs after which a supervisor ends: whatever it may have gathered goes with it."""


def serve(run: int, request: bytes, place: supervisor.Place, channel: int) -> int:
    """Look after one run after the other, as long as the spawner has more; the exit code.

    Only a supervisor with no process left below it takes another run. The exit code speaks for a run that has
    not been reported through the channel: also for one that may just have been sent there.
    """
    os.setsid()
    os.dup2(place.null, 2)
    processes.title("jarvis-run")
    processes.adopt_orphans()
    listening = ears.Ears()
    for left in reversed(range(RUNS_EACH)):
        code, reusable = look_after(run, request, place, listening)
        if channel < 0 or not reusable or listening.end or not left:
            return code
        try:
            os.chdir("/")
            os.write(channel, bytes([code]))
            frame = frames.receive(channel)
        except OSError:
            break
        if frame is None:
            break
        run, request = frame
    return supervisor.UNTOLD


def look_after(run: int, request: bytes, place: supervisor.Place, listening: ears.Ears) -> tuple[int, bool]:
    """The whole life of one run: the exit code for it, and whether nothing at all is left of it."""
    try:
        one = supervisor.Supervisor(json.loads(request), place, listening)
        try:
            return one.live(), one.bare
        finally:
            one.close()
    except record.Taken:
        return supervisor.TAKEN, True
    except record.Unclaimable as error:
        reason = str(error)
    except Exception as error:
        reason = supervisor.fault(error)
    told = notices.tell(place.notices, "gone", run, None, reason)
    return (supervisor.TOLD if told else supervisor.UNTOLD), False
