"""How is a text made into one that every store can hold?"""

from __future__ import annotations


def clean(text: str) -> str:
    """Text that every store can hold: lone surrogates are spelled out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def cut(text: str, limit: int) -> str:
    """At most ``limit`` bytes of UTF-8: the head, a note of what is missing, the tail."""
    data = clean(text).encode()
    if len(data) <= limit:
        return data.decode()
    room = limit - 64
    head, tail = data[: room // 3], data[len(data) - (room - room // 3) :]
    note = f"\n… {len(data) - room} bytes left out …\n"
    return head.decode(errors="ignore") + note + tail.decode(errors="ignore")
