"""`pause_sample`: a real sampler in a process of its own, which is really stopped, starved, held up and killed."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jarvis import testing
from jarvis.core import stress
from jarvis.handling.stores import LazyStores
from jarvis.store.database import Database
from jarvis.store.samples import Batch, Samples
from jarvis.store.stalls import Stall

PATIENCE = 40.0
CHILD = """
import json, os, pathlib, signal, sys, threading, time
if os.geteuid() == 0:
    os.nice(-10)  # what else runs on this machine is not what the test is about

def hold(*_):
    '''Hold the interpreter's lock for three and a half seconds of processor time, in another thread.'''
    began = time.process_time()
    sum(range(3_000_000))
    many = int(3_000_000 * 3.5 / (time.process_time() - began))
    threading.Thread(target=lambda: sum(range(many))).start()

signal.signal(signal.SIGUSR1, hold)
folder, values = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
if into := values.pop("into", None):
    pathlib.Path(into).write_text(str(os.getpid()))  # a control group
from jarvis import testing
from jarvis.handling.stores import LazyStores
context = testing.context(stores=LazyStores(f"sqlite:///{folder}/ledger.sqlite"), state=folder, job="pauses")
signal.signal(signal.SIGTERM, lambda *_: context._ending.set())
outcome = testing.run_handler("pause_sample", context, **values)
(folder / "outcome").write_text(json.dumps(outcome.dump()))
"""


def until(what: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.03)
    raise AssertionError(f"not within {PATIENCE:g} s")


class Sampling:
    """A sampler at work in a child process; ``samples`` looks at what it writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = Database(folder / "ledger.sqlite")
        self.database.open()
        self.samples = Samples(self.database)
        self.process: subprocess.Popen[bytes]

    @contextmanager
    def at_work(self, *, first: int = 3, **values: Any) -> Iterator[Sampling]:
        given = {"interval": "200ms", "elevated_interval": "200ms", "forensics": False} | values
        before = self.samples.count()
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(self.folder), json.dumps(given)],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        try:
            self.until(lambda: self.samples.count() >= before + first)
            yield self
        finally:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGCONT)
                self.process.terminate()
                try:
                    self.process.wait(PATIENCE)
                finally:
                    self.process.kill()

    def until(self, what: Callable[[], Any]) -> Any:
        def alive() -> Any:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}"
            return what()

        return until(alive)

    def stand_still(self, seconds: float) -> None:
        """Stop it by a signal."""
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def compete(self, cores: set[int], policy: int) -> None:
        """Run on these cores only, by these rules."""
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), cores)
            os.sched_setscheduler(int(task.name), policy, os.sched_param(0))

    def pauses(self) -> list[Stall]:
        return self.samples.stalls.newest(kinds=("pause",))

    def pause(self) -> Stall:
        return self.until(self.pauses)[-1]

    def outcome(self) -> dict[str, Any]:
        return json.loads((self.folder / "outcome").read_text())


@pytest.fixture
def sampling(tmp_path: Path) -> Iterator[Sampling]:
    made = Sampling(tmp_path)
    yield made
    made.database.close()


@pytest.mark.needs("linux")
def test_a_process_that_was_stopped_had_a_pause_and_only_it_stood_still(sampling: Sampling) -> None:
    with sampling.at_work():
        sampling.stand_still(2.8)
        found = sampling.pause()
        sampling.until(lambda: sampling.pause().told_at)
    assert (found.kind, found.cause, found.review, found.capture) == (
        "pause",
        "stopped",
        "unreviewed",
        "none",
    )
    assert found.gap is not None and found.surplus is not None
    assert timedelta(seconds=2.5) < found.surplus < timedelta(seconds=20)
    assert found.gap - found.surplus == timedelta(seconds=0.2)
    assert found.ratio is not None and found.ratio > 10
    assert found.factors is not None and found.factors["latency"] is not None
    (alert,) = [one for one in sampling.outcome()["alerts"] if one["key"] == "pause"]
    assert alert["once"] and "only Jarvis stood still" in alert["text"]
    assert f"jarvis pauses show {found.id}" in alert["text"]
    # Who worked was looked at, and the sample says how late it was.
    assert "pause" in [one.why for one in sampling.samples.workers(found.from_at, found.until_at)]
    late = max(one["gap"] for one in sampling.samples.between(found.from_at, found.until_at))
    assert late == pytest.approx(found.gap.total_seconds(), abs=0.001)


