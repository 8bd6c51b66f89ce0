"""Who is told by the system when something changes, and who has to look for himself?"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import timedelta

from jarvis.running.watch import ears
from jarvis.running.watch.ears import Ear, Hear
from jarvis.running.watch.watched import Watched

TRY_AGAIN = timedelta(minutes=10)
"""So long after the system's limit was reached it is asked again."""

Place = tuple[str, tuple[int, int] | None]
"""A folder, and which one it is: another one may be there under the same name."""


class Hearing:
    """One ear for folders with all that is below them, one for those without; made anew when the folders change."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._ears: dict[bool, Ear] = {}
        self._places: dict[bool, set[Place]] = {}
        self._try_at: timedelta | None = None

    def listen(self, every: Iterable[Watched], extra: str | None, now: timedelta) -> bool:
        """Listen for these watches; True when an ear was made (before the old one was closed: nothing is missed)."""
        every = list(every)
        wanted: dict[bool, set[Place]] = {True: set(), False: {_place(extra)} if extra else set()}
        for watched in every:
            for spot in watched.spots:
                if spot.kind == "folder":
                    wanted[watched.spec.recursive].add((os.fspath(spot.path), spot.identity))
                elif os.path.isdir(spot.path.parent):
                    wanted[False].add(_place(os.fspath(spot.path.parent)))
        patience, made = _patience(every), False
        again = self._try_at is not None and now >= self._try_at
        for recursive, places in wanted.items():
            old = self._ears.get(recursive)
            same = places == self._places.get(recursive, set()) and (old is None or old.patience == patience)
            if same and not again:
                continue
            self._try_at, made = None, True
            folders = [folder for folder, _identity in places]
            ear = Ear(folders, recursive=recursive, hear=self._hear, patience=patience)
            if old is not None:
                old.close()
                if (
                    ear.deaf
                ):  # there may be place for one of the two: begin anew, and look at what happened meanwhile
                    self._hear(None)
            self._ears[recursive], self._places[recursive] = ear, places
        return made

    def deaf(self, every: Iterable[Watched], now: timedelta) -> dict[Watched, str]:
        """Watches whose changes the system does not tell (all of them), and why."""
        deaf = {folder: why for ear in self._ears.values() for folder, why in ear.deaf.items()}
        every = list(every)
        listened = {
            folder
            for watched in every
            for spot in watched.spots
            if spot.kind == "folder" and os.fspath(spot.path) not in deaf
            for folder in spot.folders
        }
        held = ears.held()
        short = held is not None and held < len(listened)
        found = {}
        for watched in every:
            said = [why for spot in watched.spots if (why := deaf.get(os.fspath(spot.path)))]
            said += [ears.LIMIT] if short and watched.spec.recursive else []
            if said:
                found[watched] = said[0]
                self._try_at = now + TRY_AGAIN
        return found

    def close(self, *, wait: bool = True) -> None:
        """Listen to nothing any more."""
        for ear in self._ears.values():
            ear.close(wait=wait)
        self._ears.clear()
        self._places.clear()


def _place(folder: str) -> Place:
    try:
        found = os.stat(folder)
    except OSError:
        return folder, None
    return folder, (found.st_dev, found.st_ino)


def _patience(every: Iterable[Watched]) -> int:
    """Milliseconds an ear may sleep: a change has to be heard well before the shortest debounce is over."""
    shortest = min((watched.spec.debounce.total_seconds() for watched in every), default=2.0)
    return max(min(round(shortest * 250), ears.ASLEEP), ears.AWAKE // 2)
