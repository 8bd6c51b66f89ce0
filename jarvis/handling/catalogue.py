"""Which handlers are there, and what does each one ask for?

Folders are looked at in order and the first file of a name wins: the user's own, then the shipped ones,
then those that installed packages publish under the entry point group ``jarvis.handlers``. A file that
cannot be used is in the catalogue too, with the reason, and heals when it is saved again.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import jarvis
from jarvis import errors
from jarvis.config import safety
from jarvis.core import fields
from jarvis.handling import mount, probe
from jarvis.handling.contract import Broken, Handler

GROUP = "jarvis.handlers"
SHIPPED = "shipped"

Finding = tuple[tuple[str | int, ...], str, str | None]
Stamp = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A file that claims a handler's name."""

    name: str
    origin: str
    path: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """What a file was when it was last read. ``source``: of a shipped one that nobody has asked for yet."""

    stamp: Stamp
    handler: Handler
    source: bytes | None = None


class Catalogue:
    """The handlers of some folders: ``[("user", Path), ("shipped", Path)]``.

    Files of the origin ``shipped`` are imported when they are asked for: most jobs need few of them, and a daemon
    would carry all. Any other file is first imported by a child process, so that one that ends, crashes or hangs its
    process never does so here.
    """

    def __init__(self, folders: Sequence[tuple[str, Path]], *, entry_points: bool = True) -> None:
        self._folders = tuple(folders)
        # Packages are installed into a process that has ended, so these are looked for once.
        self._published = tuple(published()) if entry_points else ()
        self._lock = threading.Lock()
        self._seen: dict[Path, _Seen] = {}
        self._shared: dict[Path, dict[Path, Stamp]] = {}
        self._handlers: dict[str, Handler] = {}
        self.refresh()

    def refresh(self) -> frozenset[str]:
        """Look at the folders again; the names whose definition is not what it was (also new or gone).

        1. A file of others that others can write is refused: not even imported.
        2. A file whose stamp is the same is not read; one whose content is the same is not imported again.
        3. New content is probed in a child, then imported; the first file of each name wins.
        """
        with self._lock:
            before, places = self._handlers, list(self._places())
            unsafe = {place.path: reason for place in places if (reason := _unsafe(place))}
            self._forget_shared()
            self._read([place for place in places if place.path not in unsafe and self._stale(place)])
            self._seen = {place.path: self._seen[place.path] for place in places if place.path in self._seen}
            self._handlers = self._mounted(places, unsafe)
            return frozenset(
                name
                for name in before.keys() | self._handlers.keys()
                if before.get(name) != self._handlers.get(name)
            )

    @property
    def folders(self) -> list[Path]:
        """Where it looks."""
        return [folder for _origin, folder in self._folders]

    @property
    def fingerprint(self) -> str:
        """Same text, same handlers: over the names, places and contents of all."""
        known = [handler for _, handler in sorted(self._handlers.items())]
        lines = [f"{one.name}\0{one.path}\0{one.digest}\0{one.broken}" for one in known]
        return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def handlers(self) -> list[Handler]:
        """All of them by name, the broken ones too."""
        return [self.get(name) for name in self.names()]

    def load(self, names: Iterable[str]) -> None:
        """Import these now, so that no run waits for it; those that are not there are passed over."""
        for name in self._handlers.keys() & set(names):
            self.get(name)

    def names(self) -> list[str]:
        return sorted(self._handlers)

    def get(self, name: str) -> Handler:
        """The handler, ready to be called. Raises NotFound with the nearest name."""
        found = self.known(name)
        seen = self._seen.get(found.path)
        return found if seen is None or seen.source is None else self._loaded(found)

    def known(self, name: str) -> Handler:
        """What is known of it without importing it: its file and its kind. Raises NotFound with the nearest name."""
        if (handler := self._handlers.get(name)) is not None:
            return handler
        near = get_close_matches(name, self._handlers, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(self.names()) or 'none'}"
        raise errors.NotFound(f"no handler {name!r}; {hint}")

    def is_python(self, name: str) -> bool:
        """Its function is called (True), or it names a program to start (False)."""
        return self.known(name).kind == "python"

    def why_broken(self, name: str) -> str | None:
        """Why it cannot run, in words; None when it can."""
        return self.get(name).broken

    def check(self, name: str, values: Mapping[str, Any]) -> list[Finding]:
        """What is wrong with ``with:`` values: where, what, what to do. A broken handler finds nothing."""
        handler = self.get(name)
        return [] if handler.broken or handler.form is None else handler.form.check(values)

    def form_schema(self, name: str) -> dict[str, Any]:
        """Its form as JSON Schema; a broken handler's form takes anything."""
        handler = self.get(name)
        return {"type": "object"} if handler.broken or handler.form is None else handler.form.schema()

    def _places(self) -> Iterable[Place]:
        for origin, folder in self._folders:
            for path in sorted(folder.glob("*.py")):
                if _is_handler(path):
                    yield Place(name=path.stem, origin=origin, path=path)
        yield from self._published

    def _forget_shared(self) -> None:
        """When a file that handlers share (``_name.py``) changed, all of its folder are loaded anew."""
        for _, folder in self._folders:
            now = {path: _stamp(path) for path in folder.glob("_*.py")}
            if self._shared.get(folder, now) != now:
                mount.forget(folder)
                self._seen = {path: seen for path, seen in self._seen.items() if path.parent != folder}
            self._shared[folder] = now

    def _stale(self, place: Place) -> bool:
        seen = self._seen.get(place.path)
        return seen is None or seen.stamp != _stamp(place.path)

    def _read(self, places: Sequence[Place]) -> None:
        fresh: list[tuple[Place, Stamp, bytes]] = []
        for place in places:
            stamp, seen = _stamp(place.path), self._seen.get(place.path)
            try:
                source = mount.read(place.path)
            except Broken as error:
                self._seen[place.path] = _Seen(stamp=stamp, handler=_broken(place, str(error), b""))
                continue
            if seen and seen.handler.digest == mount.digest(source) and not seen.handler.broken:
                self._seen[place.path] = replace(seen, stamp=stamp)
            else:
                fresh.append((place, stamp, source))
        self._import(fresh)

    def _import(self, fresh: Sequence[tuple[Place, Stamp, bytes]]) -> None:
        deadly = probe.deadly([place.path for place, _, _ in fresh if place.origin != SHIPPED])
        for place, stamp, source in fresh:
            reason = deadly.get(place.path)
            if place.origin == SHIPPED:
                self._seen[place.path] = _Seen(stamp=stamp, handler=_unread(place, source), source=source)
                continue
            handler = _broken(place, f"{place.path}: {reason}", source) if reason else _load(place, source)
            self._seen[place.path] = _Seen(stamp=stamp, handler=handler)

    def _loaded(self, found: Handler) -> Handler:
        """A shipped one, imported; whoever comes at the same time waits."""
        with self._lock:
            seen = self._seen.get(found.path)
            if seen is not None and seen.source is not None:
                place = Place(name=found.name, origin=found.origin, path=found.path)
                handler = _load(place, seen.source)
                self._seen[found.path] = _Seen(stamp=seen.stamp, handler=handler)
                if (current := self._handlers.get(found.name)) is not None and current.path == found.path:
                    self._handlers[found.name] = replace(handler, shadows=current.shadows)
            return self._handlers.get(found.name, found)

    def _mounted(self, places: Sequence[Place], unsafe: Mapping[Path, str]) -> dict[str, Handler]:
        mounted: dict[str, Handler] = {}
        for place in places:
            reason = unsafe.get(place.path)
            handler = _broken(place, reason, _text(place.path)) if reason else self._seen[place.path].handler
            if (winner := mounted.get(place.name)) is None:
                mounted[place.name] = handler
            elif winner.shadows is None:
                mounted[place.name] = replace(winner, shadows=f"{place.origin}: {place.path}")
        return mounted