@pytest.mark.needs("linux")
def test_a_call_that_holds_the_interpreter_is_our_own_fault(sampling: Sampling) -> None:
    """On a busy machine it may get too little of a processor for most of the pause to be its fault."""

    def held() -> list[Stall]:
        return [one for one in sampling.pauses() if spent(one, "own_cpu") >= 1]

    with sampling.at_work():
        for attempt in (1, 2):
            sampling.process.send_signal(signal.SIGUSR1)
            sampling.until(lambda attempt=attempt: len(held()) >= attempt)
            if held()[0].cause == "own fault":
                break
    for found in held():
        assert found.surplus is not None
        at_fault = spent(found, "own_cpu") >= 0.6 * found.surplus.total_seconds()
        assert (found.cause == "own fault") is at_fault, found


def spent(pause: Stall, on: str) -> float:
    return (pause.evidence or {}).get(on) or 0.0


@pytest.mark.needs("linux")
def test_a_process_that_gets_no_processor_was_starved(sampling: Sampling) -> None:
    """It may only use what others leave of one core, and they leave nothing."""
    cores = os.sched_getaffinity(0)
    with sampling.at_work(), hogs({min(cores)}) as all_of_them:
        for _ in range(5):  # it may have some time to its credit at first
            sampling.compete({min(cores)}, os.SCHED_IDLE)
            time.sleep(4)
            for hog in all_of_them:
                hog.send_signal(signal.SIGSTOP)
            sampling.compete(cores, os.SCHED_OTHER)
            seen = sampling.samples.count()
            sampling.until(lambda seen=seen: sampling.samples.count() > seen + 1)
            if sampling.pauses():
                break
            for hog in all_of_them:
                hog.send_signal(signal.SIGCONT)
        found = sampling.pause()
    assert found.cause == "cpu starvation", found
    assert found.surplus is not None
    assert spent(found, "own_wait") >= 0.6 * found.surplus.total_seconds()


