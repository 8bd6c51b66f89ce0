"""Take events from the files of an inbox folder, or from a URL.

Inbox: every ``*.json`` file, in the order of their names, is one event: an object with a non-empty ``source``
and ``event_type`` and, if it likes, a ``payload``. It is stored as a pending event and moved to
``processed/``; a file that is no event goes to ``failed/``. When events cannot be stored, their files
stay for the next time. A file of the last two seconds may still be written and waits. Two polls of one
inbox at once: the second one skips.

With ``url`` the items of a JSON answer are events; each is stored once.

Parameters:
    inbox: the folder; without it, inbox/ in the state directory. One that does not exist is empty
    settle: a file younger than this is left for the next time
    max_bytes: a bigger file is no event
    keep: files in processed/ and failed/ are removed after this long
    url: ask this address instead of looking into a folder; http or https, answering with JSON
    items: where the list of items is in the answer (dots lead inside); without it, the answer itself
    source: the source of these events; with url it has to be said
    event_type: their type
    type_field: where an item says its own type (dots lead inside); event_type is for those that do not
    id: where an item has what makes it unique; one without it is known by its whole content
    headers: sent with each request, to its own host only; values may be secrets
    cursor_param: the parameter of the URL that says where to go on
    cursor_field: where the answer says what to send as cursor_param the next time
    cursor_item: or where the newest item, the last of the answer, says it
    next_field: where an answer has the address of its next page; without it, the Link header has it
    pages: how many pages one poll reads at most
    timeout: for each page
    verify: check the server's certificate
    allow_private: loopback and private addresses may be asked; link-local and metadata addresses never are
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from jarvis import Context, GiveUp, Secret, Skip
from jarvis.errors import StoreError
from jarvis.sources import inbox as inboxes
from jarvis.sources.inbox import Inbox, Tally

if TYPE_CHECKING:
    from jarvis.sources.feed import Page

SEEN = 20_000
TIDY_EVERY = timedelta(hours=1)


def check(
    *,
    url: str | None,
    inbox: Path | None,
    source: str | None,
    cursor_param: str | None,
    cursor_field: str | None,
    cursor_item: str | None,
) -> None:
    """An inbox and an address each need what only they use."""
    if url is None:
        return
    if inbox is not None or source is None:
        raise GiveUp("give url or inbox, not both" if inbox else "with url, say the source of its events")
    if not url.lower().startswith(("http://", "https://")):
        raise GiveUp(f"url: only http and https can be requested, not {url!r}")
    if (cursor_param is None) != (cursor_field is None and cursor_item is None):
        raise GiveUp("cursor_param goes with one of cursor_field and cursor_item")


def run(
    ctx: Context,
    *,
    inbox: Path | None = None,
    settle: timedelta = timedelta(seconds=2),
    max_bytes: int = 1_000_000,
    keep: timedelta = timedelta(days=30),
    url: str | None = None,
    items: str | None = None,
    source: str | None = None,
    event_type: str = "item",
    type_field: str | None = None,
    id: str = "id",
    headers: dict[str, str | Secret] = {},  # noqa: B006 (never changed; shown as the form's default)
    cursor_param: str | None = None,
    cursor_field: str | None = None,
    cursor_item: str | None = None,
    next_field: str | None = None,
    pages: Annotated[int, Field(ge=1, le=1000)] = 10,
    timeout: timedelta = timedelta(seconds=30),
    verify: bool = True,
    allow_private: bool = False,
) -> tuple[str, dict[str, float]]:
    if url is None:
        tally = from_folder(ctx, inbox or ctx.state / "inbox", settle, max_bytes, keep)
        return tally.line(), tally.numbers()
    assert source is not None  # check() was asked
    from jarvis.sources import feed

    plain = {name: one.reveal() if isinstance(one, Secret) else one for name, one in headers.items()}
    asking = feed.Asking(
        url=url, headers=plain, items=items, next_field=next_field, pages=pages, timeout=timeout,
        verify=verify, allow_private=allow_private,
    )  # fmt: skip
    poll = Feed(ctx, asking, source, event_type, type_field, id)
    return poll.run(cursor_param, cursor_field, cursor_item)


def from_folder(ctx: Context, folder: Path, settle: timedelta, max_bytes: int, keep: timedelta) -> Tally:
    """One poll of a folder; what is wrong is said in the run's output, and what could not be stored is an alert."""
    if not folder.is_dir():
        return Tally()
    try:
        with inboxes.alone(folder):
            if found := inboxes.names(folder):
                inboxes.make_room(folder)
            tidy(ctx, folder, keep)
            tally = Inbox(folder, settle=settle, max_bytes=max_bytes, events=lambda: ctx.events).poll(found)
    except inboxes.Taken as taken:
        raise Skip(str(taken)) from None
    for name, why in tally.failures:
        ctx.log.warning("no event", file=name, why=why)
    for why in tally.troubles:
        ctx.log.error("not stored, the files stay", why=why)
        ctx.alert(f"events of {folder} cannot be stored: {why}", key="store", severity="high")
    return tally


