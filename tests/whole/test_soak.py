"""Does anything stay behind: a file, a thread, a process, over hundreds of events, alerts, changes and restarts?"""

from __future__ import annotations

from collections import Counter

import psutil
import pytest

from tests.whole.daemon import Daemon, until

TELLER = """
    '''Publish events and raise alerts: each run other ones, so that those of the run before are over.'''
    from jarvis import Context

    def run(ctx: Context, *, each: int = 30) -> None:
        for number in range(each):
            name = f"{ctx.run.id}-{number}"
            ctx.events.add(source="soak", event_type=name, payload=number, received_at=ctx.now)
            ctx.alert(f"it is {name}", key=name, severity="high", once=number % 2 == 0)
"""
JOBS = """
    teller: {every: 1s, run: teller, in: thread}
    heard: {on: {event: "soak/*"}, command: "true"}
    seen: {watch: {paths: in, debounce: 50ms}, command: "true"}
    brief: {command: sleep 0.2, service: {restart: always, wait: 100ms, healthy_after: 100ms}}
    pauses: {run: pause_sample, in: thread, service: {restart: always}, with: {interval: 500ms, forensics: false}}
"""
CHANNEL = "alerts: {channels: {file: {journal: told.jsonl, rate: 10ms}}}\n"
EVENTS, FIRES, RESTARTS = 300, 100, 50


def held(daemon: Daemon) -> Counter[str]:
    """What the daemon and its spawner hold open, by kind; and how many threads they are."""
    found: Counter[str] = Counter()
    for process in (psutil.Process(daemon.pid), *daemon.named("jarvis-spawner")):
        found["threads"] += process.num_threads()
        found["descriptors"] += process.num_fds()
        found["connections"] += sum(file.path.startswith(str(daemon.ledger)) for file in process.open_files())
        found["zombies"] += sum(child.status() == psutil.STATUS_ZOMBIE for child in process.children())
    return found


@pytest.mark.slow
@pytest.mark.needs("linux")
def test_nothing_is_gathered_over_hundreds_of_events_alerts_changes_and_restarts(daemon: Daemon) -> None:
    daemon.handler("teller", TELLER)
    (daemon.folder / "in").mkdir()
    daemon.jobs(JOBS, CHANNEL).start()

    def count(query: str) -> int:
        return int(daemon.rows(f"SELECT count(*) AS n FROM {query}")[0]["n"])

    def change(times: int) -> None:
        for _ in range(times):
            before = count("runs WHERE job = 'seen' AND ended_at IS NOT NULL")
            (daemon.folder / "in" / f"file-{before}").write_text("x")
            until(
                lambda before=before: count("runs WHERE job = 'seen' AND ended_at IS NOT NULL") > before,  # type: ignore[misc]
                "the change was a fire",
            )

    def at_rest() -> Counter[str]:
        """The least of a few looks: what is held for a moment (a run under way) is nobody's."""
        switch(daemon, "disable")
        until(lambda: not count("runs WHERE ended_at IS NULL AND job != 'pauses'"), "all runs have ended", 90)
        until(lambda: not count("events WHERE status = 'pending'"), "all events are dealt with", 60)
        until(lambda: not count("journal WHERE verdict = 'new'"), "all alerts are judged", 60)
        until(lambda: not count("deliveries WHERE status = 'queued'"), "all messages are sent", 60)
        looks = [held(daemon) for _ in range(10)]
        switch(daemon, "enable")
        return Counter({name: min(look[name] for look in looks) for name in looks[0]})

    change(5)
    daemon.wait_for("heard", "succeeded", count=30, within=60)
    daemon.wait_for("brief", "succeeded", count=2)
    first = at_rest()
    begun = count("runs WHERE job = 'brief'")
    change(FIRES)
    daemon.wait_for("heard", "succeeded", count=30 + EVENTS, within=120)
    until(
        lambda: count("runs WHERE job = 'brief'") >= begun + RESTARTS, "it was started again and again", 120
    )
    last = at_rest()
    assert count("journal WHERE job = 'teller' AND kind IN ('problem', 'notice')") >= EVENTS
    assert count("journal WHERE job = 'teller' AND kind = 'recovery'") >= EVENTS / 2 - 30
    assert count("deliveries WHERE status = 'sent'") > 0 and (daemon.folder / "told.jsonl").exists()
    assert last["descriptors"] <= first["descriptors"] + 2, (first, last)
    assert last["connections"] <= first["connections"], (first, last)
    assert last["threads"] <= first["threads"], (first, last)
    assert last["zombies"] == 0
    switch(daemon, "disable")
    until(lambda: not daemon.runs("brief", "running", "queued"), "the service has ended")


def switch(daemon: Daemon, how: str) -> None:
    for name in ("brief", "teller"):
        daemon.cli("jobs", how, name)
