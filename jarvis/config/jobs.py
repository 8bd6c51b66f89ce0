"""Is this job right, and if not, what is wrong with it?

One job at a time, without files or lines: findings are paths inside the job's own mapping. ``load`` gives
them addresses; a job that arrives by a verb is judged by the same code (``one``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from pydantic import ValidationError

from jarvis.config import expand, explain, rights
from jarvis.config.explain import Finding
from jarvis.core import config, contradictions, fields, schedule, triggers
from jarvis.core import when as when_of
from jarvis.core.job import Job, JobSpec
from jarvis.errors import ConfigError, Problem

COMMAND = "command"
_NAME = re.compile(fields.NAME)
_NEARLY = ("did you mean 'run'?", "did you mean 'command'?")
_NUMBERS = {"int_type": "int", "float_type": "float", "bool_type": "bool"}


class Handlers(Protocol):
    """What the configuration asks about handlers."""

    def names(self) -> Iterable[str]: ...

    def is_python(self, name: str) -> bool: ...

    def why_broken(self, name: str) -> str | None: ...

    def check(
        self, name: str, values: Mapping[str, Any]
    ) -> list[tuple[tuple[str | int, ...], str, str | None]]: ...

    def form_schema(self, name: str) -> dict[str, Any]: ...


@dataclass(kw_only=True, slots=True)
class Judged:
    """A job, or why there is none. ``broken``: its handler cannot be used right now, the job stays."""

    job: Job | None = None
    findings: list[Finding] = field(default_factory=list)
    doubts: list[Finding] = field(default_factory=list)
    broken: str | None = None
    python: bool = False


@dataclass(kw_only=True, slots=True)
class Judge:
    """What a job is judged by. ``zone``: where nothing else is said; ``uid``: who will start the processes."""

    handlers: Handlers
    zone: str
    uid: int
    _known: frozenset[str] | None = None
    _broken: dict[str, str | None] = field(default_factory=dict)
    _python: dict[str, bool] = field(default_factory=dict)
    _texts: dict[str, list[str]] = field(default_factory=dict)

    def judge(
        self,
        name: str,
        body: Mapping[str, Any],
        defaults: Mapping[str, Any],
        changed: frozenset[tuple[str | int, ...]] = frozenset(),
    ) -> Judged:
        """Everything about one job. ``changed``: paths whose text came out of ``${VAR}``."""
        result = Judged()
        clash = contradictions.which(body)
        if clash:
            result.findings.append(Finding(*clash))
        self._handler(body, result)
        thread = result.python and (body.get("in") or defaults.get("in")) == "thread"
        whole = config.merge(
            contradictions.concerning(defaults, python=result.python, thread=thread), dict(body)
        )
        whole.setdefault("timezone", self.zone)
        spec = _validated(whole, changed, result.findings) or _rest(whole, result.findings)
        if spec is None:
            return result
        if not clash:
            clashes = contradictions.clashes(spec, body, python=result.python)
            result.findings += [Finding(*one) for one in clashes]
        elif any(found.hint in _NEARLY for found in result.findings):
            result.findings.remove(Finding(*clash))
        if "process" in whole:
            result.findings += [Finding(*one) for one in rights.clashes(spec.process, uid=self.uid)]
        made = spec.resolve(name, timezone=self.zone, python=result.python)
        self._schedules(made, result)
        if not result.findings:
            result.job = made
        return result

    def _handler(self, body: Mapping[str, Any], result: Judged) -> None:
        name = body.get("run")
        if not isinstance(name, str) or body.get("command") is not None:
            return
        if self._known is None:
            self._known = frozenset(self.handlers.names())
        if name not in self._known:
            result.findings.append(Finding(("run",), *explain.unknown(name, self._known, what="handler")))
            return
        if name not in self._broken:
            self._broken[name] = self.handlers.why_broken(name)
            self._python[name] = self._broken[name] is not None or self.handlers.is_python(name)
        result.broken, result.python = self._broken[name], self._python[name]
        values = body.get("with") or {}
        if result.broken is None and isinstance(values, dict):
            found = self.handlers.check(name, values)
            result.findings += [
                Finding(("with", *path), message, hint, key=len(path) == 1) for path, message, hint in found
            ]

    def _schedules(self, made: Job, result: Judged) -> None:
        try:
            schedule.find_zone(made.timezone)
        except schedule.ScheduleError as error:
            result.findings.append(Finding(("timezone",), error.message, error.hint))
            return
        found = len(result.findings)
        for path, when in _entries(made.spec):
            self._schedule(path, when, made, result)
        if found == len(result.findings) and (made.spec.from_ or made.spec.until):
            self._bounds(made, result)

    def _schedule(self, path: tuple[str | int, ...], when: when_of.When, made: Job, result: Judged) -> None:
        if when.on is not None:
            found = triggers.mistakes(when.on)
            result.findings += [
                Finding((*path, *more), f"on: {message}", hint) for more, message, hint in found
            ]
        text = when.cron
        try:
            if text is None:
                schedule.for_when(when, made.timezone, made.spec.dst)
                return
            if text not in self._texts:
                schedule.check(text)
                self._texts[text] = schedule.warnings(text)
        except schedule.ScheduleError as error:
            result.findings.append(Finding(path, f"{path[-1]}: {error.message}", error.hint))
            return
        result.doubts += [Finding(path, f"{path[-1]}: {text!r} {doubt}") for doubt in self._texts[text]]

    def _bounds(self, made: Job, result: Judged) -> None:
        try:
            schedule.for_job(made)
        except schedule.ScheduleError as error:
            result.findings.append(
                Finding(("until" if made.spec.until else "from",), error.message, error.hint)
            )


def one(
    name: str, body: Mapping[str, Any], *, handlers: Handlers, zone: str, uid: int, source: str = "the job"
) -> Job:
    """A job that arrives by a verb, not from a file. Raises ConfigError with everything wrong with it."""
    findings = [Finding((), *bad) for bad in [name_problem(name)] if bad]
    judged = Judge(handlers=handlers, zone=zone, uid=uid).judge(name, body, {})
    findings += judged.findings
    if judged.broken:
        findings.append(Finding(("run",), judged.broken))
    if findings or judged.job is None:
        raise ConfigError(
            [
                Problem(file=source, job=explain.quote(name)[1:-1], message=f.message, hint=f.hint)
                for f in findings
            ]
        )
    return judged.job


def name_problem(name: str) -> tuple[str, str | None] | None:
    """Why this cannot be a job's name, and a name that could."""
    if _NAME.fullmatch(name) and name.strip(".") and not name.startswith("-"):
        return None
    plain = unicodedata.normalize("NFKD", name[:200]).encode("ascii", "ignore").decode()
    better = re.sub(r"[^A-Za-z0-9._]+", "-", plain).strip("-.")[:64]
    rule = "a name has 1 to 64 of A-Z a-z 0-9 . _ - and does not begin with -"
    return f"{explain.quote(name)} cannot be a job's name", f"{rule}; try {better!r}" if better else rule


