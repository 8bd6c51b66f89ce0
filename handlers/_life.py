"""What do `health`, `tasks` and `patterns` share? Where their values come from, and how findings are told once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from jarvis import Context, Secret, Skip
from jarvis.core import findings
from jarvis.core.findings import Finding, entity
from jarvis.errors import StoreError
from jarvis.handling.block import Block

if TYPE_CHECKING:
    from jarvis.core.tasks import Task
    from jarvis.core.wellbeing import Day
    from jarvis.sources.fallback import Answer, Source
    from jarvis.store.breakers import Breakers

T = TypeVar("T")
MEMORY = "told"


@dataclass(frozen=True, kw_only=True)
class Wearable(Block):
    """Where the days of a wearable come from: a database that copies them, then the Oura API."""

    token: Secret | None = None
    url: str = "https://api.ouraring.com"
    cache: str | Secret | None = None
    table: str = "wearable"
    columns: dict[str, str | None] = field(default_factory=dict)
    query: str | None = None
    max_age: timedelta = timedelta(hours=12)
    timeout: timedelta = timedelta(seconds=10)
    tries: int = 3

    def sources(self, now: datetime, days: int) -> Sequence[Source[tuple[Day, ...]]]:
        """Who is asked for today and the ``days`` before it, in this order."""
        from jarvis.sources import wearable

        api = None
        if self.token is not None:
            from jarvis.sources import oura

            api = oura.Oura(token=self.token.reveal(), url=self.url, timeout=self.timeout, tries=self.tries)
        where = wearable.Wearable(
            cache=plain(self.cache), table=self.table, columns=self.columns, query=self.query, api=api,
            timeout=self.timeout,
        )  # fmt: skip
        return wearable.sources(where, now, days)


@dataclass(frozen=True, kw_only=True)
class Tasklist(Block):
    """Where the tasks come from: a database that copies them, then the task system's own."""

    cache: str | Secret | None = None
    database: str | Secret | None = None
    table: str = "tasks"
    columns: dict[str, str | None] = field(default_factory=dict)
    query: str | None = None
    active: list[str] = field(default_factory=lambda: ["active", "open", "todo", "pending", "in_progress"])
    max_age: timedelta = timedelta(hours=1)
    timeout: timedelta = timedelta(seconds=10)

    def sources(self, now: datetime) -> Sequence[Source[tuple[Task, ...]]]:
        """Who is asked for the tasks, in this order."""
        from jarvis.sources import tasklist

        where = tasklist.Tasklist(
            cache=plain(self.cache), database=plain(self.database), table=self.table, columns=self.columns,
            query=self.query, active=self.active, timeout=self.timeout,
        )  # fmt: skip
        return tasklist.sources(where, now)


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What a part came to: a line and numbers, or why it was not judged."""

    said: str = ""
    numbers: dict[str, float] = field(default_factory=dict)
    skipped: str | None = None

    def __post_init__(self) -> None:
        if self.skipped is not None:
            object.__setattr__(self, "said", f"not judged ({self.skipped})")

    def or_skip(self) -> tuple[str, dict[str, float]]:
        """As a handler returns it. Raises Skip when nothing was judged."""
        if self.skipped is not None:
            raise Skip(self.skipped)
        return self.said, self.numbers


def plain(value: str | Secret | None) -> str | None:
    return value.reveal() if isinstance(value, Secret) else value


def read(ctx: Context, sources: Sequence[Source[T]], max_age: timedelta) -> Answer[T]:
    """The first usable answer. What failed is logged; what only a person can mend is an alert that lasts."""
    from jarvis.sources import fallback

    answer = fallback.ask(sources, breakers(ctx) if sources else None, ctx.now, max_age)
    for line in (*answer.tried, *(answer.got.odd if answer.got else ())):
        ctx.log.warning("%s", line)
    for source, why in answer.mend.items():
        mend(ctx, source, why)
    return answer


def breakers(ctx: Context) -> Breakers | None:
    """Where the ledger cannot be had nobody is kept from asking."""
    try:
        return ctx.breakers
    except StoreError as error:
        ctx.log.warning("without circuit breakers: %s", error)
        return None


def mend(ctx: Context, source: str, why: str) -> None:
    """Tell that a source cannot be observed until a person changes something. One key for a source: reasons vary."""
    text = why if source in why else f"{source}: {why}"
    title = f"{source} cannot be observed"
    ctx.alert(text, key=f"cannot_observe:{entity(source)}", severity="medium", title=title)


def tell(
    ctx: Context, found: Sequence[Finding], known: str, answer: Answer[T], unknown: Sequence[str] = ()
) -> str:
    """Alert what was not told yet today; returns the run's line."""
    said = [known, *told(ctx, found)]
    if unknown:
        said.append(f"not judged: {', '.join(unknown)}")
    said.append(answer.used)
    if answer.tried:
        said.append(f"before that {'; '.join(answer.tried)}")
    if answer.got is not None and answer.got.odd:
        said.append(f"unreadable: {'; '.join(answer.got.odd[:3])}")
    return "; ".join(filter(None, said))


def told(ctx: Context, found: Sequence[Finding]) -> list[str]:
    """Alert what was not told yet today. It is remembered in the transaction that stores the alerts."""
    new, remembered = findings.untold(found, ctx.memory.get(MEMORY), ctx.now.date())
    for one in new:
        ctx.alert(one.text, key=one.key, severity=one.severity, title=one.title, once=True)
    if new:
        ctx.memory[MEMORY] = remembered
    again = len(found) - len(new)
    return [f"{len(new)} told"] * bool(new) + [f"{again} already told"] * bool(again)
