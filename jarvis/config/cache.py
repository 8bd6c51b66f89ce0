"""Did nothing change since the configuration was last read?

One file, 0600: a checksum, a header of what the reading depended on, and each job as a line of JSON. If
contents, included folders, expanded variables, time zone, user, handlers and program are the same, the jobs
need no YAML parser and no validation; each is built when somebody asks for it. A cache that is damaged or old
is not used.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pydantic

from jarvis.config import documents, safety
from jarvis.config.configuration import Reading, Seed
from jarvis.config.documents import Gathering
from jarvis.core.config import Slots
from jarvis.errors import Problem

FORMAT = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What the cache remembered and found still true."""

    reading: Reading
    files: tuple[Path, ...]
    folders: tuple[Path, ...]
    fingerprint: str
    doubts: list[Problem]


def key(path: Path, *, zone: str, mark: str) -> str:
    """Everything a reading depends on besides the files and the environment, as one text."""
    return json.dumps([FORMAT, os.path.abspath(path), str(path), zone, mark, os.geteuid(), _program()])


def fingerprint(digests: Iterable[str], used: Mapping[str, str | None]) -> str:
    """Same text, same configuration: over the contents of the files and the variables in them."""
    return _hash(json.dumps([list(digests), sorted(_hashed(used).items())]))


def recall(file: Path, key: str, environ: Mapping[str, str]) -> Kept | None:
    """The last reading, if everything it depended on is as it was."""
    try:
        checksum, _, rest = file.read_bytes().partition(b"\n")
        if checksum != _checksum(rest):
            return None
        head, _, texts = rest.partition(b"\n")
        header = json.loads(head)
        if header["key"] != key or not _unchanged(header, environ):
            return None
        return _kept(header, texts.decode())
    except (OSError, ValueError, LookupError, TypeError, documents.NotRegular):
        return None


def remember(file: Path, key: str, found: Gathering, reading: Reading) -> list[Problem]:
    """Write the cache in one step. One that cannot be written costs time only: the problem is a doubt."""
    head = json.dumps(_header(key, found, reading)).encode()
    data = b"\n".join([head, *(text.encode() for text in reading.texts.values())])
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        with open(fresh, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
            out.write(_checksum(data) + b"\n" + data)
        os.replace(fresh, file)
    except OSError as error:
        message = f"the cache of the jobs cannot be written: {error.strerror}"
        return [Problem(file=str(file), message=message, hint="the next start is slower; is the disk full?")]
    return []


def _header(key: str, found: Gathering, reading: Reading) -> dict[str, Any]:
    return {
        "key": key,
        "files": [[str(one.path), one.digest] for one in found.documents],
        "folders": [[str(folder), names] for folder, names in found.folders.items()],
        "used": _hashed(found.used),
        "store": reading.store,
        "slots": reading.slots.model_dump(),
        "alerts": reading.alerts,
        "settings": reading.file_settings,
        "names": list(reading.texts),
        "prints": list(reading.fingerprints.values()),
        "python": sorted(reading.python),
        "lines": _columns(reading.lines.values()),
        "broken": reading.broken,
        "doubts": [asdict(one) for one in reading.doubts],
        "seeds": [asdict(one) for one in reading.seeds],
    }


def _columns(lines: Iterable[tuple[str, int]]) -> list[list[Any]]:
    """Runs of [file, lines]: the jobs of one file stand together."""
    columns: list[list[Any]] = []
    for file, line in lines:
        if not columns or columns[-1][0] != file:
            columns.append([file, []])
        columns[-1][1].append(line)
    return columns


def _kept(header: Mapping[str, Any], texts: str) -> Kept:
    names = header["names"]
    lines = [(file, line) for file, some in header["lines"] for line in some]
    reading = Reading(
        store=header["store"],
        slots=Slots.model_validate(header["slots"]),
        alerts=header["alerts"],
        file_settings=header["settings"],
        texts=dict(zip(names, texts.split("\n") if names else (), strict=True)),
        python=set(header["python"]),
        fingerprints=dict(zip(names, header["prints"], strict=True)),
        lines=dict(zip(names, lines, strict=True)),
        broken=header["broken"],
        doubts=[Problem(**one) for one in header["doubts"]],
        seeds=[Seed(**one) for one in header["seeds"]],
    )
    files = tuple(Path(file) for file, _ in header["files"])
    doubts = [doubt for file in files if (doubt := safety.stranger(file))]
    return Kept(
        reading=reading,
        files=files,
        folders=tuple(Path(folder) for folder, _ in header["folders"]),
        fingerprint=_hash(
            json.dumps([[digest for _, digest in header["files"]], sorted(header["used"].items())])
        ),
        doubts=doubts,
    )


def _unchanged(header: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    """The files say the same, nobody else can write them, folders and variables are as they were."""
    for file, digest in header["files"]:
        path = Path(file)
        if hashlib.sha256(documents.content(path)).hexdigest() != digest or safety.problems(path):
            return False
    if any(list(documents.listing(Path(folder))) != names for folder, names in header["folders"]):
        return False
    used: dict[str, str | None] = header["used"]
    return _hashed({name: environ.get(name) for name in used}) == used


def _hashed(used: Mapping[str, str | None]) -> dict[str, str | None]:
    return {name: None if value is None else _hash(value) for name, value in used.items()}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _checksum(data: bytes) -> bytes:
    return b"%08x %d" % (zlib.crc32(data), len(data))


@cache
def _program() -> str:
    """This program, as far as it decides what a job is: any other version reads for itself."""
    package = Path(documents.__file__).parent.parent
    stats = [
        (path.name, about.st_size, about.st_mtime_ns)
        for room in ("config", "core", "core/schedule")
        for path in sorted((package / room).glob("*.py"))
        for about in [path.stat()]
    ]
    return _hash(f"{pydantic.VERSION} {stats}")
