"""Which instances does this user have? Every daemon leaves a note on the disk; nothing lives only in a memory."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from jarvis.config import instance as instances
from jarvis.config.instance import Instance

FOLDER = "siblings"


def note(instance: Instance, environ: Mapping[str, str] = os.environ) -> None:
    """Remember that this instance exists, and forget those whose state directory is gone. Raises OSError."""
    folder = instances.root(environ) / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest = hashlib.sha256(os.fsencode(instance.state)).hexdigest()[:16]
    path = folder / f"{digest}.json"
    part = folder / f"{digest}.{os.getpid()}"
    said = {"name": instance.name, "config": str(instance.config), "state": str(instance.state)}
    part.write_text(json.dumps(said | {"chosen": instance.chosen}), encoding="utf-8")
    part.chmod(0o600)
    part.replace(path)
    for other in folder.glob("*.json"):
        known = _read(other)
        if other != path and (known is None or not known.state.is_dir()):
            other.unlink(missing_ok=True)


def known(environ: Mapping[str, str] = os.environ) -> list[Instance]:
    """Those whose state directory is still there, by name and state."""
    found = [_read(path) for path in (instances.root(environ) / FOLDER).glob("*.json")]
    there = [one for one in found if one is not None and one.state.is_dir()]
    return sorted(there, key=lambda one: (one.name, str(one.state)))


def _read(path: Path) -> Instance | None:
    """None when the note cannot be read: then the instance's next start writes it anew."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Instance(
            name=str(said["name"]),
            config=Path(said["config"]),
            state=Path(said["state"]),
            chosen=bool(said["chosen"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