def tidy(ctx: Context, folder: Path, keep: timedelta) -> None:
    """Once an hour remove what was put away long ago."""
    last = ctx.memory.get("tidied")
    now = datetime.now(UTC)
    if isinstance(last, str) and timedelta(0) <= now - datetime.fromisoformat(last) < TIDY_EVERY:
        return
    if gone := inboxes.tidy(folder, now - keep):
        ctx.log.info("old files removed", files=gone)
    ctx.memory["tidied"] = now.isoformat()


class Feed:
    """One poll of a URL. What it has to know the next time is in the job's memory."""

    def __init__(
        self, ctx: Context, asking: Any, source: str, event_type: str, type_field: str | None, id: str
    ) -> None:
        self.ctx = ctx
        self.asking = asking
        self.source = source
        self.event_type = event_type
        self.type_field = type_field
        self.id = id
        self.tally = Tally()
        known = ctx.memory.get("feed")
        # Another address or source is another feed: nothing of the old one holds for it.
        same = isinstance(known, dict) and known.get("of") == self.name
        self.known: dict[str, Any] = known if same and known else {"of": self.name}

    @property
    def name(self) -> str:
        return f"{self.source} {self.asking.url} {self.asking.items or ''}"

    def run(
        self, cursor_param: str | None, cursor_field: str | None, cursor_item: str | None
    ) -> tuple[str, dict[str, float]]:
        from dataclasses import replace

        from jarvis.sources import feed

        self.patience()
        if cursor_param is not None and (cursor := self.known.get("cursor")):
            self.asking = replace(self.asking, params={cursor_param: cursor})
        seen: list[str] = []
        first: Page | None = None
        last: Page | None = None
        etag, modified = self.known.get("etag"), self.known.get("modified")
        try:
            for page in feed.pages(self.asking, etag, modified, lambda: datetime.now(UTC)):
                seen += self.take(page)
                first = first or page
                last = page
        except feed.Wait as error:
            self.known["wait_until"] = error.until_at.isoformat()
            self.ctx.memory["feed"] = self.known
            raise
        except feed.Misasked as error:
            raise GiveUp(str(error)) from error
        if first is None or last is None:
            return "nothing new", self.tally.numbers()
        self.remember(first, last, seen, cursor_field, cursor_item)
        return self.tally.line() + (f"; more than {self.asking.pages} pages" if last.more else ""), (
            self.tally.numbers()
        )

    def patience(self) -> None:
        """A server that asked to be left alone is."""
        until = self.known.pop("wait_until", None)
        if until and datetime.now(UTC) < datetime.fromisoformat(until):
            raise Skip(f"{self.asking.url} asked to wait until {until}")

    def take(self, page: Page) -> list[str]:
        """Store what is new of a page, in one transaction; returns what its items are known by."""
        from jarvis.sources import feed
        from jarvis.store.events import Arrival, Unfit, measure

        known, marks, fresh = set(self.known.get("seen", ())), [], []
        for item in page.items:
            mark = feed.identity(item, self.id)
            marks.append(mark[:16])
            if mark[:16] in known:
                self.tally.skipped += 1
                continue
            kind = feed.text_at(item, self.type_field) if self.type_field else None
            one = Arrival(
                source=self.source,
                event_type=kind or self.event_type,
                payload=item,
                key=f"feed:{feed.identity(self.name, None)}:{mark}",
            )
            try:
                fresh.append(measure(one))
            except Unfit as error:
                self.tally.failed += 1
                self.ctx.log.warning("no event", item=mark[:16], why=str(error))
                self.ctx.alert(f"items of {self.asking.url} are no events: {error}", key="items")
        try:
            new = self.ctx.events.add_all(fresh, datetime.now(UTC))
        except StoreError as error:
            self.ctx.alert(
                f"events of {self.asking.url} cannot be stored: {error}", key="store", severity="high"
            )
            raise
        self.tally.ingested += new
        self.tally.skipped += len(fresh) - new
        return marks

    def remember(
        self, first: Page, last: Page, seen: list[str], cursor_field: str | None, cursor_item: str | None
    ) -> None:
        """Where to go on: only after everything was stored."""
        from jarvis.sources import feed

        cursor = self.known.get("cursor")
        if cursor_field is not None:
            cursor = feed.text_at(last.answer, cursor_field) or cursor
        elif cursor_item is not None and last.items:
            cursor = feed.text_at(last.items[-1], cursor_item) or cursor
        earlier = [] if cursor is None else list(self.known.get("seen", ()))
        known = {"of": self.name, "cursor": cursor, "seen": list(dict.fromkeys([*seen, *earlier]))[:SEEN]}
        # A first page that did not change says nothing about pages that were not read.
        if not last.more:
            known |= {"etag": first.etag, "modified": first.modified}
        self.ctx.memory["feed"] = {name: value for name, value in known.items() if value is not None}
