"""How is an alert, its end or a digest of many said to a person? Subject and body, bounded in size."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from jarvis.core import alert as alerts
from jarvis.core.alert import Alert, Problem
from jarvis.core.duration import spell

TITLE_SHOWN = 200
TEXT_SHOWN = 3_000
LINES = 40
LAST_LINES = 15
LAST_SHOWN = 1_500
JOBS_SHOWN = 20
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def alert(group: Sequence[Alert], problem: Problem | None, now: datetime) -> tuple[str, str]:
    """Subject and body of one alert, or of several with one cause."""
    if len(group) > 1:
        return _several(group, now)
    one = group[0]
    subject = cut(one.title, TITLE_SHOWN)
    text = _beyond(one)
    parts = [cut(text, TEXT_SHOWN)] if text else []
    if problem is not None and problem.count > problem.wanted.times and problem.told:
        lasted = length(problem.last_at - problem.first_at)
        subject = f"still: {subject}"
        parts.append(f"It has gone on for {lasted}, {problem.count} times.")
    elif problem is not None and problem.count > 1:
        parts.append(f"{problem.count} times in a row.")
    if since := _silenced(one, problem.first_at if problem is not None else one.at, now):
        parts.append(f"It began {since}.")
    return subject, "\n\n".join([*parts, _look(one, problem)]).strip()


def _silenced(one: Alert, since: datetime, now: datetime) -> str:
    """When what a silence kept from being said began."""
    if one.wanted.times:
        return ""
    return f"{length(now - since)} ago ({since:%Y-%m-%d %H:%M:%S} UTC), while it was silenced"


def _beyond(one: Alert) -> str:
    """An alert's text without a first line that its title says already."""
    first, _, rest = one.text.strip().partition("\n")
    said = f": {one.title}".endswith(f": {first.strip()}")
    return rest.strip("\n") if said else one.text.strip()


def _look(one: Alert, problem: Problem | None) -> str:
    said = [f"jarvis runs show {one.run_id}"] if one.run_id is not None else []
    if problem is not None:
        said.append(f"jarvis alerts ack {problem.alert_id or one.id}")
    return " · ".join(said)


def _several(group: Sequence[Alert], now: datetime) -> tuple[str, str]:
    jobs = list(dict.fromkeys(one.job or "jarvis" for one in group))
    about = _plural(len(jobs), "job") if len(jobs) > 1 else f"{jobs[0]}: {len(group)} alerts"
    first = group[0]
    cause = first.title.removeprefix(f"{first.job}: ") if first.job else first.title
    lines = [f"- {cut(one.title, TITLE_SHOWN)}{_since(one, now)}{_below(one)}" for one in group[:LINES]]
    if len(group) > LINES:
        rest = list(dict.fromkeys(one.job or "jarvis" for one in group[LINES:]))
        lines.append(f"and {len(group) - LINES} more: {_some(rest)}")
    return cut(f"{about}: {cause}", TITLE_SHOWN), "\n".join(lines)


def _since(one: Alert, now: datetime) -> str:
    return f" ({since})" if (since := _silenced(one, one.at, now)) else ""


def _below(one: Alert) -> str:
    """The last line of an alert's text, when that says more than its title."""
    last = (_beyond(one).splitlines() or [""])[-1].strip()
    return f"\n  {cut(last, TITLE_SHOWN)}" if last else ""


def last_words(output: str) -> str:
    """The end of what a program wrote: whole lines if they are not too long, without colours."""
    lines = _COLOUR.sub("", output.lstrip("\ufffd")).rstrip().splitlines()[-LAST_LINES:]
    text = "\n".join(line.rstrip() for line in lines).strip("\n")
    if len(text) <= LAST_SHOWN:
        return text
    kept = text[1 - LAST_SHOWN :]
    whole = kept.partition("\n")[2]
    return whole or f"…{kept}"


def over_title(problem: Problem) -> str:
    """``over after 12m: backup: failed: exit code 3``."""
    return f"over after {_lasted(problem)}: {cut(problem.title, TITLE_SHOWN)}"


