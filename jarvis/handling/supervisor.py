"""What does the process that looks after one run do, from its claim to its result?

It is forked by the spawner and outlives the daemon: nothing here needs anybody to listen. When a run has ended
and nothing at all is left of it, the same process may look after another. Only cheap stdlib modules and the
package ``lean`` may be imported.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from jarvis.handling.lean import (
        ears,
        ending,
        memory,
        notices,
        outlets,
        processes,
        program,
        record,
        stdin,
        steps,
        veil,
        watch,
    )
else:
    from lean import (
        ears,
        ending,
        memory,
        notices,
        outlets,
        processes,
        program,
        record,
        stdin,
        steps,
        veil,
        watch,
    )

TOLD, TAKEN, UNTOLD = 0, 11, 12
"""Exit codes: the end was told; another supervisor has the run; the daemon has to look for itself."""

SETTLE = 2.0
"""Seconds that processes left over by a job get between SIGTERM and SIGKILL."""

READER_EVERY = 0.1
"""Seconds after which it is looked again whether somebody reads the pipe that a program is to write to."""


class Place(NamedTuple):
    """What all supervisors of a spawner share."""

    runs: str
    boot: str
    notices: int
    null: int
    memory: int


class Supervisor:
    """One run."""

    def __init__(self, request: dict[str, Any], place: Place, listening: ears.Ears) -> None:
        self.run: int = request["run"]
        self.request = request
        self.place = place
        self.ears = listening
        self.ears.look = False
        self.record = record.Record(place.runs, request, place.boot)
        self.watch = watch.Watch(listening)
        self.remains = ending.Remains(self.record.folder)
        self.outlets = outlets.Outlets(request, self.watch)
        self.streams: program.Streams | None = None
        self.feed: stdin.Feed | None = None
        self.begun = time.time()
        self.deadline: float | None = None
        self.stopped: str | None = None
        self.killed = False
        self.error: str | None = None
        self.step: str | None = None
        self.code: int | None = None
        self.signal: int | None = None
        self.memory_kills = 0
        self.perhaps_memory = False

    def live(self) -> int:
        """1 claim, 2 start each program and see it end, 3 end what is left, 4 deliver, 5 record, 6 tell."""
        record.crash("supervisor.before-claim")
        self.record.claim()
        record.crash("supervisor.after-claim")
        try:
            self._prepare()
            self._perform()
            self._clear()
            self._deliver()
        except Exception as error:
            # a fault of ours must end the job and be recorded, not leave it unsupervised
            self.error = fault(error)
            self.stopped = self.stopped or "fault"
            self._clear()
        self._finish()
        record.crash("supervisor.after-result")
        told = notices.tell(self.place.notices, "ended", self.run, None)
        if self._may_stay:
            self.outlets.linger()
        return TOLD if told else UNTOLD

    @property
    def bare(self) -> bool:
        """Nothing is left of the run: its supervisor may take another."""
        return self.watch.childless and not self.remains.unkillable and not self.request["detach"]

    def close(self) -> None:
        """Give back everything that was opened for this run."""
        for one in (self.record, self.outlets, self.streams, self.feed):
            if one:
                one.close()

    def _prepare(self) -> None:
        request = self.request
        if request["cause"] is not None:
            self.record.cause(request["cause"])
        self.outlets.open(self.record.folder)
        captured = self.outlets.captured
        self.streams = program.Streams(
            request, captured.writer if captured else -1, self.place.null, self.outlets.lead
        )
        self.memory_kills = memory.kills(self.place.memory)
        # whoever asked before the claim could be seen has not signalled
        self.ears.look = True
        self.begun = time.time()
        if request["timeout"] is not None:
            self.deadline = time.monotonic() + request["timeout"]

    def _perform(self) -> None:
        """Before steps, the program, after steps: each only when what came before it went well."""
        programs = steps.of(self.request)
        for number, (name, argv, ignore) in enumerate(programs):
            good = self._one(argv, name, ignore, final=number == len(programs) - 1)
            if self.stopped or not (good or ignore):
                return

    def _one(self, argv: list[str], name: str | None, ignore: bool, *, final: bool) -> bool:
        """Start one program and wait for its end: did it go well?"""
        if self._asked():
            self.stopped = "cancelled"
            return False
        try:
            self._start(argv, main=name is None)
        except program.Unstartable as error:
            if not ignore:
                self.error, self.code, self.step = str(error), error.code, name
            return False
        except program.Unread as error:
            self.error, self.step = str(error), name
            return False
        if final:
            self.outlets.close_writers()
        good = self._wait() and self._judge(name, ignore)
        if not good and (self.stopped or not ignore):
            self.step = name
        return good

    def _start(self, argv: list[str], *, main: bool) -> None:
        assert self.streams is not None
        text = self.request["stdin"] if self.request["payload"] is None else self.request["payload"]
        given = self.place.null
        if main and text is not None:
            self.feed = stdin.Feed(text)
            self.watch.feed(self.feed)
            given = self.feed.reader
        self.watch.expect(self._start_once_read(argv, given, self.streams))
        if self.feed:
            self.feed.close_reader()
        self.record.child(self.watch.pid)
        notices.tell(self.place.notices, "started", self.run, self.watch.pid)
        record.crash("supervisor.after-start")

    def _start_once_read(self, argv: list[str], given: int, streams: program.Streams) -> int:
        """The pid, once the pipes it writes to have readers. Raises Unread when the run has to end before that."""
        while True:
            try:
                return program.start(self.request, argv, given, streams)
            except program.Unread:
                again = time.monotonic() + READER_EVERY
                while (now := time.monotonic()) < again:
                    if self._must_end(now):
                        raise
                    self.watch.turn(again if self.deadline is None else min(again, self.deadline))

    def _wait(self) -> bool:
        """Until the program ends, by itself or because it has to; False when it cannot be ended."""
        kill_at: float | None = None
        while self.watch.status is None:
            now = time.monotonic()
            if kill_at is None and self._must_end(now):
                processes.send_group(self.request["stop_signal"], self.watch.pid)
                kill_at = now + self.request["stop_after"]
            if kill_at is None or now < kill_at:
                self.watch.turn(self.deadline if kill_at is None else kill_at)
                continue
            if now >= kill_at + ending.UNKILLABLE:
                self.remains.unkillable.append(self.watch.pid)
                return False
            self.killed = True
            processes.send_group(signal.SIGKILL, self.watch.pid)
            self.watch.turn(now + 0.1)
        return True

    def _must_end(self, now: float) -> bool:
        if self.stopped is not None:
            return True
        if self._asked():
            self.stopped = "cancelled"
        elif self.deadline is not None and now >= self.deadline:
            self.stopped = "timeout"
        return self.stopped is not None

    def _asked(self) -> bool:
        """Has somebody asked for this run to stop?"""
        if self.ears.look:
            self.ears.look = False
            return self.record.stop_reason() is not None or self.ears.end
        return self.ears.end

    def _judge(self, name: str | None, ignore: bool) -> bool:
        """Did it go well? The run's exit code is that of its own program, or of the step that failed."""
        assert self.watch.status is not None
        code = os.waitstatus_to_exitcode(self.watch.status)
        good = code in (self.request["success_codes"] if name is None else (0,))
        if name is None or not (good or ignore):
            self.code, self.signal = (code, None) if code >= 0 else (None, -code)
            self.perhaps_memory = code == -signal.SIGKILL and not self.killed
        return good

    def _clear(self) -> None:
        """End what the job left behind; a detached job's children may stay, unless it had to be stopped."""
        if self._may_stay:
            self.watch.reap()
            return
        grace = SETTLE if self.stopped is None else min(SETTLE, self.request["stop_after"])
        self.remains.clear(self.watch, grace=0.0 if self.killed else grace, thorough=self.stopped is not None)

    @property
    def _may_stay(self) -> bool:
        """What a detached job left running goes on, unless the run had to be stopped."""
        return bool(self.request["detach"]) and self.stopped is None

    def _deliver(self) -> None:
        """A file that takes what was written slowly (a pipe, a terminal) gets all of it, as from the job itself."""
        if not self._may_stay:
            patience = max(self.request["stop_after"], SETTLE)
            self.outlets.deliver(self._must_end, self.deadline, patience)

    def _finish(self) -> None:
        self.outlets.drain()
        self.outlets.finish(everything=not self._may_stay)
        record.crash("supervisor.before-result")
        self.record.result(self._result())
        if self.outlets.captured:
            self.outlets.captured.forget_ring()

    def _result(self) -> dict[str, Any]:
        cancelled = self.stopped == "cancelled"
        kept = self.outlets.captured
        hide = self._hide
        return {
            "run": self.run,
            "started": self.begun,
            "ended": max(time.time(), self.begun),
            "exit_code": self.code,
            "signal": self.signal,
            "timed_out": self.stopped == "timeout",
            "cancelled": hide(self.record.stop_reason() or "stopped by SIGTERM") if cancelled else None,
            "error": hide(self.error),
            "step": hide(self.step),
            "output_bytes": kept.total if kept else 0,
            "output_dropped": kept.dropped if kept else 0,
            "output_head": kept.head if kept else 0,
            "output_problem": hide(self.outlets.problem),
            "survivors": self.remains.ended,
            "unkillable": self.remains.unkillable[:100],
            "max_rss_kb": self.watch.max_rss // (1024 if processes.MACOS else 1),
            "cpu": round(self.watch.cpu, 6),
            "oom": self.perhaps_memory and memory.kills(self.place.memory) > self.memory_kills,
        }

    def _hide(self, text: str | None) -> str | None:
        return text if text is None else veil.hide(text, self.outlets.forms)


def fault(error: Exception) -> str:
    """What is said when the error is in here."""
    return f"the supervisor failed: {type(error).__name__}: {error}; please report this"
