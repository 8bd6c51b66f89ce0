"""Who is told by the system when something changes, and who has to look for himself?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import timedelta

from jarvis.running.watch import ears
from jarvis.running.watch.ears import Ear, Hear
from jarvis.running.watch.listener import Listener
from jarvis.running.watch.watched import Watched

TRY_AGAIN = timedelta(minutes=10)
"""So long after the system's limit was reached it is asked again."""

Place = tuple[str, tuple[int, int] | None]
"""A folder, and which one it is: another one may be there under the same name."""


class Hearing:
    """One ear for folders with all that is below them, one for those without; made anew when the folders change.

    ``ready`` is called, from any thread, when it is time to ``listen`` again: an ear for whole trees takes its time.
    """

    def __init__(self, hear: Hear, ready: Callable[[], None]) -> None:
        self._hear = hear
        self._ready = ready
        self._ears: dict[bool, Ear | Listener] = {}
        self._places: dict[bool, set[Place]] = {}
        self._coming: tuple[set[Place], Listener] | None = None
        self._try_at: timedelta | None = None

    def listen(self, every: Iterable[Watched], extra: str | None, now: timedelta) -> set[str] | None:
        """Listen for these watches; the trees that nobody listened to before, or None when nothing is different.

        An old ear is closed when the new one listens: nothing is missed.
        """
        every = list(every)
        patience = _patience(every)
        again = self._try_at is not None and now >= self._try_at
        fresh: set[str] | None = None
        for recursive, places in _places(every, extra).items():
            old = self._ears.get(recursive)
            same = places == self._places.get(recursive, set()) and (old is None or old.patience == patience)
            if same and not again and not (recursive and self._coming):
                continue
            ear = self._ear(recursive, places, patience)
            if ear is None:
                continue
            self._try_at = None
            fresh = fresh or set()
            if recursive:
                fresh |= ear.folders - (old.folders if old else frozenset())
            if old is not None:
                old.close()
                if (
                    ear.deaf
                ):  # there may be place for one of the two: begin anew, look at what happened meanwhile
                    self._hear(None)
            self._ears[recursive], self._places[recursive] = ear, places
        return fresh

    def _ear(self, recursive: bool, places: set[Place], patience: int) -> Ear | Listener | None:
        """An ear that listens; None while it does not yet."""
        folders = [folder for folder, _identity in places]
        if not recursive or not folders:
            if recursive:
                self._forget_coming()
            return Ear(folders, recursive=recursive, hear=self._hear, patience=patience)
        if self._coming and (self._coming[0] != places or self._coming[1].patience != patience):
            self._forget_coming()
        if self._coming is None:
            ear = Listener(folders, hear=self._hear, ready=self._ready, patience=patience)
            self._coming = (places, ear)
        ear = self._coming[1]
        if not ear.listens:
            return None
        self._coming = None
        return ear

    def hears(self, watched: Watched) -> bool:
        """Whether what happens to its files from now on is heard, as far as it ever will be."""
        return not (watched.spec.recursive and self._coming)

    def _forget_coming(self) -> None:
        if self._coming:
            self._coming[1].close(wait=False)
            self._coming = None

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
        pids = {pid for ear in self._ears.values() if (pid := ear.pid) is not None}
        held = ears.held(pids)
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
        self._forget_coming()
        for ear in self._ears.values():
            ear.close(wait=wait)
        self._ears.clear()
        self._places.clear()


def _places(every: Iterable[Watched], extra: str | None) -> dict[bool, set[Place]]:
    """The folders to listen to: with all that is below them (True), and without."""
    wanted: dict[bool, set[Place]] = {True: set(), False: {_place(extra)} if extra else set()}
    for watched in every:
        for spot in watched.spots:
            if spot.kind == "folder":
                wanted[watched.spec.recursive].add((os.fspath(spot.path), spot.identity))
            elif os.path.isdir(spot.path.parent):
                wanted[False].add(_place(os.fspath(spot.path.parent)))
    return wanted


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