@contextmanager
def hogs(core: set[int]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Eight processes that take all there is of this core."""
    made = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(8)]
    try:
        for hog in made:
            os.sched_setaffinity(hog.pid, core)
        yield made
    finally:
        for hog in made:
            hog.kill()
            hog.wait()


CGROUPS = Path("/sys/fs/cgroup")
MODERN = (CGROUPS / "cgroup.controllers").exists()


@contextmanager
def group(controller: str) -> Iterator[Path]:
    """A control group of our own, of version 1 or 2; what is still in it at the end is moved out."""
    folder = (CGROUPS if MODERN else CGROUPS / controller) / f"jarvis-test-{os.getpid()}"
    try:
        if MODERN:
            (CGROUPS / "cgroup.subtree_control").write_text(f"+{controller}")
        folder.mkdir()
        (folder / "inner").mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        yield folder
    finally:
        until(lambda: all(_removed(one) for one in (folder / "inner", folder)))


def _removed(folder: Path) -> bool:
    for file in [folder / "cgroup.procs"] if folder.exists() else []:
        for pid in file.read_text().split():
            with contextlib.suppress(OSError):
                (folder.parent / "cgroup.procs").write_text(pid)
    with contextlib.suppress(OSError):
        folder.rmdir()
    return not folder.exists()


def limit(folder: Path, microseconds: int | None) -> None:
    """So much processor time in each second; None: as much as there is."""
    if MODERN:
        (folder / "cpu.max").write_text(f"{microseconds or 'max'} 1000000")
    else:
        (folder / "cpu.cfs_period_us").write_text("1000000")
        (folder / "cpu.cfs_quota_us").write_text(str(microseconds or -1))


@pytest.mark.campaign
@pytest.mark.needs("linux", "root")
@pytest.mark.parametrize("inner", ["", "inner"], ids=["of its own group", "of a group around it"])
def test_a_used_up_quota_is_named_when_it_really_was_used_up(sampling: Sampling, inner: str) -> None:
    """With a thousandth of a processor, which somebody else of its group uses up."""

    def named() -> list[Stall]:
        return [one for one in sampling.pauses() if "its control group had used up its CPU quota" in one.why]

    with group("cpu") as folder, sampling.at_work(into=str(folder / inner / "cgroup.procs")):
        hog = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        (folder / inner / "cgroup.procs").write_text(str(hog.pid))
        try:
            for _ in range(6):  # on a busy machine the host may be at fault, too
                limit(folder, 1_000)
                time.sleep(4)
                limit(folder, None)
                seen = sampling.samples.count()
                sampling.until(lambda seen=seen: sampling.samples.count() > seen + 2)
                if named():
                    break
        finally:
            limit(folder, None)
            hog.kill()
            hog.wait()
    found = named()
    assert found, sampling.pauses()
    assert found[0].cause == "cpu starvation"
    assert found[0].evidence is not None and found[0].evidence["quota_hits"] >= 1


def test_a_kill_loses_the_last_sample_at_most(sampling: Sampling) -> None:
    with sampling.at_work(interval="100ms"):
        sampling.until(lambda: sampling.samples.count() >= 20)
        sampling.process.kill()
        sampling.process.wait()
        killed_at = datetime.now(UTC)
    last = sampling.samples.newest()
    assert last is not None and killed_at - last["at"] < timedelta(seconds=2)
    rows = sampling.samples.between(killed_at - timedelta(minutes=5), killed_at)
    # Looks that were taken and not written would be holes: each row knows how long after the one before it came.
    for before, after in itertools.pairwise(rows):
        assert (after["at"] - before["at"]).total_seconds() == pytest.approx(after["gap"], abs=0.05)
    with sampling.at_work(interval="100ms"):
        pass
    assert sampling.pauses() == [], "a restart is no pause"


def test_it_ends_at_once_when_told_and_says_what_it_did(sampling: Sampling) -> None:
    with sampling.at_work(interval="60s", elevated_interval="60s", first=1):
        told = time.monotonic()
        sampling.process.terminate()
        sampling.process.wait(PATIENCE)
        assert time.monotonic() - told < 5, "it did not wait for its next look"
    assert (sampling.outcome()["status"], sampling.outcome()["result"]) == ("ok", "1 samples, 0 pauses")


# In this process.


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    database = Database(tmp_path / "ledger.sqlite")
    database.open()
    stores = LazyStores(database.url)

    def run(**values: Any) -> Any:
        context = testing.context(stores=stores, state=tmp_path)
        return testing.run_handler("pause_sample", context, **values)

    run.samples = Samples(database)  # type: ignore[attr-defined]
    yield run
    stores.close()
    database.close()


def stressed(monkeypatch: pytest.MonkeyPatch, points: int) -> None:
    """By its load alone, however this machine is."""
    monkeypatch.setattr(stress, "factors", lambda *_, **__: stress.Factors(load=points))


def told(outcome: Any) -> dict[str, Any]:
    """Its alerts by key, but for pauses: on a busy machine there are real ones."""
    return {one.key: one for one in outcome.alerts if one.key != "pause"}


def test_a_bounded_run_takes_so_many_samples_and_the_first_has_nothing_before_it(sample: Any) -> None:
    outcome = sample(interval="100ms", elevated_interval="100ms", times=4, forensics=False)
    assert outcome.status == "ok", outcome.error
    late = len(sample.samples.stalls.newest(kinds=("pause",)))  # on a busy machine
    assert (outcome.result, outcome.numbers["samples"]) == (f"4 samples, {late} pauses", 4)
    rows = sample.samples.between(datetime.now(UTC) - timedelta(minutes=1), datetime.now(UTC))
    assert [one["interval"] for one in rows] == [None, 0.1, 0.1, 0.1]
    assert (rows[0]["gap"], rows[0]["stress_latency"]) == (None, None)
    assert all(one["gap"] >= 0.09 for one in rows[1:])
    assert all(one["load"] is not None and one["memory_available"] for one in rows)


def test_a_job_that_would_be_ended_by_its_timeout_says_how_to_write_it(tmp_path: Path) -> None:
    """Sampling never ends by itself: with ``every:`` it would be a failed run and many skipped ones."""
    soon = testing.context(state=tmp_path, deadline=datetime.now(UTC) + timedelta(minutes=5))
    outcome = testing.run_handler("pause_sample", soon)
    assert outcome.status == "gave_up" and "service: {restart: always}" in outcome.error


def test_the_expected_interval_is_the_one_that_was_really_scheduled(sample: Any, monkeypatch: Any) -> None:
    """Elevated at once, it looks five times as often, and no sample of that is early or late."""
    stressed(monkeypatch, 30)
    sample(interval="500ms", elevated_interval="100ms", times=4, forensics=False)
    rows = sample.samples.between(datetime.now(UTC) - timedelta(minutes=1), datetime.now(UTC))
    assert [one["state"] for one in rows] == ["elevated"] * 4
    assert [one["interval"] for one in rows] == [None, 0.1, 0.1, 0.1]
    mood, _ = sample.samples.noted()["mood"]
    assert mood["elevated"] and datetime.fromisoformat(mood["since"]) <= rows[0]["at"] + timedelta(
        seconds=0.1
    )


def test_one_sample_by_hand_counts_as_no_pause(sample: Any) -> None:
    outcome = sample(once=True)
    assert outcome.status == "ok" and "stress" in outcome.numbers
    assert sample.samples.count() == 1
    assert sample.samples.stalls.count() == 0


def test_what_is_elevated_is_told_when_asked_for_and_not_by_itself(sample: Any, monkeypatch: Any) -> None:
    stressed(monkeypatch, 35)
    assert told(sample(interval="100ms", times=2, forensics=False)) == {}
    # It was elevated a moment ago, so this is the same stretch; a minute later it would be a new one.
    sample.samples.keep(Batch(notes={"mood": {"elevated": False, "since": None}}), datetime.now(UTC))
    (alert,) = told(sample(interval="100ms", times=2, forensics=False, notify=["elevated"])).values()
    assert (alert.severity, alert.once, alert.title) == ("low", False, "Stress is elevated: 35")


def test_stress_that_was_told_is_over_when_the_machine_is_calm(sample: Any, monkeypatch: Any) -> None:
    points = iter([35, 35])
    monkeypatch.setattr(stress, "factors", lambda *_, **__: stress.Factors(load=next(points, 0)))
    outcome = sample(
        interval="100ms", elevated_interval="100ms", times=12, forensics=False, notify=["elevated"]
    )
    assert told(outcome).keys() == {"elevated"}
    assert outcome.resolved == ("critical", "elevated"), "also what an earlier run may have told"


def test_critical_stress_and_a_completed_capture_are_told(sample: Any, monkeypatch: Any) -> None:
    """A snapshot is taken at once; told to end, what it captures is finished with what there is."""
    stressed(monkeypatch, 65)
    monkeypatch.setattr(stress, "CRITICAL_AFTER", timedelta(seconds=0.3))
    outcome = sample(interval="100ms", elevated_interval="100ms", times=30)
    heard = told(outcome)
    assert heard.keys() == {"critical", "forensics"}
    assert (heard["critical"].severity, heard["critical"].once) == ("high", False)
    assert heard["critical"].title == "Stress is critical: 65"
    (found,) = sample.samples.stalls.newest(kinds=("snapshot",))
    assert (found.kind, found.capture) == ("snapshot", "done")
    assert heard["forensics"].text.startswith(
        "What was seen around snapshot 1 (stress reached 65 (load 65)) is in /"
    )


def test_what_was_learned_and_the_mood_outlive_a_restart(sample: Any, monkeypatch: Any) -> None:
    stressed(monkeypatch, 35)
    sample(interval="100ms", times=3, forensics=False)
    first, _ = sample.samples.noted()["mood"]
    sample(interval="100ms", times=2, forensics=False)
    second, _ = sample.samples.noted()["mood"]
    apart = datetime.fromisoformat(second["since"]) - datetime.fromisoformat(first["since"])
    assert abs(apart) < timedelta(seconds=0.1), "one stretch, with its beginning"
    usual = {"fast": 5e6, "slow": 4e6, "samples": 600}
    sample.samples.keep(Batch(notes={"baseline": usual}), datetime.now(UTC))
    sample(interval="100ms", times=2, forensics=False)
    assert sample.samples.noted()["baseline"][0] == usual, (
        "it goes on with what was learned, and writes it once more"
    )


def test_a_pause_that_nobody_was_told_of_is_told_at_the_next_start(sample: Any) -> None:
    now = datetime.now(UTC)
    pause = Stall(
        kind="pause", from_at=now - timedelta(minutes=3), until_at=now - timedelta(minutes=2), gap=timedelta(minutes=1),
        expected=timedelta(seconds=5), surplus=timedelta(seconds=55), cause="stopped", why="only Jarvis stood still",
    )  # fmt: skip
    (number,) = sample.samples.keep(Batch(stalls=[pause]), now)
    (alert,) = sample(interval="100ms", times=1, forensics=False).alerts
    assert alert.title == "Pause of 55.0 s: stopped"
    assert sample.samples.stalls.get(number).told_at is not None
    assert sample(interval="100ms", times=1, forensics=False).alerts == ()


def test_an_interval_that_would_only_burn_the_processor_is_refused(sample: Any) -> None:
    outcome = sample(interval="10ms")
    assert (outcome.status, outcome.error) == (
        "gave_up", "handler pause_sample: 'interval': give at least 100ms",
    )  # fmt: skip
