"""Who hears of a job, and through what? Alert rules, deliveries and channels as jobs.yaml writes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StrictBool, StrictInt, StrictStr, field_validator, model_validator

from jarvis.core import template
from jarvis.core.duration import Duration
from jarvis.core.fields import NAME, Command, Model, SecretRef, Text

Severity = Literal["info", "low", "medium", "warning", "high", "critical"]
Ending = Literal["failed", "timed_out", "lost", "missed", "skipped", "cancelled"]
Names = StrictStr | Annotated[list[StrictStr], Field(min_length=1)]


class AlertRule(Model):
    """When a person hears of this job. ``after``: how many fires in a row have to end so (``on``)."""

    after: Annotated[StrictInt, Field(ge=1, le=1000)] = 1
    on: Annotated[tuple[Ending, ...], Field(min_length=1)] = ("failed", "timed_out", "lost")
    to: Names | None = None
    severity: Severity = "high"
    repeat: Duration | None = None
    recovery: StrictBool = True
    no_success_for: Duration | None = None
    not_started_within: Duration | None = None
    longer_than_usual: Annotated[float, Field(gt=1, le=1000, allow_inf_nan=False)] | None = None


def _template(text: str) -> str:
    if wrong := template.problem(text):
        raise ValueError(f"{wrong[0]} ({wrong[1]})")
    return text


class Deliver(Model):
    """Where a job's result goes. Templates know ``$result $task_name $timestamp`` and more (core.template)."""

    to: Names
    on: Literal["always", "output", "failure", "success"] = "always"
    subject: Annotated[StrictStr, AfterValidator(_template)] | None = None
    body: Annotated[StrictStr, AfterValidator(_template)] | None = None


class Telegram(Model):
    """A bot and the chat it writes to. ``api``: another server that speaks Telegram's bot API."""

    token: Text
    chat: Text | StrictInt
    api: Annotated[StrictStr, Field(pattern=r"^https?://[^/]")] = "https://api.telegram.org"


SENDERS = ("url", "macos", "imessage", "telegram", "command", "journal")
MOST_PATIENCE = timedelta(minutes=5)


def _some_patience(length: timedelta) -> timedelta:
    if not timedelta(milliseconds=100) <= length <= MOST_PATIENCE:
        raise ValueError("between 100ms and 5m")
    return length


def _true(value: bool) -> bool:
    if not value:
        raise ValueError("write macos: true, or leave the channel out")
    return value


class Channel(Model):
    """One way to reach a person: exactly one of SENDERS, and what holds for it.

    ``rate``: at most one message in this time; what is more waits and goes together.
    """

    url: Text | None = None
    macos: Annotated[StrictBool, AfterValidator(_true)] | None = None
    imessage: Text | None = None
    telegram: Telegram | None = None
    command: Command | None = None
    journal: Annotated[StrictStr, Field(min_length=1)] | None = None
    severity: Severity = "info"
    rate: Duration = timedelta(seconds=60)
    timeout: Annotated[Duration, AfterValidator(_some_patience)] = timedelta(seconds=10)
    quiet: StrictBool = True

    @classmethod
    def of(cls, written: str | SecretRef | Channel) -> Channel:
        """A channel as jobs.yaml writes it; a mere text (or secret) is its URL."""
        return written if isinstance(written, Channel) else cls(url=written)

    @property
    def sender(self) -> str:
        """Which of SENDERS it is."""
        return next(name for name in SENDERS if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in SENDERS if getattr(self, name) is not None]
        if len(given) != 1:
            found = f"not {' and '.join(given)}" if given else "this one has none"
            raise ValueError(f"a channel has exactly one of {', '.join(SENDERS)}; {found}")
        return self


class Quiet(Model):
    """Hours in which only the worst is said; the rest is held and told together afterwards."""

    from_: Annotated[StrictStr, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", alias="from")] = "22:00"
    to: Annotated[StrictStr, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "07:00"
    timezone: StrictStr | None = None
    except_: Severity = Field(default="critical", alias="except")

    @field_validator("timezone")
    @classmethod
    def _zone(cls, name: str | None) -> str | None:
        try:
            ZoneInfo(name or "UTC")
        except (ValueError, OSError, KeyError):
            raise ValueError(f"there is no time zone {name!r:.60}; write for example Europe/London") from None
        return name


class Escalate(Model):
    """Who hears of a problem that nobody acknowledged in time."""

    to: Names
    after: Duration = timedelta(minutes=30)
    severity: Severity = "high"


class Alerts(Model):
    """How people are told. ``to``: the channels of alerts that name none (without it: all channels).

    ``repeat``: a problem that goes on is told again after this long. ``storm``: so many messages in one
    ``cycle``, the most severe first; the rest is held for one digest.
    """

    channels: dict[Annotated[StrictStr, Field(pattern=NAME)], Text | Channel] = Field(default_factory=dict)
    to: Names | None = None
    quiet: Quiet | None = None
    repeat: Duration = timedelta(hours=1)
    storm: Annotated[StrictInt, Field(ge=1, le=10_000)] = 20
    cycle: Duration = timedelta(minutes=5)
    group: StrictBool = True
    recovery: StrictBool = True
    escalate: Escalate | None = None
