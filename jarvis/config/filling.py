"""What do these documents come to, and what is wrong in them?

Walks the files in order, fills a Reading and adds an address to every finding. A finding at a place the YAML
reader already complained about is dropped: one slip, one message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from jarvis.config import chains, channels, explain, secrets
from jarvis.config import jobs as judging
from jarvis.config import settings as settings_of
from jarvis.config.configuration import Reading, Seed
from jarvis.config.documents import Document, Gathering
from jarvis.config.explain import Finding
from jarvis.config.jobs import Handlers, Judge, Judged, bounds, name_problem
from jarvis.core.config import MAIN_ONLY, FileSpec, Settings, Slots, merge
from jarvis.core.job import Job, fingerprint
from jarvis.core.telling import Alerts
from jarvis.errors import Problem

Path_ = tuple[str | int, ...]

MAX_JOBS = 100_000
_KEYS = frozenset(FileSpec.model_fields)
_SCHEME = re.compile(r"([a-z][a-z0-9+]*):/*", re.IGNORECASE)
_SQLITE = re.compile(r"sqlite:///(?=.)", re.IGNORECASE)
_JOB_LIKE = frozenset({"run", "command", "cron", "every", "schedules"})


@dataclass(kw_only=True, slots=True)
class Filling:
    """From documents to a Reading and the jobs; problems are added to the gathering's."""

    gathering: Gathering
    handlers: Handlers
    zone: str
    uid: int
    reading: Reading = field(default_factory=Reading)
    jobs: dict[str, Job] = field(default_factory=dict)
    _where: dict[str, tuple[Document, int]] = field(default_factory=dict)
    _folded: dict[str, str] = field(default_factory=dict)
    _judge: Judge | None = None
    _trapped: set[tuple[str, int, int]] = field(default_factory=set)

    def fill(self) -> None:
        """All documents, the main one first; its defaults hold for the included ones too."""
        self._trapped = {(one.file, one.line, one.column) for one in self.gathering.problems if one.line}
        self._judge = Judge(handlers=self.handlers, zone=self.zone, uid=self.uid)
        common: dict[str, Any] = {}
        for index, document in enumerate(self.gathering.documents):
            self._top(document, main=index == 0)
            own = self._defaults(document)
            if index == 0:
                common = own
            self._jobs(document, own if index == 0 else merge(common, own))
        self._chains()
        if self.gathering.documents:
            self._channels()
        self._counted()

    def _chains(self) -> None:
        """Jobs that follow others, when all are known."""
        found = chains.links(self.jobs)
        for name, finding in chains.mistakes(found, self._where):
            self._add(self._where[name][0], finding, job=name)
        for name, doubt in chains.doubts(found, self.jobs):
            self.reading.doubts.append(self._problem(self._where[name][0], doubt, job=name))

    def _channels(self) -> None:
        main, alerts = self.gathering.documents[0], self.reading.alerts
        for name, found in channels.mistakes(main.value.get("alerts"), alerts, self.jobs):
            place = self._where[name][0] if name else main
            self._add(place, self._at(found, name, place.value["jobs"][name]) if name else found, job=name)
        for path, kind, text in channels.seeds(alerts):
            self._seed(main, kind, text, path, None)

    def _top(self, document: Document, *, main: bool) -> None:
        for name in document.value:
            if name not in _KEYS:
                self._add(document, Finding((name,), *self._unknown(document, name), key=True))
            elif name in MAIN_ONLY and not main:
                hint = "move it there"
                self._add(document, Finding((name,), f"{name} belongs into the main file", hint, key=True))
        if main:
            self._own(document)

    def _unknown(self, document: Document, name: str) -> tuple[str, str | None]:
        value = document.value[name]
        if isinstance(value, dict) and _JOB_LIKE & value.keys():
            return f"no field {explain.quote(name)} in a file", "a job goes under jobs:, indented"
        return explain.unsupported(name) or explain.unknown(name, _KEYS)

    def _own(self, document: Document) -> None:
        value = document.value
        if "jobs" not in value and "include" not in value:
            self._add(document, Finding((), "there is no key jobs", "write at least: jobs: {}"))
        version = value.get("version", 1)
        if version is not None and (version != 1 or isinstance(version, bool)):
            self._add(
                document, Finding(("version",), "version: this program reads version 1", "write version: 1")
            )
        self.reading.store = self._store(document)
        slots = self._part(document, "slots", Slots)
        self.reading.slots = Slots.model_validate(slots)
        self.reading.alerts = self._part(document, "alerts", Alerts)
        kept = self._part(document, "settings", Settings)
        self.reading.file_settings = settings_of.absolute(
            kept, _folder(document.path), self.gathering.environ
        )

    def _part(self, document: Document, name: str, model: type[BaseModel]) -> dict[str, Any]:
        """A mapping of the main file, checked; empty if it is not right."""
        value = document.value.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._add(document, Finding((name,), f"{name}: expected a mapping"))
            return {}
        given = {key: part for key, part in value.items() if part is not None}
        try:
            model.model_validate(given)
        except ValidationError as error:
            for found in explain.findings(
                channels.meant(error.errors(include_url=False), given), given, model
            ):
                words = found.message if found.key else f"{name}.{found.message}"
                self._add(document, found._replace(path=(name, *found.path), message=words))
            return {}
        return given

    def _store(self, document: Document) -> str | None:
        value = document.value.get("store")
        if value is None:
            return None
        if not isinstance(value, str) or not value:
            self._add(document, Finding(("store",), "store: expected the path of an SQLite file"))
            return None
        scheme = _SCHEME.match(value)
        kind = scheme[1].lower() if scheme else "sqlite"
        if kind.startswith("postgres"):
            hint = "leave store out, or name the path of an SQLite file"
            self._add(
                document, Finding(("store",), "store: PostgreSQL is not supported by this version", hint)
            )
        elif kind != "sqlite" or (scheme and not _SQLITE.match(value)) or ":memory:" in value:
            message = "store: expected the path of an SQLite file, or sqlite:///PATH"
            self._add(document, Finding(("store",), message))
        path = _SQLITE.sub("", value)
        return os.path.normpath(_folder(document.path) / os.path.expanduser(path))

    def _defaults(self, document: Document) -> dict[str, Any]:
        """The defaults of one file without those that are wrong."""
        value = document.value.get("defaults")
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._add(document, Finding(("defaults",), "defaults: expected a mapping"))
            return {}
        inside = frozenset(path[1:] for path in document.changed if path[:1] == ("defaults",))
        kept, found = judging.defaults(value, inside)
        for one in found:
            self._add(document, one._replace(path=("defaults", *one.path), message=_of_defaults(one.message)))
        return kept

    def _jobs(self, document: Document, defaults: dict[str, Any]) -> None:
        value = document.value.get("jobs")
        if value is None:
            return
        if not isinstance(value, dict):
            hint = "write a name and a colon, then its fields indented" if isinstance(value, list) else None
            self._add(document, Finding(("jobs",), "jobs: expected a mapping of names to jobs", hint))
            return
        refers = "!secret" in document.source.text or secrets.KEY in document.source.text
        for name, body in value.items():
            if self._named(document, name):
                self._job(document, name, body, defaults, refers=refers)

    def _named(self, document: Document, name: str) -> bool:
        """False for a name somebody else has; a bad name is noted and its job still looked at."""
        if name in self._where:
            other, line = self._where[name]
            message = f"the job {name!r} is already defined in {other.path}:{line}"
            self._add(document, Finding(("jobs", name), message, "rename one of them", key=True))
            return False
        bad = name_problem(name)
        if bad:
            self._add(document, Finding(("jobs", name), *bad, key=True))
        self._where[name] = (document, document.source.at(("jobs", name), key=True)[0])
        twin = self._folded.setdefault(name.casefold(), name)
        if twin != name and not bad:
            other, line = self._where[twin]
            where = f"line {line}" if other is document else f"{other.path}:{line}"
            message = f"{name!r} and {twin!r} ({where}) differ in case only"
            self._add(document, Finding(("jobs", name), message, "rename one of them", key=True))
        return True

    def _job(
        self, document: Document, name: str, body: Any, defaults: dict[str, Any], *, refers: bool
    ) -> None:
        if not isinstance(body, dict):
            hint = (
                "write its fields below it, indented"
                if body is not None
                else "write run: or command: below it"
            )
            self._add(document, Finding(("jobs", name), "a job is a mapping", hint), job=name)
            return
        assert self._judge is not None
        changed = _inside(document.changed, name) if document.changed else frozenset()
        judged = self._judge.judge(name, body, defaults, changed)
        for finding in judged.findings:
            self._add(document, self._at(finding, name, body), job=name)
        for doubt in judged.doubts:
            self.reading.doubts.append(self._problem(document, self._at(doubt, name, body), job=name))
        if judged.job is None:
            return
        self._keep(document, name, judged)
        if refers:
            self._seed_secrets(document, name, body, defaults)

    def _keep(self, document: Document, name: str, judged: Judged) -> None:
        job, reading = judged.job, self.reading
        assert job is not None
        self.jobs[name] = job
        reading.texts[name] = text = job.text()
        reading.fingerprints[name] = fingerprint(text)
        reading.lines[name] = (str(document.path), self._where[name][1])
        if judged.python:
            reading.python.add(name)
        if judged.broken is not None:
            reading.broken[name] = judged.broken
        if job.spec.at or job.spec.until or job.spec.schedules:
            for kind, path, at in bounds(job):
                self._seed(
                    document, "at" if kind == "at" else "until", at.isoformat(), ("jobs", name, *path), name
                )

    def _seed_secrets(
        self, document: Document, name: str, body: Mapping[str, Any], defaults: Mapping[str, Any]
    ) -> None:
        for part in (body, defaults):
            for top in ("env", "stdin", "with"):
                for reference in secrets.references(part.get(top)):
                    path = ("jobs", name, top) if part is body else ("jobs", name)
                    self._seed(document, "secret", reference, path, name)

    def _seed(self, document: Document, kind: Any, text: str, path: Path_, job: str | None) -> None:
        line, column = document.source.at(path, key=True)
        seed = Seed(kind=kind, text=text, file=str(document.path), line=line, column=column, job=job)
        self.reading.seeds.append(seed)

    def _at(self, finding: Finding, name: str, body: Mapping[str, Any]) -> Finding:
        """The finding's path in the document: the job's own field, or the job itself for one of the defaults."""
        own = finding.path and finding.path[0] in body
        path = ("jobs", name, *finding.path) if own else ("jobs", name)
        return finding._replace(path=path, key=finding.key or not own)

    def _add(self, document: Document, finding: Finding, job: str | None = None) -> None:
        places = {(str(document.path), *document.source.at(finding.path, key=key)) for key in (False, True)}
        if places & self._trapped:
            if not finding.key or finding.path[-1] not in explain.UNSUPPORTED:
                return
            kept = [one for one in self.gathering.problems if (one.file, one.line, one.column) not in places]
            self.gathering.problems[:] = kept
        self.gathering.problems.append(self._problem(document, finding, job))

    def _problem(self, document: Document, finding: Finding, job: str | None = None) -> Problem:
        shown = explain.quote(job)[1:-1] if job is not None else None
        return document.source.problem(*finding[:2], job=shown, hint=finding.hint, key=finding.key)

    def _counted(self) -> None:
        count = len(self._where)
        if count > MAX_JOBS:
            message = f"{count:,} jobs; at most {MAX_JOBS:,} are taken"
            self.gathering.problems.append(
                Problem(file=str(self.gathering.documents[0].path), message=message)
            )


def _inside(changed: frozenset[Path_], name: str) -> frozenset[Path_]:
    """The changed paths of one job, as seen from inside it."""
    return frozenset(path[2:] for path in changed if path[:2] == ("jobs", name))


def _of_defaults(message: str) -> str:
    return message if message.startswith("no ") or "defaults" in message else f"defaults: {message}"


def _folder(path: Path) -> Path:
    return Path(os.path.abspath(path)).parent
