"""Which messages are due, and who sends them? One thread looks, each channel has at most one thread that sends.

Say, then note that it was said: a message is noted as sent in one transaction after its channel accepted it. Killed
before the send, it is sent at the next start; killed between acceptance and note, it is sent once more, never lost.
A channel that is slow, down or broken holds up nobody but its own messages.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jarvis.alerts import combining, noting
from jarvis.alerts.channels import Channels
from jarvis.alerts.message import Message, NotAccepted
from jarvis.alerts.trials import Trials
from jarvis.errors import NotFound, StoreError
from jarvis.store import crashpoint, deliveries
from jarvis.store.breakers import RECOVERY, Breakers
from jarvis.store.database import Database
from jarvis.store.deliveries import Delivery

log = logging.getLogger("jarvis.outbox")

LONGEST_WAIT = timedelta(seconds=5)
"""After a failure, and while something waits: the wall clock may be set meanwhile."""
BATCH = 500
STUCK = timedelta(minutes=10)
"""A send that has not ended after this long is left to itself; there are at most LEFT of those per channel."""
LEFT = 3


def breaker_name(channel: str) -> str:
    """The channel's breaker in the ledger."""
    return f"channel:{channel}"


@dataclass(kw_only=True, slots=True)
class Sending:
    """A send under way. ``since``, ``until``: monotonic seconds; ``overdue``: noted as failed, but not ended."""

    rows: Sequence[Delivery]
    since: float
    until: float
    overdue: bool = False


