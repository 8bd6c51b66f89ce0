"""Ask every rule, and tell what they match.

Rules come from jobs.yaml and from the ledger (``jarvis rules``); of two with one name that of jobs.yaml counts. What
a rule matches is told, and then not again before its cooldown is over. When it was told is remembered in the same
transaction in which the alert is stored: a run that is killed has neither told nor remembered. A rule that cannot
be asked is told too, and the others are asked all the same.

Parameters:
    rules: rules of this job, beside those of the ledger
    stored: ask the rules of the ledger, too
    database: an existing database with the tables delegations, decisions and facts, instead of Jarvis' own
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from jarvis import Context, GiveUp, Secret
from jarvis.core import matching
from jarvis.core import rules as forms
from jarvis.core.matching import Decision, Delegation, Found, Match
from jarvis.core.rules import Rule
from jarvis.errors import JarvisError

SHOWN = 3
"""So many matches of a rule stand in the run's result; the alert and the output have more."""
LONGEST_KEY = 40


class Memory(Protocol):
    """The memory tables, wherever they are."""

    def due(self) -> Iterable[Delegation]: ...

    def pending(self) -> Iterable[Decision]: ...

    def value(self, category: str, key: str) -> str | None: ...


@dataclass(kw_only=True)
class Verdict:
    """What became of one rule. ``word``: quiet, told, suppressed or failed."""

    rule: str
    word: str = "quiet"
    count: int = 0
    lines: Sequence[str] = ()
    why: str = ""

    def text(self) -> str:
        if self.word == "failed":
            return f"{self.rule}: could not be asked: {self.why}"
        cooling = " (in cooldown)" if self.word == "suppressed" else ""
        head = f"{self.rule}: {self.count} {'match' if self.count == 1 else 'matches'}{cooling}"
        return "\n".join([head, *(f"  {line}" for line in self.lines)])


def run(
    ctx: Context,
    *,
    rules: forms.Rules = [],  # noqa: B006 (never changed; shown as the form's default)
    stored: bool = True,
    database: str | Secret | None = None,
) -> tuple[str, dict[str, float]]:
    memory = tables(ctx, database)
    verdicts: list[Verdict] = []
    names: set[str] = set()
    for rule in chosen(ctx, rules, stored, names, verdicts):
        verdict = judged(ctx, rule, memory)
        verdicts.append(verdict)
        print(verdict.text(), flush=True)
    forget(ctx, names)
    return said(verdicts), numbers(verdicts)


def tables(ctx: Context, database: str | Secret | None) -> Memory:
    """Jarvis' own memory tables, or those of another database."""
    if database is None:
        return ctx.known
    from jarvis.store import elsewhere, outside

    url = database.reveal() if isinstance(database, Secret) else database
    try:
        outside.check(url)
    except JarvisError as error:
        raise GiveUp(f"database: {error}") from None
    return elsewhere.Elsewhere(url, ctx.now.tzinfo)


def chosen(
    ctx: Context, declared: list[Rule], stored: bool, names: set[str], verdicts: list[Verdict]
) -> Iterator[Rule]:
    """The rules to ask: those of the job, then those of the ledger. ``names`` gets them all, asked or not."""
    names |= {rule.name for rule in declared}
    own = set(names)
    yield from (rule for rule in declared if rule.enabled)
    for kept in ctx.rules.all() if stored else ():
        names.add(kept.name)
        if kept.name in own:
            ctx.log.warning("the rule of jobs.yaml counts, not the one of the ledger", rule=kept.name)
        elif kept.enabled and kept.rule is None:
            verdicts.append(failed(ctx, kept.name, kept.severity, f"it cannot be read: {kept.broken}"))
        elif kept.enabled and kept.rule is not None:
            yield kept.rule


def judged(ctx: Context, rule: Rule, memory: Memory) -> Verdict:
    """One rule: asked, compared with what was told, and told."""
    try:
        found = matching.gather(asked(ctx, rule, memory))
    except (JarvisError, ValueError, OverflowError) as error:
        return failed(ctx, rule.name, rule.severity, str(error))
    found = shortened(found)
    telling = matching.telling(found, remembered(ctx, rule.name), rule.cooldown, ctx.now)
    verdict = Verdict(rule=rule.name, count=found.count, lines=found.words(found.counts, SHOWN))
    if telling.fresh:
        verdict.word = "told"
        count = sum(found.counts[key] for key in telling.fresh)
        lines = found.words(telling.fresh)
        # No key: a rule's own cooldown says when it may be told again, nobody else's.
        ctx.alert("\n".join(lines), severity=rule.severity, title=headline(rule, count, lines))
    elif found.count:
        verdict.word = "suppressed"
    remember(ctx, rule.name, telling.told)
    return verdict