def over(problem: Problem) -> tuple[str, str]:
    """Subject and body of a recovery notice."""
    times = f", {problem.count} times" if problem.count > 1 else ""
    why = f"\n{problem.ended_why}" if problem.ended_why else ""
    return f"over: {cut(problem.title, TITLE_SHOWN)}", f"It lasted {_lasted(problem)}{times}.{why}"


def _lasted(problem: Problem) -> str:
    return length((problem.ended_at or problem.last_at) - problem.first_at)


def escalation(late: Sequence[Problem], after: timedelta, now: datetime) -> tuple[str, str]:
    """Subject and body for those who hear of it because nobody else answered."""
    subject = cut(late[0].title, TITLE_SHOWN) if len(late) == 1 else _plural(len(late), "problem")
    lines = [
        f"- {cut(one.title, TITLE_SHOWN)} (for {length(now - one.first_at)}; jarvis alerts ack {one.alert_id})"
        for one in late[:LINES]
    ]
    if len(late) > LINES:
        lines.append(f"and {len(late) - LINES} more: jarvis alerts list --open")
    return f"nobody acknowledged for {spell(after)}: {subject}", "\n".join(lines)


def digest(held: Sequence[Alert], still: Collection[int]) -> tuple[str, str, str]:
    """Subject, body and severity of what was held: the most severe first, the same ones counted."""
    found: dict[object, list[Alert]] = {}
    for one in held:
        found.setdefault(one.problem_id or (one.job, one.kind, alerts.root(one.title)), []).append(one)
    groups = sorted(found.values(), key=lambda group: (-_worst(group), group[0].id))
    lines = [_line(group, still) for group in groups[:LINES]]
    if len(groups) > LINES:
        lines.append(_rest([one for group in groups[LINES:] for one in group]))
    counts = Counter(one.severity for one in held)
    said = ", ".join(f"{counts[word]} {word}" for word in reversed(alerts.SEVERITIES) if counts[word])
    worst = alerts.SEVERITIES[max(_worst(group) for group in groups)]
    were = "was" if len(held) == 1 else "were"
    return f"{_plural(len(held), 'alert')} {were} held ({said})", "\n".join(lines), worst


def _worst(group: Sequence[Alert]) -> int:
    return max(alerts.rank(one.severity) for one in group)


def _line(group: Sequence[Alert], still: Collection[int]) -> str:
    last = group[-1]
    times = f" ({len(group)} times)" if len(group) > 1 else ""
    state = ""
    if last.kind == "problem" and last.problem_id is not None:
        state = " - still so" if last.problem_id in still else " - over by now"
    return f"- {last.severity}: {cut(last.title, TITLE_SHOWN)}{times}{state}"


def _rest(held: Sequence[Alert]) -> str:
    counts = Counter(one.job or "jarvis" for one in held)
    return f"and {len(held)} more: {_some([f'{job} {count}' for job, count in counts.most_common()])}"


def _some(words: Sequence[str]) -> str:
    more = f" and {len(words) - JOBS_SHOWN} others" if len(words) > JOBS_SHOWN else ""
    return ", ".join(words[:JOBS_SHOWN]) + more


def _plural(count: int, one: str) -> str:
    return f"{count:,} {one}" if count == 1 else f"{count:,} {one}s"


def length(lasted: timedelta) -> str:
    """``45s``, ``12m30s``, ``3h5m``, ``2d4h``: two units are enough."""
    seconds = max(0, round(lasted.total_seconds()))
    for large, small in ((86_400, 3_600), (3_600, 60)):
        if seconds >= large:
            return spell(timedelta(seconds=seconds - seconds % small))
    return spell(timedelta(seconds=seconds))


def cut(text: str, most: int) -> str:
    """At most so many characters, the last of them an ellipsis when something is missing."""
    flat = text.strip()
    return flat if len(flat) <= most else flat[: most - 1] + "…"
