"""What cannot be watched as it should, and who hears of it? A trouble in ``status``, and an alert when it begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jarvis.core.clockfacts import Reading
from jarvis.running.trouble import Troubles
from jarvis.running.watch.watched import Watched
from jarvis.store import journal
from jarvis.store.database import Database
from jarvis.store.journal import Note

PREFIX = "watch:"


class Faults:
    """Folders that cannot be read, and changes that the system does not tell. Each is named by its job."""

    def __init__(self, database: Database, troubles: Troubles) -> None:
        self._database = database
        self._troubles = troubles

    def hear(self, deaf: Mapping[Watched, str], every: Iterable[Watched], now: Reading) -> None:
        """Those that cannot be told by the system (``deaf``, with the reason) look for themselves."""
        for watched in every:
            why = deaf.get(watched)
            if why and not watched.deaf:
                watched.verify_at = now.awake
            watched.deaf = why is not None
            if why:
                text = f"{watched.title}: {why}; it is looked at every few seconds instead"
                self._note(watched, text, now)
            elif not watched.blind:
                self.forget(watched)

    def see(self, watched: Watched, now: Reading) -> None:
        """Some of it could not be read, or all of it could."""
        if watched.blind:
            more = f" (and {len(watched.blind) - 1} more)" if len(watched.blind) > 1 else ""
            text = f"{watched.blind[0]}{more}: changes there are not noticed until it can be read"
            self._note(watched, text, now)
        elif not watched.deaf:
            self.forget(watched)

    def forget(self, watched: Watched) -> None:
        """Nothing is wrong with what is watched."""
        self._troubles.clear(_name(watched))

    def _note(self, watched: Watched, text: str, now: Reading) -> None:
        name = _name(watched)
        if name in self._troubles.current():
            self._troubles.note(name, text, now.wall_at)
            return
        note = Note(
            at=now.wall_at, severity="medium", key=PREFIX + watched.job, job=watched.job,
            title=f"{watched.job}: what it watches cannot be watched as it should", text=text,
        )  # fmt: skip
        with self._database.write() as connection:
            journal.add(connection, [note])
        self._troubles.note(name, text, now.wall_at)


def _name(watched: Watched) -> str:
    """A job may have several watches."""
    return f"{PREFIX}{watched.job} ({watched.title})"