def asked(ctx: Context, rule: Rule, memory: Memory) -> Iterator[Match]:
    """What the rule matches. Raises JarvisError or ValueError when it cannot be asked."""
    today = ctx.now.date()
    match rule:
        case forms.OverdueDelegation():
            return matching.overdue(memory.due(), rule, today)
        case forms.UpcomingDeadline():
            return matching.upcoming(memory.due(), rule, today)
        case forms.StaleDecision():
            return matching.stale(memory.pending(), rule, today, ctx.now.tzinfo)
        case forms.StaleBackup():
            return matching.backup(memory.value(*rule.fact.split("/", 1)), rule, ctx.now)
        case forms.JobRule():
            return matching.job(ctx.rules.history(rule.job), rule, ctx.now)
        case forms.SqlRule():
            return matching.sql(queried(ctx, rule), rule)
        case forms.MetricRule():
            return matching.metric(ctx.rules.readings(rule.metric, ctx.now - rule.window, ctx.now), rule)


def queried(ctx: Context, rule: forms.SqlRule) -> list[dict[str, Any]]:
    """The rows of its query; when there are more than its limit, that is said."""
    from jarvis.store import outside

    url = expanded(rule.url) if rule.url else ctx.rules.url
    rows = outside.ask(url, rule.query, within=rule.timeout, limit=rule.limit + 1)
    if len(rows) > rule.limit:
        ctx.log.warning("the query has more rows than are looked at", rule=rule.name, limit=rule.limit)
    return rows[: rule.limit]


def expanded(url: str) -> str:
    """The URL with the variables of the environment as they are now. Raises ValueError for one that is not set."""
    from jarvis.config.expand import Expansion

    expansion = Expansion(environ=os.environ)
    found = str(expansion.value(url))
    if expansion.problems:
        _, message, hint = expansion.problems[0]
        raise ValueError(f"url: {message}" + (f" ({hint})" if hint else ""))
    return found


def failed(ctx: Context, name: str, severity: str, why: str) -> Verdict:
    """A rule that cannot be asked is a problem until it can: nobody may think that all is well."""
    ctx.alert(
        f"{why}\nUntil it can be asked, nobody is told of what it looks for.",
        key=f"rule:{name}",
        severity=severity,
        title=f"rule {name} could not be asked: {why}",
    )
    return Verdict(rule=name, word="failed", why=why)


def headline(rule: Rule, count: int, lines: Sequence[str]) -> str:
    """One match says itself; several are counted."""
    if count == 1:
        return f"{rule.name}: {lines[0]}"[:300]
    nouns = {
        "overdue_delegation": "delegations are overdue",
        "upcoming_deadline": "deadlines are near",
        "pending_decision": "decisions wait to be executed",
        "stale_decision": "decisions wait to be executed",
    }
    return f"{rule.name}: {count} {nouns.get(rule.kind, 'matches')}"


def shortened(found: Found) -> Found:
    """Long keys by their digest: what is remembered stays small."""
    names = {
        key: key if len(key) <= LONGEST_KEY else hashlib.sha256(key.encode()).hexdigest()[:32]
        for key in found.counts
    }
    return Found(
        count=found.count,
        counts={names[key]: count for key, count in found.counts.items()},
        texts={names[key]: texts for key, texts in found.texts.items()},
    )


# What was told, kept with the alert.


def mark(name: str) -> str:
    return f"alert_eval:{name}"


def remembered(ctx: Context, name: str) -> dict[str, datetime]:
    kept = ctx.memory.get(mark(name), {})
    return {key: datetime.fromisoformat(at) for key, at in kept.items()}


def remember(ctx: Context, name: str, told: Any) -> None:
    """Only what is still of use: a key whose cooldown is over may be forgotten, the newest stays for people to see."""
    known = remembered(ctx, name)
    newest = max(known.items(), key=lambda one: one[1], default=None)
    kept = dict(told) or (dict([newest]) if newest else {})
    if kept:
        ctx.memory[mark(name)] = {key: at.isoformat() for key, at in kept.items()}


def forget(ctx: Context, names: set[str]) -> None:
    """Rules that are gone are new ones when they come back."""
    known = {mark(name) for name in names}
    for key in [key for key in ctx.memory if key.startswith(mark("")) and key not in known]:
        del ctx.memory[key]


# What the run says.


def said(verdicts: Sequence[Verdict]) -> str:
    counted = {word: sum(one.word == word for one in verdicts) for word in ("told", "suppressed", "failed")}
    head = f"{len(verdicts)} evaluated, {counted['told']} triggered, {counted['suppressed']} suppressed"
    if counted["failed"]:
        head += f", {counted['failed']} failed"
    return "\n".join([head, *(one.text() for one in verdicts if one.word != "quiet")])


def numbers(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """``matches.NAME`` of each rule that could be asked: for plots and metric rules."""
    found = {
        "evaluated": float(len(verdicts)),
        "triggered": float(sum(one.word == "told" for one in verdicts)),
        "suppressed": float(sum(one.word == "suppressed" for one in verdicts)),
        "failed": float(sum(one.word == "failed" for one in verdicts)),
    }
    return found | {f"matches.{one.rule}": float(one.count) for one in verdicts if one.word != "failed"}