def folders(beside: Path, more: Iterable[str] = ()) -> list[tuple[str, Path]]:
    """Where to look: the ``more`` of the settings, ``handlers/`` beside jobs.yaml (made later, too), the shipped."""
    last = shipped()
    own = [*map(Path, more), beside / "handlers"]
    found = [("user", folder) for folder in own if folder.resolve() != last.resolve()]
    return [*found, (SHIPPED, last)]


def shipped() -> Path:
    """The folder of the handlers that come with Jarvis: in the package when installed, else beside it."""
    package = Path(jarvis.__file__).parent
    installed = package / "_handlers"
    return installed if installed.is_dir() else package.parent / "handlers"


def published() -> Iterable[Place]:
    """The handlers of installed packages. One whose module is not there is a file that cannot be read."""
    for point in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda point: point.name):
        try:
            spec = importlib.util.find_spec(point.module)
        except Exception:
            spec = None
        owner = point.dist.name if point.dist else point.module
        file = spec.origin if spec is not None and spec.origin else point.module
        yield Place(name=point.name, origin=owner, path=Path(file))


def _is_handler(path: Path) -> bool:
    """Files for the handlers' author (``_shared.py``, ``test_x.py``) are no handlers."""
    private = path.name.startswith(("_", ".", "test_")) or path.name == "conftest.py"
    return not private and re.fullmatch(fields.NAME, path.stem) is not None and path.is_file()


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode, found.st_uid, found.st_gid)


def _unsafe(place: Place) -> str | None:
    """Why a file is not even read. Shipped ones are as safe as the rest of Jarvis."""
    if place.origin == SHIPPED:
        return None
    try:
        safety.check(place.path)
    except errors.Unsafe as error:
        return str(error)
    return None


def _text(path: Path) -> bytes:
    try:
        return mount.read(path)
    except Broken:
        return b""


def _load(place: Place, source: bytes) -> Handler:
    try:
        handler = mount.load(place.path, name=place.name, origin=place.origin, source=source)
        if handler.form is not None and handler.form.parameters:
            _ = (
                handler.form.checker
            )  # a type that cannot be checked breaks the handler now, not at its first run
    except Broken as error:
        return _broken(place, str(error), source)
    return handler


def _unread(place: Place, source: bytes) -> Handler:
    kind, digest = mount.kind(source), mount.digest(source)
    return Handler(name=place.name, path=place.path, origin=place.origin, kind=kind, digest=digest)


def _broken(place: Place, reason: str, source: bytes) -> Handler:
    return mount.broken(place.path, reason, name=place.name, origin=place.origin, source=source)