class Outbox:
    """Empties the outbox. ``wake`` and ``test`` may be called from any thread.

    ``channels``: those of jobs.yaml as it is in force; None while there is no jobs.yaml that can be used: then
    everything waits. ``trouble``: called with why the outbox does not work now (None: it does).
    """

    def __init__(
        self,
        *,
        database: Database,
        channels: Callable[[], Channels | None],
        now: Callable[[], datetime],
        trouble: Callable[[str | None], None] = lambda why: None,
    ) -> None:
        self.breakers = Breakers(database)
        self._database = database
        self._channels = channels
        self._now = now
        self._trouble = trouble
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._sending: dict[str, Sending] = {}
        self._left: dict[str, int] = {}
        self._trials = Trials(database)
        self._thread = threading.Thread(target=self._loop, name="jarvis-outbox", daemon=True)

    def start(self) -> None:
        """Begin with what an earlier daemon left."""
        self._thread.start()

    def stop(self, within: timedelta) -> None:
        """Begin no further send, and wait a moment for those under way: what is not noted now is sent again."""
        until = time.monotonic() + within.total_seconds()
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(within.total_seconds())
        while self.sending() and time.monotonic() < until:
            time.sleep(0.01)

    def drain(self, within: timedelta) -> None:
        """Wait until nothing is due any more, but not for what has to wait: for a process that ends soon."""
        until = time.monotonic() + within.total_seconds()
        while time.monotonic() < until:
            with self._database.read() as connection:
                due = deliveries.due(connection, self._now(), limit=1)
            if not due and not self.sending():
                return
            time.sleep(0.02)

    def wake(self) -> None:
        """There is something new in the outbox, or the channels have changed."""
        self._woken.set()

    def sending(self) -> dict[str, Sending]:
        """The sends under way, by channel."""
        with self._lock:
            return dict(self._sending)

    def test(self, name: str) -> tuple[bool, str]:
        """Send a test message now, whatever the channel's rate and breaker say: was it accepted, and the answer.

        Raises NotFound for an unknown channel.
        """
        channels = self._channels()
        if channels is None:
            raise NotFound("there are no channels while jobs.yaml cannot be used; see 'jarvis check'")
        return self._trials.ask(name, self._now(), channels.patience(name) * 2, self.wake)

    # The outbox' own thread.

    def _loop(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            if self._stopping.is_set():
                return
            wait: timedelta | None = LONGEST_WAIT
            try:
                wait = self.look(self._now())
            except StoreError as error:
                self._trouble(str(error))
            except Exception as error:
                log.exception("the outbox could not be looked at; it is tried again")
                self._trouble(f"{type(error).__name__}: {error}")
            else:
                self._trouble(None)
            self._woken.wait(None if wait is None else max(wait.total_seconds(), 0.01))

    def look(self, now: datetime) -> timedelta | None:
        """Begin every send that may begin; returns when to look again (None: nothing waits). Raises StoreError."""
        self._mind_the_slow(now)
        channels = self._channels()
        if channels is None:
            return None
        with self._database.read() as connection:
            names = deliveries.channels(connection)
        if not names and not self.sending():
            return None
        wait = min([LONGEST_WAIT, *self._deadlines()])
        for name in sorted(names):
            if self._stopping.is_set():
                break
            if name not in channels:
                self._orphaned(name, channels, now)
            elif name not in self.sending():
                wait = min(wait, self._channel(name, channels, now) - now)
        return wait

    def _deadlines(self) -> list[timedelta]:
        now = time.monotonic()
        return [timedelta(seconds=max(0.05, one.until - now)) for one in self.sending().values()]

    def _channel(self, name: str, channels: Channels, now: datetime) -> datetime:
        """Begin this channel's next send, if it may; when to look at it again."""
        with self._database.read() as connection:
            rows = deliveries.due(connection, now, channel=name, limit=BATCH)
            later_at = deliveries.next_at(connection, now, channel=name)
            last_at = deliveries.last_sent_at(connection, name)
        again_at = later_at or now + LONGEST_WAIT
        if not rows:
            return again_at
        free_at = last_at + channels.get(name).rate if last_at is not None and last_at <= now else now
        if free_at > now and not any(row.kind == "test" for row in rows):
            return free_at
        message = combining.message(rows)
        taken = [row for row in rows if row.id in message.ids]
        self._begin(name, channels, message, taken)
        return again_at

    def _begin(self, name: str, channels: Channels, message: Message, rows: Sequence[Delivery]) -> None:
        now = time.monotonic()
        sending = Sending(rows=rows, since=now, until=now + channels.patience(name).total_seconds())
        with self._lock:
            self._sending[name] = sending
        threading.Thread(
            target=self._send,
            args=(name, channels, message, sending),
            name=f"jarvis-channel-{name}",
            daemon=True,
        ).start()

    def _orphaned(self, name: str, channels: Channels, now: datetime) -> None:
        with self._database.read() as connection:
            rows = deliveries.waiting(connection, name)
        noting.orphaned(self._database, name, rows, _others(name, channels), now)

    def _mind_the_slow(self, now: datetime) -> None:
        """A send over its time has failed, whatever it will answer; after STUCK nobody waits for its end any more."""
        channels = self._channels()
        for name, sending in self.sending().items():
            over = time.monotonic() - sending.until
            if over < 0 or channels is None or name not in channels:
                continue
            if not sending.overdue:
                error = NotAccepted(f"it did not answer within {channels.patience(name).total_seconds():g} s")
                noting.refused(self._database, name, sending.rows, error, _others(name, channels), now)
                sending.overdue = True
                self._trials.answer(sending.rows, str(error), accepted=False)
            elif over > STUCK.total_seconds() and self._left.get(name, 0) < LEFT:
                self._left[name] = self._left.get(name, 0) + 1
                self.breakers.forget(breaker_name(name))
                with self._lock:
                    self._sending.pop(name, None)
                log.error("channel %s: a send does not end and is left to itself", name)

    # A channel's thread.

    def _send(self, name: str, channels: Channels, message: Message, sending: Sending) -> None:
        try:
            self._attempt(name, channels, message, sending)
        except Exception:
            log.exception("channel %s: what became of a message could not be noted", name)
        finally:
            with self._lock:
                if self._sending.get(name) is sending:
                    del self._sending[name]
            self._woken.set()

    def _attempt(self, name: str, channels: Channels, message: Message, sending: Sending) -> None:
        import pybreaker

        breaker = self.breakers.get(breaker_name(name), exclude=[_says_nothing])
        crashpoint.here("outbox.before-send")
        try:
            if message.kind == "test":
                said = channels.send(name, message)
                breaker.close()
            else:
                said = breaker.call(channels.send, name, message)
        except pybreaker.CircuitBreakerError:
            self._write(lambda now: self._rest(name, sending.rows, now))
            return
        except NotAccepted as error:
            if not sending.overdue:
                failure, others = error, _others(name, channels)
                self._write(
                    lambda now: noting.refused(self._database, name, sending.rows, failure, others, now)
                )
                self._trials.answer(sending.rows, str(error), accepted=False)
            return
        crashpoint.here("outbox.after-send")
        self._write(lambda now: noting.accepted(self._database, name, sending.rows, said, now))
        crashpoint.here("outbox.after-note")
        self._trials.answer(sending.rows, said, accepted=True)

    def _rest(self, name: str, rows: Sequence[Delivery], now: datetime) -> None:
        """The breaker is open: wait until it lets one call try."""
        state = next((one for one in self.breakers.states() if one.name == breaker_name(name)), None)
        at = (state.changed_at if state.state == "half-open" else state.opened_at) if state else None
        until_at = at + RECOVERY if at is not None and now - RECOVERY < at <= now else now + RECOVERY
        with self._database.write() as connection:
            deliveries.postponed(connection, [row.id for row in rows], until_at)

    def _write(self, write: Callable[[datetime], None]) -> None:
        """Note it, however long the ledger takes; a daemon that ends meanwhile sends the message once more."""
        tries = 0
        while True:
            try:
                return write(self._now())
            except StoreError as error:
                tries += 1
                self._trouble(str(error))
                if self._stopping.wait(min(0.1 * 2**tries, 2.0)):
                    raise


def _says_nothing(error: object) -> bool:
    """The receiver answered: it is there, it only wants something else, or later."""
    return isinstance(error, NotAccepted) and (error.permanent or error.wait is not None)


def _others(name: str, channels: Channels) -> list[str]:
    return [other for other in channels.by_name if other != name]
