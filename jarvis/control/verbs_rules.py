"""What can be asked about rules? Which there are and when each was told; they can be added, switched and removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jarvis.control import plain
from jarvis.control.desk import Desk
from jarvis.control.plain import Misfit
from jarvis.core import duration
from jarvis.core import rules as forms
from jarvis.errors import NotFound, Refused
from jarvis.store import outside, readings
from jarvis.store.rules import Rules, Stored

HANDLER = "alert_eval"
PLAIN = (
    "the password of its url is stored in the ledger as it is: rather write it as ${NAME}, a variable of the"
    " environment that is read when the rule is asked, or keep it in ~/.pgpass"
)


def listing(desk: Desk) -> list[dict[str, Any]]:
    """All rules by name: those of the ledger, and those that jobs.yaml gives a job of ``alert_eval``."""
    told = Rules(desk.database).told()
    found = [_kept(one) for one in Rules(desk.database).all()] + list(_declared(desk))
    own = {one["name"] for one in found if one["job"]}
    for one in found:
        one["told_at"] = plain.instant(told.get(one["name"]))
        one["hidden"] = one["job"] is None and one["name"] in own
    return sorted(found, key=lambda one: (one["name"], one["job"] or ""))


def show(desk: Desk, *, name: str) -> dict[str, Any]:
    """One rule: its condition, and when it was told."""
    found = [one for one in listing(desk) if one["name"] == name]
    if not found:
        raise NotFound(readings.nearest("rule", name, sorted({one["name"] for one in listing(desk)})))
    return min(found, key=lambda one: one["hidden"])


def add(
    desk: Desk,
    *,
    name: str,
    kind: str,
    condition: dict[str, Any] = {},  # noqa: B006 (never changed; shown as the form's default)
    severity: str = "medium",
    cooldown: str = "4h",
    enabled: bool = True,
    replace: bool = False,
) -> dict[str, Any]:
    """Keep a rule in the ledger; every job of ``alert_eval`` asks it from then on.

    Parameters:
        condition: the parameters of its kind, such as days_overdue
        cooldown: told again only after this long
        replace: put it in the place of one of the same name
    """
    basics = {"name": name, "kind": kind, "severity": severity, "cooldown": cooldown, "enabled": enabled}
    if taken := [one for one in condition if one in basics]:
        raise Misfit(f"{taken[0]} is no condition of a rule; say it by itself")
    try:
        rule = forms.read(condition | basics)
    except ValueError as error:
        raise Misfit(f"rule {name}: {error}") from None
    url = rule.url if isinstance(rule, forms.SqlRule) else None
    if url and not outside.REFERENCE.search(url):
        outside.check(url)
    Rules(desk.database).add(rule, at=desk.now(), replace=replace)
    return show(desk, name=name) | {"warning": PLAIN if url and outside.plain_password(url) else None}


def enable(desk: Desk, *, name: str) -> dict[str, Any]:
    """Ask a rule of the ledger again."""
    return _switch(desk, name, True)


def disable(desk: Desk, *, name: str) -> dict[str, Any]:
    """Do not ask a rule of the ledger until it is enabled."""
    return _switch(desk, name, False)


def remove(desk: Desk, *, name: str) -> dict[str, Any]:
    """Forget a rule of the ledger."""
    _of_the_ledger(desk, name)
    Rules(desk.database).remove(name)
    return {"name": name, "removed": True}


def _switch(desk: Desk, name: str, enabled: bool) -> dict[str, Any]:
    _of_the_ledger(desk, name)
    Rules(desk.database).switch(name, enabled=enabled)
    return {"name": name, "enabled": enabled}


def _of_the_ledger(desk: Desk, name: str) -> None:
    kept = {one.name for one in Rules(desk.database).all()}
    if name not in kept and (own := next((one for one in _declared(desk) if one["name"] == name), None)):
        raise Refused(f"rule {name} stands in jobs.yaml, under {own['job']}: change it there")


def _kept(one: Stored) -> dict[str, Any]:
    """A rule of the ledger as people may see it."""
    condition = dict(one.condition)
    if isinstance(condition.get("url"), str):
        condition["url"] = outside.shown(condition["url"])
    return {
        "name": one.name,
        "kind": one.kind,
        "job": None,
        "condition": condition,
        "severity": one.severity,
        "cooldown": one.cooldown,
        "enabled": one.enabled,
        "broken": one.broken,
        "created_at": plain.instant(one.created_at),
    }


def _declared(desk: Desk) -> Iterator[dict[str, Any]]:
    """The rules of jobs.yaml, as the jobs on the timetable have them."""
    for name, line in desk.lines.items():
        body: Mapping[str, Any] = line.entry.body
        if body.get("run") != HANDLER or line.entry.state == "retired":
            continue
        for rule in (body.get("with") or {}).get("rules") or ():
            condition = {key: value for key, value in rule.items() if key not in forms.BASICS}
            if isinstance(condition.get("url"), str):
                condition["url"] = outside.shown(condition["url"])
            yield {
                "name": rule["name"],
                "kind": rule["kind"],
                "job": name,
                "condition": condition,
                "severity": rule.get("severity", "medium"),
                "cooldown": rule.get("cooldown", duration.spell(forms.COOLDOWN)),
                "enabled": rule.get("enabled", True),
                "broken": None,
                "created_at": None,
            }
