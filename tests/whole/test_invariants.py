"""Does a real daemon notice that something is down, remember since when, and notice that it is up again?"""

from __future__ import annotations

import socket
import subprocess
import sys

from tests.whole.daemon import Daemon, until

GRACE = 4


def serve(port: int) -> subprocess.Popen[bytes]:
    """A web server of its own process, ready."""
    server = subprocess.Popen(
        [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
    )  # fmt: skip

    def answers() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    until(answers, "the web server answers")
    return server


def test_what_goes_down_has_a_ticket_after_its_grace_also_across_a_restart_and_none_when_it_is_up_again(
    daemon: Daemon, port: int
) -> None:
    url = f"http://127.0.0.1:{port}/"
    daemon.jobs(f"""
        watch:
          every: 1s
          run: invariants
          with:
            invariants:
              site-up: {{up: {{http: "{url}"}}, grace: {GRACE}s}}
              root-disk: {{disk: {{path: /, above: 100}}}}
    """)
    server = serve(port)
    daemon.start()
    (first, *_) = daemon.wait_for("watch", "succeeded")
    assert first["result"] == "2 invariants: 2 hold, 0 violated, 0 not observed"
    assert daemon.cli("tickets", "list", "--json") == []

    server.kill()
    server.wait()
    (violation,) = until(lambda: daemon.rows("SELECT * FROM violations"), "the violation is known")
    assert daemon.rows("SELECT * FROM tickets") == [], "within its grace"
    daemon.restart()
    (ticket,) = until(lambda: daemon.cli("tickets", "list", "--json"), "a ticket")
    (row,) = daemon.rows("SELECT * FROM tickets")
    assert row["first_seen_at"] == violation["first_seen_at"], "the restart did not reset it"
    assert row["opened_at"] - row["first_seen_at"] >= GRACE * 1_000_000
    assert (ticket["key"], ticket["scope"], ticket["severity"]) == ("site-up", "watch", "critical")
    assert ticket["message"] == f"{url}: connection refused"
    until(lambda: [one for one in daemon.notes() if one["key"] == "site-up"], "an alert")
    assert "Ticket 1 of site-up: acknowledged." in daemon.cli("tickets", "ack", "1", "--note", "on it")

    server = serve(port)
    try:
        until(lambda: not daemon.cli("tickets", "list", "--json"), "it is resolved")
    finally:
        server.kill()
        server.wait()
    shown = daemon.cli("tickets", "show", "1", "--json")
    assert [one["what"] for one in shown["history"]] == ["opened", "acknowledged", "resolved"]
    assert shown["history"][-1]["why"] == f"holds again: {url} answered 200"
    assert daemon.stop() == 0
    assert "no ticket 9 (the newest is 1)" in daemon.cli("tickets", "show", "9", code=1)
    assert "resolved" in daemon.cli("tickets", "list", "--all")


def test_a_daemon_killed_in_the_middle_of_checks_neither_doubles_nor_forgets_a_ticket(
    daemon: Daemon,
) -> None:
    flag = daemon.folder / "flag"
    daemon.jobs(f"""
        watch:
          every: 1s
          run: invariants
          with: {{invariants: {{flag: {{up: {{command: "test -e {flag}"}}}}}}}}
    """)
    daemon.start()
    until(lambda: daemon.rows("SELECT * FROM tickets WHERE count > 1"), "a ticket that was seen twice")
    for _ in range(2):
        daemon.kill()
        daemon.start()
    (ticket,) = daemon.rows("SELECT * FROM tickets")
    until(
        lambda: daemon.rows("SELECT * FROM tickets WHERE count > ?", ticket["count"]), "it goes on being seen"
    )
    assert [row["id"] for row in daemon.rows("SELECT * FROM tickets")] == [1]
    flag.touch()
    until(lambda: daemon.rows("SELECT * FROM tickets WHERE status = 'resolved'"), "it is resolved")


def test_a_problem_that_cannot_be_seen_any_more_has_not_recovered(daemon: Daemon) -> None:
    number = daemon.folder / "number"
    number.write_text("9")
    daemon.jobs(f"""
        watch:
          every: 1s
          run: invariants
          with: {{invariants: {{queue: {{command: {{run: "cat {number}", above: 5}}}}}}}}
    """)
    daemon.start()

    def problems(key: str) -> list[dict[str, object]]:
        return daemon.rows("SELECT * FROM problems WHERE key = ?", key)

    until(lambda: problems("queue"), "the problem is open")
    number.unlink()
    until(lambda: problems("cannot_observe:queue"), "that it cannot be observed is a problem, too")
    seen = len(daemon.runs("watch", "succeeded"))
    daemon.wait_for("watch", "succeeded", count=seen + 3)
    (problem,) = problems("queue")
    assert problem["ended_at"] is None
    number.write_text("5")
    until(lambda: all(one["ended_at"] for one in problems("queue")), "it is over")
    until(lambda: all(one["ended_at"] for one in problems("cannot_observe:queue")), "so is this")
