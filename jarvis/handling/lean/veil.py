"""Which bytes of a stream must never be stored, and what is stored in their place?

A secret shows itself as it is, line by line, or as something else has written it down: in base64, percent-encoded,
as a string of JSON or Python, quoted for a shell. Every such form is looked for. It may be split over any number of
reads, so a piece at the end that is the beginning of a form is held back until it is known what follows; nothing
else is ever delayed. Forms that overlap are hidden together. Only cheap stdlib modules are imported.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Iterable, Iterator

MARK = b"[secret]"

SHORTEST = 4
"""Shorter values are let be: hiding every "1" would shred ordinary words."""

_WRAPPED = (57, 48)
"""Bytes to a line where base64 is broken into lines: of 76 characters (base64), of 64 (openssl, keys)."""

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_HEAD = 4

FEW = 100
"""Forms up to this number are looked for one by one."""


class Forms:
    """All the ways in which some values may show themselves; made once, used for every stream.

    Few forms are looked for one after the other, at the speed of memory; many (a long key has one for each of its
    lines) by their first four bytes, which takes the same time however many there are.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self.all = sorted({form for value in values for form in _forms(value)}, key=len)
        self._longest = len(self.all[-1]) if self.all else 0
        self._cores: list[bytes] = []
        self._heads: dict[bytes, list[bytes]] = {}
        self._ends: frozenset[bytes] = frozenset()
        if len(self.all) <= FEW:
            for form in self.all:
                # what contains another form is found when that one is
                if not any(core in form for core in self._cores):
                    self._cores.append(form)
            return
        for form in self.all:
            self._heads.setdefault(form[:_HEAD], []).append(form)
        self._ends = frozenset(head[:size] for head in self._heads for size in range(_HEAD))

    def __bool__(self) -> bool:
        return bool(self.all)

    def spots(self, text: bytes) -> list[tuple[int, int]]:
        """Where forms are, in order; they may overlap."""
        if self._heads:
            return [
                (at, at + len(form))
                for at, forms in self._headed(text, 0)
                for form in forms
                if text.startswith(form, at)
            ]
        if not any(core in text for core in self._cores):
            return []
        return sorted((at, at + len(form)) for form in self.all for at in _places(form, text))

    def beginning(self, text: bytes) -> int:
        """Where the last bytes begin that may be the beginning of a form; the length of the text if none are."""
        size = len(text)
        if not self._heads:
            return min((_beginning(form, text) for form in self.all), default=size)
        for at, forms in self._headed(text, max(0, size - self._longest + 1)):
            if any(len(form) > size - at and form.startswith(text[at:]) for form in forms):
                return at
        return size - max(len(end) for end in (text[-3:], text[-2:], text[-1:], b"") if end in self._ends)

    def _headed(self, text: bytes, start: int) -> Iterator[tuple[int, list[bytes]]]:
        """The places where a form may be, with those that begin so."""
        heads = self._heads
        for at in range(start, len(text) - _HEAD + 1):
            if (head := text[at : at + _HEAD]) in heads:
                yield at, heads[head]


class Veil:
    """One stream on its way to where it is stored."""

    def __init__(self, forms: Forms) -> None:
        self._forms = forms
        self._held = b""
        self._marked = 0

    def more(self, data: bytes | memoryview) -> memoryview:
        """What can be stored now that this has arrived."""
        text = self._held + data
        return self._pass(text, self._forms.beginning(text))

    def rest(self) -> memoryview:
        """What was held back: nothing follows it."""
        return self._pass(self._held, len(self._held))

    def _pass(self, text: bytes, until: int) -> memoryview:
        """Let go of the text up to there. ``_marked`` bytes of what is held are within a form marked already."""
        spots = self._forms.spots(text)
        self._held = text[until:]
        if not spots and not self._marked:
            return memoryview(text)[:until]
        parts, at = [], self._marked
        for start, end in spots:
            if start >= max(until, at):
                break
            if start >= at:
                parts += [text[at:start], MARK]
            at = max(at, end)
        parts.append(text[at:until])
        self._marked = max(0, at - until)
        return memoryview(b"".join(parts))


def hide(text: str, forms: Forms) -> str:
    """A whole text, fit to be stored."""
    if not forms:
        return text
    veil = Veil(forms)
    shown = bytes(veil.more(_bytes(text))) + bytes(veil.rest())
    return shown.decode("utf-8", "surrogateescape")


def _places(form: bytes, text: bytes) -> Iterator[int]:
    at = text.find(form)
    while at >= 0:
        yield at
        at = text.find(form, at + 1)


def _beginning(form: bytes, text: bytes) -> int:
    at, head = max(0, len(text) - len(form) + 1), form[:_HEAD]
    while (at := text.find(head, at)) >= 0:
        if form.startswith(text[at:]):
            return at
        at += 1
    return len(text) - next(size for size in (3, 2, 1, 0) if text.endswith(form[:size]))


def _forms(value: str) -> Iterator[bytes]:
    if len(value.strip()) < SHORTEST:
        return
    for part in {value, value.strip(), *value.splitlines()}:
        if len(part.strip()) >= SHORTEST:
            yield from (_bytes(text) for text in _written(part))
    for whole in {_bytes(value), _bytes(value.strip())}:
        for form in _in_base64(whole):
            if len(form) >= SHORTEST:
                yield form
                yield form.translate(_URL_SAFE)


def _written(value: str) -> Iterator[str]:
    """The value as it stands, and as a string of JSON (also PHP's and Go's), Python, a shell, or a URL."""
    yield value
    for plain in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        yield plain
        yield plain.replace("/", "\\/")
        yield plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    data = _bytes(value)
    yield from (repr(value)[1:-1], repr(data)[2:-1])
    yield from (value.replace("'", "'\\''"), value.replace("'", "'\"'\"'"))
    for safe in (b"", b"/", b"!'()*", b"!'()*;,/?:@&=+$#"):
        quoted = _percent(data, _UNRESERVED | frozenset(safe), "%%%02X")
        yield quoted
        yield quoted.replace("%20", "+")
        yield _percent(data, _UNRESERVED | frozenset(safe), "%%%02x")


def _percent(data: bytes, safe: frozenset[int], code: str) -> str:
    return "".join(chr(byte) if byte in safe else code % byte for byte in data)


def _in_base64(data: bytes) -> Iterator[bytes]:
    """On its own, and anywhere inside something longer: there its neighbours share its outermost characters."""
    for offset in range(3):
        yield from _one_base64(data, offset)
    for width in _WRAPPED:
        for start in range(0, len(data), width) if len(data) > width else ():
            if len(line := data[start : start + width]) >= SHORTEST:
                yield from _one_base64(line, 0)


def _one_base64(data: bytes, offset: int) -> Iterator[bytes]:
    """With ``offset`` bytes before it: at the end of what is encoded, without padding, and with more after it."""
    skipped = -(-offset * 8 // 6)
    code = binascii.b2a_base64(b"\0" * offset + data, newline=False)[skipped:]
    yield code
    yield code.rstrip(b"=")
    yield code[: (offset + len(data)) * 8 // 6 - skipped]


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # half of a pair from JSON: no program can be given it, but it may be in a text that is shown
        return text.encode("utf-8", "replace")
