"""Who is asked for something, and who next when that one has nothing? Cache, then the service itself, then nobody.

Each is asked through its circuit breaker, so one that failed three times is left alone for a while. A cache that is
too old is not taken while somebody else answers; when nobody does, it is taken and its age is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

from jarvis import errors

if TYPE_CHECKING:
    from jarvis.store.breakers import Breakers

T = TypeVar("T")


class Unavailable(errors.JarvisError):
    """A source gave no usable answer, in a sentence."""


class NeedsMending(Unavailable):
    """... and will give none until a person changes something: a token, a column, a file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Got(Generic[T]):
    """A source's answer. ``as_of``: when a copy was made; None for the original. ``odd``: what of it was unusable."""

    value: T
    as_of: datetime | None = None
    copy: bool = False
    odd: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Source(Generic[T]):
    """``fetch`` raises Unavailable, or returns None when it answered and has nothing for today."""

    name: str
    breaker: str
    fetch: Callable[[], Got[T] | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer(Generic[T]):
    """``got`` is None when nobody had anything. ``used``: whose it is and how old, in words. ``tried``: who was asked
    in vain and why. ``mend``: by source, what only a person can change."""

    got: Got[T] | None
    used: str
    tried: tuple[str, ...] = ()
    mend: Mapping[str, str] = field(default_factory=dict)

    def why_not(self) -> str:
        """The reason of a run that has nothing to judge."""
        return "; ".join(self.tried) or "no source is configured"


def ask(
    sources: Sequence[Source[T]], breakers: Breakers | None, now: datetime, max_age: timedelta
) -> Answer[T]:
    """The first usable answer, in the order given."""
    tried: list[str] = []
    mend: dict[str, str] = {}
    late: list[tuple[Source[T], Got[T]]] = []
    for source in sources:
        got = _call(source, breakers, tried, mend)
        if got is None:
            continue
        if got.copy and got.as_of is not None and now - got.as_of > max_age:
            tried.append(f"{source.name}: {_age(now - got.as_of)} old, more than {_length(max_age)}")
            late.append((source, got))
            continue
        return Answer(got=got, used=_used(source, got, now), tried=tuple(tried), mend=mend)
    if late:
        source, got = max(late, key=lambda one: one[1].as_of or now)
        used = f"{_used(source, got, now)}, nothing newer was to be had"
        return Answer(got=got, used=used, tried=tuple(tried), mend=mend)
    return Answer(got=None, used="", tried=tuple(tried), mend=mend)


def _call(
    source: Source[T], breakers: Breakers | None, tried: list[str], mend: dict[str, str]
) -> Got[T] | None:
    """What the source has; why not is added to the lists."""
    import pybreaker

    try:
        if breakers is None:
            got = source.fetch()
        else:
            got = breakers.get(source.breaker, exclude=(NeedsMending,)).call(source.fetch)
    except NeedsMending as error:
        mend[source.name] = str(error)
        tried.append(f"{source.name}: {error}")
        return None
    except Unavailable as error:
        tried.append(f"{source.name}: {error}")
        return None
    except pybreaker.CircuitBreakerError:
        tried.append(f"{source.name}: not asked, it failed again and again and is left alone for a minute")
        return None
    if got is None:
        tried.append(f"{source.name}: nothing for today")
    return got


def _used(source: Source[T], got: Got[T], now: datetime) -> str:
    if not got.copy:
        return f"from {source.name}"
    if got.as_of is None:
        return f"from {source.name} (age unknown)"
    return f"from {source.name} ({_age(now - got.as_of)} old)"


def _age(age: timedelta) -> str:
    return _length(max(age, timedelta()))


def _length(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"