def defaults(
    value: Mapping[str, Any], changed: frozenset[tuple[str | int, ...]] = frozenset()
) -> tuple[dict[str, Any], list[Finding]]:
    """What ``defaults:`` gives to every job, and what is wrong with it: that is left out, and said once."""
    later = [name for name in value if name in config.NOT_DEFAULTS]
    findings = [
        Finding((name,), f"{name} belongs to a job, not to defaults", "move it", key=True) for name in later
    ]
    rest = {name: part for name, part in value.items() if name not in later and part is not None}
    _validated(rest, changed, findings)
    zone = rest.get("timezone")
    try:
        if isinstance(zone, str):
            schedule.find_zone(zone)
    except schedule.ScheduleError as error:
        findings.append(Finding(("timezone",), error.message, error.hint))
    wrong = {finding.path[0] for finding in findings if finding.path}
    return {name: part for name, part in rest.items() if name not in wrong}, findings


def bounds(made: Job) -> Iterator[tuple[str, tuple[str | int, ...], datetime]]:
    """The moments after which a job is over: (``at`` or ``until``, its path, the instant)."""
    for path, when in _entries(made.spec):
        if when.at is not None:
            yield "at", path, schedule.instant(when.at, made.timezone)
    if made.spec.until is not None:
        yield "until", ("until",), schedule.instant(made.spec.until, made.timezone)


def _entries(spec: JobSpec) -> Iterator[tuple[tuple[str | int, ...], when_of.When]]:
    """The schedules with where they are written, shorthand ones first (as in ``JobSpec.when``)."""
    short = [kind for kind in when_of.KINDS if getattr(spec, kind) is not None]
    for path, when in zip([(kind,) for kind in short], spec.when(), strict=False):
        yield path, when
    for index, when in enumerate(spec.schedules):
        kind = next(kind for kind in when_of.KINDS if getattr(when, kind) is not None)
        yield ("schedules", index, kind), when


def _validated(
    whole: dict[str, Any], changed: frozenset[tuple[str | int, ...]], findings: list[Finding]
) -> JobSpec | None:
    try:
        return JobSpec.model_validate(whole, by_alias=True, by_name=False)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    for one in errors:
        path, wanted = explain.place(one, whole), _NUMBERS.get(one["type"])
        if wanted and path in changed:
            _replace(whole, path, expand.meant(one["input"], wanted))
    if changed:
        return _validated(whole, frozenset(), findings)
    findings += explain.findings(errors, whole, JobSpec)
    return None


def _rest(whole: Mapping[str, Any], findings: list[Finding]) -> JobSpec | None:
    """The job without the fields that are wrong, so that what is wrong with the others is said too."""
    wrong = {finding.path[0] for finding in findings if finding.path}
    rest = {name: value for name, value in whole.items() if name not in wrong}
    try:
        return JobSpec.model_validate(rest, by_alias=True, by_name=False)
    except ValidationError:
        return None


def _replace(whole: dict[str, Any], path: tuple[str | int, ...], value: Any) -> None:
    """Put a value where an expanded text was; mappings on the way may be the defaults' own and are copied."""
    inner: Any = whole
    for step in path[:-1]:
        part = inner[step]
        inner[step] = dict(part) if isinstance(part, dict) else list(part)
        inner = inner[step]
    inner[path[-1]] = value
