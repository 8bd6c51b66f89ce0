"""What becomes of an alert? One thread: new rows of the journal, the policy's verdict, messages in the outbox.

Verdict, problem and messages are one transaction: killed before it the rows are still new, killed after it the
messages are in the outbox. It is woken after commits; by itself it looks when a digest is due, and every few seconds
while something may have to be said that no commit tells of.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from jarvis.core import alert as alerts
from jarvis.core import later, policy
from jarvis.core.alert import Alert
from jarvis.core.policy import Decision, Judged
from jarvis.core.stages import Answer, World
from jarvis.core.telling import Alerts
from jarvis.errors import StoreError
from jarvis.store import alerts as judged_alerts
from jarvis.store import crashpoint, docket, journal
from jarvis.store.database import Database
from jarvis.store.journal import Note

log = logging.getLogger("jarvis.alerts")

BATCH = 500
LOOK_EVERY = 5.0
LONGEST_WAIT = 60.0
"""Seconds that a digest is waited for at once: the wall clock may be set meanwhile."""
GATHER = 1.0
"""Seconds in which alerts that come together are put together."""

Look = Callable[[datetime], Sequence[Note]]
"""Asked every few seconds for what nobody else would say, such as that a run has not started."""


class Dispatcher:
    """Judges alerts; ``wake`` may be called from any thread, everything else is one thread's.

    ``said`` is called after messages were put into the outbox, ``trouble`` with why judging does not work
    now (None: it does), ``unjudged`` with an alert that the policy could not be asked about, ``opened`` with
    the problems (job, key) that are open. ``looks`` are asked in each round; while ``busy`` says so, there is one every
    few seconds.
    """

    def __init__(
        self,
        *,
        database: Database,
        now: Callable[[], datetime],
        rules: Callable[[], Alerts],
        zone: str,
        said: Callable[[], None] = lambda: None,
        trouble: Callable[[str | None], None] = lambda why: None,
        unjudged: Callable[[Alert, str], None] = lambda alert, why: None,
        opened: Callable[[Iterable[tuple[str, str]]], None] = lambda known: None,
        looks: Sequence[Look] = (),
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self.rounds = 0
        self._database = database
        self._now = now
        self._rules = rules
        self._zone = zone
        self._said = said
        self._trouble = trouble
        self._unjudged = unjudged
        self._opened = opened
        self._looks = looks
        self._busy = busy
        self._unwritten: list[Note] = []
        self._wait: float | None = LOOK_EVERY
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="jarvis-alerts", daemon=True)

    def start(self) -> None:
        """Begin with what was left unjudged."""
        self._woken.set()
        self._thread.start()

    def stop(self, within: timedelta) -> None:
        """No further round; what is not judged is judged after the next start."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(within.total_seconds())

    def drain(self, within: timedelta) -> None:
        """Wait until everything that is new has been judged: for a process that ends soon."""
        self.wake()
        until = time.monotonic() + within.total_seconds()
        while time.monotonic() < until:
            with self._database.read() as connection:
                if not docket.new(connection, 1):
                    return
            time.sleep(0.02)

    def wake(self) -> None:
        """There is something new in the journal."""
        self._woken.set()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            if self._woken.wait(self._wait):
                self._stopping.wait(GATHER)
                self._woken.clear()
            if self._stopping.is_set():
                return
            self._wait = LOOK_EVERY
            try:
                wait = self.round(self._now())
            except StoreError as error:
                self._trouble(str(error))
            except Exception as error:
                log.exception("alerts could not be judged; it is tried again")
                self._trouble(f"{type(error).__name__}: {error}")
            else:
                self._trouble(None)
                self._wait = LOOK_EVERY if self._busy() else wait
            self.rounds += 1

    def round(self, now: datetime) -> float | None:
        """Look, judge what is new or silenced no more, tell what was held until now and what nobody acknowledged.

        Returns in how many seconds the next round is needed, if nobody asks for one before (None: never).
        """
        self._look(now)
        said = self._judge_all(now)
        again, ends_at = self._unsilence(now)
        if again:
            said = self._judge_all(now) or said
        told, due_at = self._digest(now)
        escalated, unheard = self._escalate(now)
        if said or told or escalated:
            self._said()
        if unheard:
            return LOOK_EVERY
        next_at = min((at for at in (due_at, ends_at) if at is not None), default=None)
        return None if next_at is None else min(max((next_at - now).total_seconds(), GATHER), LONGEST_WAIT)

    def _look(self, now: datetime) -> None:
        for look in self._looks:
            try:
                self._unwritten += look(now)
            except StoreError:
                raise
            except Exception:
                log.exception("something could not be looked at; the rest goes on")
        if self._unwritten:
            with self._database.write() as connection:
                journal.add(connection, self._unwritten)
            for note in self._unwritten:
                log.warning("alert %s %s", note.severity, note.title)
            self._unwritten = []

    def _judge_all(self, now: datetime) -> bool:
        """Judge everything that is new; whether that made messages."""
        said = False
        while not self._stopping.is_set() and (count := self._judge(now)) is not None:
            said = said or count > 0
        return said

    def _judge(self, now: datetime) -> int | None:
        """Judge one batch: how many messages that made, or None when there was nothing to judge."""
        with self._database.read() as connection:
            if not docket.new(connection, 1):
                return None
        try:
            return self._judge_batch(now, BATCH)
        except StoreError:
            raise
        except Exception:
            log.exception("a batch of alerts could not be judged as a whole; each is judged by itself")
            return self._judge_singly(now)

    def _judge_batch(self, now: datetime, size: int) -> int:
        with self._database.write() as connection:
            new = docket.new(connection, size)
            crashpoint.here("alerts.before-verdict")
            judged = policy.judge(
                new, docket.problems_about(connection, new), self._world(connection, new, now)
            )
            judged_alerts.settle(connection, judged, now)
            crashpoint.here("alerts.in-transaction")
        crashpoint.here("alerts.after-verdict")
        if log.isEnabledFor(logging.DEBUG):
            for one in judged.decisions:
                log.debug("alert %d is %s: %s", one.alert.id, one.verdict, one.steps[-1])
        self._opened((one.job or "", one.key) for one in judged.problems.values() if one.ended_at is None)
        return len(judged.messages)

    def _judge_singly(self, now: datetime) -> int:
        """One at a time; the one that cannot be judged is set aside and said without the policy."""
        try:
            return self._judge_batch(now, 1)
        except StoreError:
            raise
        except Exception as error:
            why = f"could not be judged: {type(error).__name__}: {error}"
            with self._database.write() as connection:
                (bad,) = docket.new(connection, 1)
                decision = Decision(alert=bad)
                decision.end("dropped", Answer(stage="policy", word="drop", why=why))
                judged_alerts.settle(connection, Judged(decisions=[decision]), now)
            self._unjudged(bad, why)
            return 0

    def _world(self, connection: docket.Transaction, new: Sequence[Alert], now: datetime) -> World:
        rules = self._rules()
        repeats = [alert.wanted.repeat for alert in new if alert.wanted.repeat is not None]
        since = now - max([rules.repeat, *repeats])
        prints = {alert.fingerprint for alert in new if alert.fingerprint and alert.kind == "problem"}
        most = (rules.storm + BATCH) * max(1, len(rules.channels))
        return World(
            now=now,
            rules=rules,
            zone=self._zone,
            silences=docket.current_silences(connection, now),
            waiting=docket.waiting(connection),
            held=docket.held(connection),
            flaps=docket.flaps(connection, prints, since),
            noticed=docket.noticed(connection, new, since),
            said=[at for at in docket.said_since(connection, now - rules.cycle, most) if at <= now],
        )

    def _unsilence(self, now: datetime) -> tuple[int, datetime | None]:
        """How many alerts are to be judged again because no silence in force matches them any more; and when the next
        silence ends, if one keeps something from being said."""
        with self._database.read() as connection:
            quiet = docket.silenced(connection)
            silences = docket.current_silences(connection, now) if quiet else []
        ends_at = min((one.until_at for one in silences), default=None)
        if not later.unsilenced(quiet, World(now=now, silences=silences)):
            return 0, ends_at
        with self._database.write() as connection:
            silences = docket.current_silences(connection, now)
            found = later.unsilenced(docket.silenced(connection), World(now=now, silences=silences))
            again = judged_alerts.judge_again(connection, found)
        crashpoint.here("alerts.unsilenced")
        return again, ends_at

    def _digest(self, now: datetime) -> tuple[bool, datetime | None]:
        """What was held until now, in one message a channel; and when the next one is due."""
        with self._database.read() as connection:
            due_at = docket.next_digest(connection)
        if due_at is None or due_at > now:
            return False, due_at
        with self._database.write() as connection:
            held = docket.due_for_digest(connection, now)
            numbers = {alert.problem_id for alert in held if alert.problem_id is not None}
            world = World(now=now, rules=self._rules(), zone=self._zone)
            judged = later.digest(held, docket.open_problems(connection, numbers), world)
            judged_alerts.settle(connection, judged, now)
            due_at = docket.next_digest(connection)
        return bool(judged.messages), due_at

    def _escalate(self, now: datetime) -> tuple[bool, bool]:
        """Whether somebody was told; and whether there is something that nobody acknowledged."""
        rules = self._rules()
        if rules.escalate is None:
            return False, False
        least = alerts.rank(rules.escalate.severity)
        with self._database.read() as connection:
            candidates = docket.unacknowledged(connection, alerts.SEVERITIES[least:])
        if not candidates:
            return False, False
        with self._database.write() as connection:
            candidates = docket.unacknowledged(connection, alerts.SEVERITIES[least:])
            world = World(
                now=now, rules=rules, zone=self._zone, held=docket.held(connection),
                silences=docket.current_silences(connection, now),
            )  # fmt: skip
            messages, problems = later.escalate(candidates, world)
            for message in messages:
                judged_alerts.say(connection, message, message.problem, now)
            judged_alerts.escalated(connection, problems)
        return bool(messages), True
