"""What does the process that looks after one run do, from its claim to its result?

One is forked from the spawner for every run. It outlives the daemon: nothing here needs anybody to listen.
Only cheap stdlib modules and the package ``lean`` may be imported.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from jarvis.handling.lean import ears, frames, output, processes, program, record, stdin
else:
    from lean import ears, frames, output, processes, program, record, stdin

TOLD, TAKEN, UNTOLD = 0, 11, 12
"""Exit codes: the end was told; another supervisor has the run; the daemon has to look for itself."""

SETTLE = 2.0
"""Seconds that processes left over by a job get between SIGTERM and SIGKILL."""

RUNS_EACH = 500
"""Runs after which a supervisor ends: whatever it may have gathered goes with it."""

UNKILLABLE = 5.0
"""Seconds after SIGKILL at which a process counts as unkillable (uninterruptible I/O)."""


class Place(NamedTuple):
    """What all supervisors of a spawner share."""

    runs: str
    boot: str
    notices: int
    null: int
    memory: int


def serve(run: int, request: bytes, place: Place, channel: int) -> int:
    """Look after one run after the other, as long as the spawner has more; the exit code.

    Only a supervisor with no process left below it takes another run. Its exit code is that of a run not yet
    reported through the channel.
    """
    os.setsid()
    os.dup2(place.null, 2)
    processes.title("jarvis-run")
    processes.adopt_orphans()
    listening = ears.Ears()
    for _ in range(RUNS_EACH):
        code, reusable = look_after(run, request, place, listening)
        if channel < 0 or not reusable or listening.end:
            return code
        try:
            os.write(channel, bytes([code]))
            frame = frames.receive(channel)
        except OSError:
            return code
        if frame is None:
            return TOLD
        run, request = frame
    return code


def look_after(run: int, request: bytes, place: Place, listening: ears.Ears) -> tuple[int, bool]:
    """The whole life of one run: the exit code for it, and whether nothing at all is left of it."""
    try:
        supervisor = Supervisor(json.loads(request), place, listening)
        try:
            return supervisor.live(), supervisor.bare
        finally:
            supervisor.close()
    except record.Taken:
        return TAKEN, True
    except record.Unclaimable as error:
        reason = str(error)
    except Exception as error:
        reason = f"the supervisor failed: {type(error).__name__}: {error}; please report this"
    return (TOLD if tell(place.notices, "gone", run, None, reason) else UNTOLD), False


def tell(notices: int, kind: str, run: int, pid: int | None, reason: str | None = None) -> bool:
    """Say something to the daemon, if it is there and has room: it can always find out by itself."""
    try:
        os.write(notices, notice(kind, run, pid, reason))
    except OSError:
        return False
    return True


def notice(kind: str, run: int, pid: int | None, reason: str | None) -> bytes:
    """One line, short enough for a pipe to take it whole or not at all."""
    body = [kind, run, pid, time.time(), reason and reason[:500]]
    return json.dumps(body, separators=(",", ":")).encode() + b"\n"


class Supervisor:
    """One run."""

    def __init__(self, request: dict[str, Any], place: Place, listening: ears.Ears) -> None:
        self.run: int = request["run"]
        self.ears = listening
        self.ears.look = False
        self.request = request
        self.place = place
        self.record = record.Record(place.runs, request, place.boot)
        self.pid = 0
        self.status: int | None = None
        self.killed = False
        self.survivors: set[tuple[int, int]] = set()
        self.unkillable: list[int] = []
        self.stopped: str | None = None
        self.deadline: float | None = None
        self.begun = time.time()
        self.error: str | None = None
        self.step: str | None = None
        self.code: int | None = None
        self.signal: int | None = None
        self.oom = 0
        self.oom_killed = False
        self.childless = True
        self.max_rss = 0
        self.cpu = 0.0
        self.output: output.Capture | None = None
        self.feed: stdin.Feed | None = None
        self.streams: program.Streams | None = None
        self.poll = select.poll()
        self.poll.register(self.ears.wake, select.POLLIN)

    def live(self) -> int:
        """1 claim, 2 start each program and see it end, 3 end what is left, 4 record, 5 tell."""
        record.crash("supervisor.before-claim")
        self.record.claim()
        record.crash("supervisor.after-claim")
        try:
            self._prepare()
            self._perform()
            self._clear()
        except program.Unstartable as error:
            self.error, self.code = str(error), error.code
        except Exception as error:
            # a fault of ours must end the job and be recorded, not leave it unsupervised
            self.error = f"the supervisor failed: {type(error).__name__}: {error}; please report this"
            self.stopped = self.stopped or "fault"
            self._clear()
        self._finish()
        record.crash("supervisor.after-result")
        told = tell(self.place.notices, "ended", self.run, None)
        self._linger()
        return TOLD if told else UNTOLD

    @property
    def bare(self) -> bool:
        """Nothing is left of the run: its supervisor may take another."""
        return self.childless and not self.unkillable and not self.request["detach"]

    def close(self) -> None:
        """Give back everything that was opened for this run."""
        for one in (self.record, self.output, self.streams, self.feed):
            if one:
                one.close()

    def _asked(self) -> bool:
        return self.ears.end or (self.ears.look and self.record.stop_reason() is not None)

    def _prepare(self) -> None:
        request = self.request
        if "capture" in (request["stdout"]["kind"], request["stderr"]["kind"]):
            self.output = output.Capture(self.record.folder, request["cap"])
            self.poll.register(self.output.reader, select.POLLIN)
        pipe = self.output.writer if self.output else -1
        self.streams = program.Streams(request, pipe, self.place.null)
        self.oom = oom_kills(self.place.memory)
        self.ears.look = True
        self.begun = time.time()
        if request["timeout"] is not None:
            self.deadline = time.monotonic() + request["timeout"]

    def _perform(self) -> None:
        """Before steps, the program, after steps: each only when what came before it went well."""
        request = self.request
        befores, afters = request["before"], request["after"]
        last = len(befores) + len(afters)
        steps = [("before", step["argv"], step["ignore_failure"]) for step in befores]
        steps.append(("", request["argv"], False))
        steps += [("after", step["argv"], step["ignore_failure"]) for step in afters]
        for number, (kind, argv, ignore) in enumerate(steps):
            position = number + 1 if kind == "before" else number - len(befores)
            name = f"{kind} {position}: {' '.join(argv)}"[:200] if kind else None
            good = self._one(argv, name, ignore, final=number == last)
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
            if ignore:
                return False
            self.error, self.code, self.step = str(error), error.code, name
            return False
        if final and self.output:
            self.output.close_writer()
        good = self._wait() and self._judge(name)
        if not good and (self.stopped or not ignore):
            self.step = name
        return good

    def _start(self, argv: list[str], *, main: bool) -> None:
        given = self.place.null
        text = self.request["payload"] if self.request["payload"] is not None else self.request["stdin"]
        if main and text is not None:
            self.feed = stdin.Feed(text)
            given = self.feed.reader
            self.feed.register(self.poll)
        assert self.streams is not None
        self.status = None
        self.pid = program.start(self.request, argv, given, self.streams)
        if self.feed:
            self.feed.close_reader()
        self.record.child(self.pid)
        tell(self.place.notices, "started", self.run, self.pid)
        record.crash("supervisor.after-start")

    def _wait(self) -> bool:
        """Until the program ends, by itself or because it has to; False when it cannot be ended."""
        kill_at: float | None = None
        while self.status is None:
            now = time.monotonic()
            asked = self._asked()
            if kill_at is None and (asked or (self.deadline is not None and now >= self.deadline)):
                self.stopped = "cancelled" if asked else "timeout"
                processes.send_group(self.request["stop_signal"], self.pid)
                kill_at = now + self.request["stop_after"]
            if kill_at is None or now < kill_at:
                self._turn(self.deadline if kill_at is None else kill_at)
                continue
            if now >= kill_at + UNKILLABLE:
                self.unkillable.append(self.pid)
                return False
            self.killed = True
            processes.send_group(signal.SIGKILL, self.pid)
            self._turn(now + 0.1)
        return True

    def _judge(self, name: str | None) -> bool:
        """Did the program that ended go well? The run's exit code is the main program's, or a failed step's."""
        assert self.status is not None
        code = os.waitstatus_to_exitcode(self.status)
        good = code in (self.request["success_codes"] if name is None else (0,))
        if name is None or not good:
            self.code, self.signal = (code, None) if code >= 0 else (None, -code)
            self.oom_killed = code == -signal.SIGKILL and not self.killed
        return good

    def _turn(self, until: float | None) -> None:
        """Wait for something to happen, at most until then; move output, collect the dead."""
        wait = None if until is None else max(0.0, until - time.monotonic()) * 1000 + 1
        for fd, _ in self.poll.poll(wait):
            if fd == self.ears.wake:
                self.ears.clear()
                self._reap()
            elif self.output and fd == self.output.reader:
                if self.output.pump() == 0:
                    self.poll.unregister(fd)
            elif self.feed:
                self.feed.pump(self.poll)

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                self.childless = True
                return
            if pid == 0:
                self.childless = False
                return
            self.max_rss = max(self.max_rss, usage.ru_maxrss)
            self.cpu += usage.ru_utime + usage.ru_stime
            if pid == self.pid:
                self.status = status

    def _clear(self) -> None:
        """End what the job left behind: SIGTERM, a short grace, SIGKILL until nothing is left."""
        if self.request["detach"] and self.stopped is None:
            return
        self._reap()
        gentle = (
            0.0
            if self.killed
            else SETTLE
            if self.stopped is None
            else min(SETTLE, self.request["stop_after"])
        )
        now = time.monotonic()
        kill_at, give_up = now + gentle, now + gentle + UNKILLABLE
        asked: set[int] = set()
        while left := self._left():
            self.survivors |= {(seen.pid, seen.started) for seen in left}
            now = time.monotonic()
            if now >= give_up:
                self.unkillable += [seen.pid for seen in left if seen.pid not in self.unkillable]
                return
            if now >= kill_at:
                processes.send(signal.SIGKILL, left)
                self._turn(now + 0.02)
                continue
            new = [seen for seen in left if seen.pid not in asked]
            asked |= {seen.pid for seen in new}
            processes.send(signal.SIGTERM, new)
            processes.send(signal.SIGCONT, new)
            self._turn(min(kill_at, now + 0.1))

    def _left(self) -> list[processes.Seen]:
        """What still runs of this run. Without children there is nothing below a sub-reaper."""
        thorough = processes.MACOS or self.stopped is not None
        if self.childless and not thorough:
            return []
        table = processes.everybody()
        found = [] if self.childless else processes.below([os.getpid()], table)
        if thorough:
            known = {seen.pid for seen in found} | {os.getpid()}
            marked = processes.marked(f"JARVIS_RUN_DIR={self.record.folder}", table)
            found += [seen for seen in marked if seen.pid not in known]
        return found

    def _finish(self) -> None:
        if self.output:
            self.output.drain()
            self.output.finish()
        record.crash("supervisor.before-result")
        self.record.result(self._result())
        if self.output:
            self.output.forget_ring()

    def _result(self) -> dict[str, Any]:
        cancelled = (
            (self.record.stop_reason() or "stopped by SIGTERM") if self.stopped == "cancelled" else None
        )
        kept = self.output
        return {
            "run": self.run,
            "started": self.begun,
            "ended": max(time.time(), self.begun),
            "exit_code": self.code,
            "signal": self.signal,
            "timed_out": self.stopped == "timeout",
            "cancelled": cancelled,
            "error": self.error,
            "step": self.step,
            "output_bytes": kept.total if kept else 0,
            "output_dropped": kept.dropped if kept else 0,
            "output_head": kept.head if kept else 0,
            "output_problem": kept.problem if kept else None,
            "survivors": len(self.survivors),
            "unkillable": self.unkillable[:100],
            "max_rss_kb": self.max_rss // (1024 if processes.MACOS else 1),
            "cpu": round(self.cpu, 6),
            "oom": self.oom_killed and oom_kills(self.place.memory) > self.oom,
        }

    def _linger(self) -> None:
        """After a detached run: take what its remaining processes write, so that writing does not kill them."""
        if not (self.output and self.request["detach"]):
            return
        self.output.close_writer()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while self.output.discard():
            poll = select.poll()
            poll.register(self.output.reader, select.POLLIN)
            poll.poll()


def oom_kills(memory: int) -> int:
    """How often the kernel has killed for want of memory, as the open counter file says; 0 without one."""
    if memory < 0:
        return 0
    for line in os.pread(memory, 16_384, 0).splitlines():
        name, _, value = line.partition(b" ")
        if name == b"oom_kill":
            return int(value)
    return 0


def memory_counter(root: str = "/sys/fs/cgroup", own: str = "/proc/self/cgroup") -> int:
    """An open file that counts OOM kills: of our control group, else of the machine; -1 without one."""
    for path in _counters(root, own):
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
    return -1


def _counters(root: str, own: str) -> list[str]:
    try:
        with open(own, encoding="utf-8") as file:
            entries = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return []
    found = [f"{root}{path}/memory.events" for _, kinds, path in entries if not kinds]
    found += [f"{root}/memory{path}/memory.oom_control" for _, kinds, path in entries if kinds == "memory"]
    return [*found, "/proc/vmstat"]
