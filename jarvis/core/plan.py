"""What changes when jobs.yaml was edited (or read at start)?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MASS = 0.20
"""An edit that makes a larger share of the jobs disappear needs a confirmation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Names of jobs by what happens to them; all sorted."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: int = 0

    @property
    def empty(self) -> bool:
        return not (self.added or self.changed or self.removed)

    def __str__(self) -> str:
        words = [
            f"{len(names)} {what}"
            for names, what in ((self.added, "added"), (self.changed, "changed"), (self.removed, "removed"))
            if names
        ]
        return ", ".join([*words, f"{self.unchanged} unchanged"])


def plan(old: Mapping[str, str], new: Mapping[str, str]) -> Plan:
    """Compare two sets of jobs, each name -> fingerprint."""
    return Plan(
        added=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(sorted(name for name in new.keys() & old.keys() if new[name] != old[name])),
        removed=tuple(sorted(old.keys() - new.keys())),
        unchanged=sum(1 for name in new.keys() & old.keys() if new[name] == old[name]),
    )


def too_many_gone(change: Plan, before: int) -> str | None:
    """Why this plan needs a confirmation: the sentence, or None."""
    gone = len(change.removed)
    if not gone or gone / before <= MASS:
        return None
    names = ", ".join(change.removed[:5]) + (" ..." if gone > 5 else "")
    return (
        f"{gone} of {before} jobs would disappear ({names}); nothing was changed. "
        "If that is meant, say 'jarvis reload --confirm'"
    )
