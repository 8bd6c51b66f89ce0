"""Which ways are there to reach a person, and how does a message go one of them?

``Channels`` is what jobs.yaml says under ``alerts: {channels: …}``, ready to be used. Secrets are read when a message
is sent, and neither they nor a URL ever get into an answer or an error.
"""

from __future__ import annotations

import difflib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

from jarvis.alerts import apprised, desktop, file, imessage, program, telegram
from jarvis.alerts.message import Message, NotAccepted
from jarvis.config import secrets
from jarvis.config.secrets import Redactor, SecretError
from jarvis.core.fields import SecretRef
from jarvis.core.telling import Alerts, Channel
from jarvis.errors import NotFound

log = logging.getLogger("jarvis.channels")

GRACE = timedelta(seconds=1)
"""So much longer than its timeout may a send take before nobody waits for it any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Channels:
    """The channels by name. ``folder``: where relative paths begin; ``environ``: where secrets are looked for."""

    by_name: Mapping[str, Channel]
    folder: Path
    environ: Mapping[str, str]
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    @classmethod
    def of(cls, alerts: Alerts, *, folder: Path, environ: Mapping[str, str]) -> Channels:
        """As jobs.yaml says."""
        made = {name: Channel.of(written) for name, written in alerts.channels.items()}
        return cls(by_name=made, folder=folder, environ=environ)

    def __contains__(self, name: object) -> bool:
        return name in self.by_name

    def get(self, name: str) -> Channel:
        """Raises NotFound with the nearest name."""
        if name in self.by_name:
            return self.by_name[name]
        near = difflib.get_close_matches(name, self.by_name, 1)
        known = f"there are {', '.join(self.by_name)}" if self.by_name else "jobs.yaml names none"
        raise NotFound(f"no channel {name!r} ({f'did you mean {near[0]!r}?' if near else known})")

    def send(self, name: str, message: Message) -> str:
        """Send; what the receiver answered. Takes about as long as the channel's timeout at most.

        Raises NotAccepted with the reason.
        """
        channel = self.get(name)
        hide: Callable[[str], str] = str
        try:
            opened = self._opened(channel)
            hide = self.redactor()
            clean = replace(message, title=hide(message.title), body=hide(message.body))
            return hide(self._send(name, opened, clean))
        except NotAccepted as error:
            raise NotAccepted(hide(str(error)), permanent=error.permanent, wait=error.wait) from None
        except SecretError as error:
            raise NotAccepted(str(error)) from None
        except Exception as error:  # a sender's own mistake: no message may be lost by it
            log.exception("channel %s", name)
            raise NotAccepted(hide(f"{type(error).__name__}: {error}")) from None

    def _send(self, name: str, channel: Channel, message: Message) -> str:
        if channel.url is not None:
            return apprised.send(str(channel.url), message, channel.timeout)
        if channel.telegram is not None:
            bot = channel.telegram
            return telegram.send(
                message,
                token=str(bot.token),
                chat=str(bot.chat),
                api=bot.api,
                timeout=channel.timeout,
                sleep=self.sleep,
            )
        if channel.command is not None:
            return program.send(
                channel.command,
                message,
                channel=name,
                timeout=channel.timeout,
                folder=self.folder,
                environ=self.environ,
            )
        if channel.journal is not None:
            return file.send(self.folder / Path(channel.journal).expanduser(), message, channel=name)
        if channel.imessage is not None:
            return imessage.send(message, str(channel.imessage), channel.timeout)
        return desktop.send(message, channel.timeout)

    def patience(self, name: str) -> timedelta:
        """How long a send may take in all before nobody waits for it any more."""
        channel = self.get(name)
        tries = telegram.TRIES if channel.telegram is not None else 1
        return channel.timeout * tries + timedelta(seconds=3 if tries > 1 else 0) + GRACE

    def redactor(self) -> Redactor:
        """Hides the secrets of all channels, and the passwords and tokens in their URLs."""
        found: set[str] = set()
        for channel in self.by_name.values():
            try:
                opened = self._opened(channel)
            except SecretError:
                continue
            found.update(_secret_parts(channel, opened))
        return Redactor(found)

    def _opened(self, channel: Channel) -> Channel:
        """The channel with what its secrets refer to. Raises SecretError."""
        changes: dict[str, object] = {}
        if isinstance(channel.url, SecretRef):
            changes["url"] = self._read(channel.url)
        if isinstance(channel.imessage, SecretRef):
            changes["imessage"] = self._read(channel.imessage)
        if channel.telegram is not None:
            bot = channel.telegram
            opened = {"token": self._read(bot.token), "chat": str(self._read(bot.chat))}
            changes["telegram"] = bot.model_copy(update=opened)
        return channel.model_copy(update=changes) if changes else channel

    def _read(self, value: str | int | SecretRef) -> str | int:
        if isinstance(value, SecretRef):
            return secrets.resolve(value.secret, self.environ).strip()
        return value

    def directly(self, names: Iterable[str], message: Message) -> dict[str, str | None]:
        """Send to these channels at once, without a ledger; what went wrong by name, None where it was accepted.

        For the time in which nothing can be written down. Nothing is tried again and nothing waits: one after the
        other in threads of their own, given up together after the longest patience among them.
        """
        wanted = [name for name in dict.fromkeys(names) if name in self.by_name]
        said: dict[str, str | None] = dict.fromkeys(wanted, "it did not answer in time")

        def send(name: str) -> None:
            try:
                self.send(name, message)
                said[name] = None
            except NotAccepted as error:
                said[name] = str(error)

        threads = [
            threading.Thread(target=send, args=(name,), name=f"jarvis-directly-{name}", daemon=True)
            for name in wanted
        ]
        for thread in threads:
            thread.start()
        until = time.monotonic() + max((self.patience(name).total_seconds() for name in wanted), default=0.0)
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return dict(said)


def _secret_parts(channel: Channel, opened: Channel) -> set[str]:
    """What nobody may read: values of references, passwords of URLs and whatever else in them looks like a token."""
    found = set()
    if isinstance(opened.url, str):
        if isinstance(channel.url, SecretRef):
            found.add(opened.url)
        found.update(tokens(opened.url))
    if isinstance(channel.imessage, SecretRef):
        found.add(str(opened.imessage))
    if opened.telegram is not None:
        found.add(str(opened.telegram.token))
        if isinstance(channel.telegram and channel.telegram.chat, SecretRef):
            found.add(str(opened.telegram.chat))
    return {part for part in found if part}


def tokens(url: str) -> set[str]:
    """What may be secret in an Apprise URL: the password, and long words with digits in them (tokens)."""
    rest = url.partition("://")[2]
    before, at, _host = rest.partition("?")[0].rpartition("@")
    password = before.partition(":")[2] if at else ""
    words = {word for word in rest.replace("?", "/").replace("&", "/").replace("@", "/").split("/") if word}
    longer = {word for word in words if len(word) >= 16 and any(each.isdigit() for each in word)}
    return {unquote(part) for part in {password, *longer} if part} | {password, *longer} - {""}


def masked(written: str | SecretRef) -> str:
    """A channel's URL as people may see it: what it is, where it leads, nothing that opens it."""
    if isinstance(written, SecretRef):
        return f"!secret {written.secret}"
    return f"{apprised.scheme(written)}://…"


def described(channel: Channel) -> str:
    """What a channel is, in a word or two, without anything secret."""
    if channel.url is not None:
        return masked(channel.url)
    if channel.telegram is not None:
        return "telegram"
    if channel.imessage is not None:
        return "imessage"
    if channel.command is not None:
        command = channel.command
        return f"command {command if isinstance(command, str) else ' '.join(command)}"
    return f"journal {channel.journal}" if channel.journal is not None else "macos"
