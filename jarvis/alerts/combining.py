"""What is sent when several messages wait for one channel?

One alone goes as it is. Several go together as one message of bounded length, the most severe first; what does not fit
is counted. The result of a job is never only counted: what has no room waits for the next message.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jarvis.alerts.message import EMOJI, RECOVERED, SEVERITIES, Message, cut
from jarvis.store.deliveries import Delivery

TOGETHER = 3_500
"""Characters of a combined message: what the narrowest services take as one."""
TEXT = 300
"""Characters of one alert's text in it."""
ROOM_FOR_THE_COUNT = 60


def message(rows: Sequence[Delivery]) -> Message:
    """One message of these rows, the oldest first; ``Message.ids`` says which of them it takes along."""
    tests = [row for row in rows if row.kind == "test"]
    if tests:
        return _alone(tests[0])
    if len(rows) == 1:
        return _alone(rows[0])
    ordered = worst_first(rows)
    taken, parts, untold = _fitting(ordered)
    if len(taken) == 1:
        return _alone(taken[0])
    severity = max((row.severity for row in taken), key=_rank)
    more = f"\n\n… and {untold} more: 'jarvis alerts list' shows them" if untold else ""
    return Message(
        title=_title(taken),
        body="\n\n".join(parts) + more,
        severity=severity,
        kind="combined",
        at=max(row.created_at for row in taken),
        ids=tuple(sorted(row.id for row in taken)),
        count=len(taken),
    )


def worst_first(rows: Iterable[Delivery]) -> list[Delivery]:
    """The most severe first; what is about one problem stays together and in its order."""
    listed = list(rows)
    worst: dict[tuple[str, int], tuple[int, int]] = {}
    for row in listed:
        key = _about(row)
        rank, first = worst.get(key, (0, row.id))
        worst[key] = max(rank, _rank(row.severity)), min(first, row.id)
    return sorted(listed, key=lambda row: (-worst[_about(row)][0], worst[_about(row)][1], row.id))


def _about(row: Delivery) -> tuple[str, int]:
    return ("problem", row.problem_id) if row.problem_id is not None else ("row", row.id)


def _fitting(ordered: Sequence[Delivery]) -> tuple[list[Delivery], list[str], int]:
    """Which rows go along, what is said of those that fit, and how many of them are only counted."""
    taken: list[Delivery] = []
    parts: list[str] = []
    room, untold = TOGETHER - ROOM_FOR_THE_COUNT, 0
    for row in ordered:
        result = row.kind == "result"
        said = _part(row, row.body if result else cut(row.body, TEXT))
        if len(said) + 2 <= room or not taken:
            taken.append(row)
            parts.append(said)
            room -= len(said) + 2
        elif not result:
            taken.append(row)
            untold += 1
    return taken, parts, untold


def _part(row: Delivery, text: str) -> str:
    sign = RECOVERED if row.kind == "recovery" else EMOJI.get(row.severity, EMOJI["medium"])
    return f"{sign} {row.subject}\n{text}".rstrip()


def _title(rows: Sequence[Delivery]) -> str:
    counts = []
    for severity in reversed(SEVERITIES):
        if count := sum(row.severity == severity for row in rows):
            counts.append(f"{count} {severity}")
    return f"{len(rows)} messages: {', '.join(counts)}"


def _alone(row: Delivery) -> Message:
    return Message(
        title=row.subject,
        body=row.body,
        severity=row.severity,
        kind=row.kind,
        at=row.created_at,
        ids=(row.id,),
        run_id=row.run_id,
    )


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else 2
