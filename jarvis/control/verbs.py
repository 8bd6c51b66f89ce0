"""What can be asked of Jarvis? Every ability once; the command line and the HTTP API are made from this list."""

from __future__ import annotations

import difflib
import inspect
import keyword
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jarvis.control import (
    verbs_alerts,
    verbs_cache,
    verbs_channels,
    verbs_daemon,
    verbs_events,
    verbs_instances,
    verbs_jobs,
    verbs_memory,
    verbs_orders,
    verbs_pauses,
    verbs_rules,
    verbs_runs,
    verbs_tickets,
    verbs_tools,
)
from jarvis.control.desk import Desk
from jarvis.control.plain import Misfit
from jarvis.errors import NotFound
from jarvis.handling import form as forms
from jarvis.handling.form import Form


@dataclass(frozen=True, kw_only=True)
class Verb:
    """One ability. Its form is its function's signature, exactly as with handlers.

    ``reads``: changes nothing. ``offline``: the ledger (or the files) can answer without a daemon. ``begins``: where
    Jarvis has never run, there is a ledger from then on. ``patient``: may take long and needs no daemon, so the command
    line does it itself.
    """

    name: str
    function: Callable[..., Any]
    reads: bool = True
    offline: bool = True
    patient: bool = False
    begins: bool = False

    @cached_property
    def form(self) -> Form:
        return forms.read(self.name, self.function, "")

    @property
    def help(self) -> str:
        """What it is for, in one line."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def bind(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments to call with. Raises Misfit with everything that is wrong."""
        given = {f"{name}_" if keyword.iskeyword(name) else name: value for name, value in values.items()}
        bound, problems = self.form.checker.read(given)
        if problems:
            said = "; ".join(f"{message} ({hint})" if hint else message for _, message, hint in problems)
            raise Misfit(f"{self.name}: {self._public(said)}")
        return bound

    def schema(self) -> dict[str, Any]:
        """The form as JSON Schema."""
        found = self.form.schema()
        found["properties"] = {public(name): field for name, field in found.get("properties", {}).items()}
        if "required" in found:
            found["required"] = [public(name) for name in found["required"]]
        return found

    def _public(self, text: str) -> str:
        for one in self.form.parameters:
            text = text.replace(one.name, public(one.name))
        return text


def public(name: str) -> str:
    """A parameter as it is asked for: ``with`` and ``for`` cannot be names in Python."""
    return name.removesuffix("_")


ALL = (
    Verb(name="health", function=verbs_daemon.health),
    Verb(name="status", function=verbs_daemon.status),
    Verb(name="reload", function=verbs_daemon.reload, reads=False, offline=False),
    Verb(name="stop", function=verbs_daemon.stop, reads=False, offline=False),
    Verb(name="logs", function=verbs_daemon.logs),
    Verb(name="jobs.list", function=verbs_jobs.listing),
    Verb(name="jobs.show", function=verbs_jobs.show),
    Verb(name="jobs.next", function=verbs_jobs.upcoming),
    Verb(name="jobs.history", function=verbs_jobs.history),
    Verb(name="jobs.run", function=verbs_orders.run, reads=False, offline=False),
    Verb(name="jobs.pause", function=verbs_orders.pause, reads=False, offline=False),
    Verb(name="jobs.resume", function=verbs_orders.resume, reads=False, offline=False),
    Verb(name="jobs.enable", function=verbs_orders.enable, reads=False, offline=False),
    Verb(name="jobs.disable", function=verbs_orders.disable, reads=False, offline=False),
    Verb(name="runs.list", function=verbs_runs.listing),
    Verb(name="runs.show", function=verbs_runs.show),
    Verb(name="runs.output", function=verbs_runs.output),
    Verb(name="runs.cancel", function=verbs_runs.cancel, reads=False, offline=False),
    Verb(name="events.list", function=verbs_events.listing),
    Verb(name="events.show", function=verbs_events.show),
    Verb(name="events.tail", function=verbs_events.following),
    Verb(name="events.publish", function=verbs_events.publish, reads=False, begins=True),
    Verb(name="rules.list", function=verbs_rules.listing),
    Verb(name="rules.show", function=verbs_rules.show),
    Verb(name="rules.add", function=verbs_rules.add, reads=False, begins=True),
    Verb(name="rules.enable", function=verbs_rules.enable, reads=False),
    Verb(name="rules.disable", function=verbs_rules.disable, reads=False),
    Verb(name="rules.remove", function=verbs_rules.remove, reads=False),
    Verb(name="memory.delegations.list", function=verbs_memory.delegations),
    Verb(name="memory.delegations.add", function=verbs_memory.delegate, reads=False, begins=True),
    Verb(name="memory.delegations.complete", function=verbs_memory.complete, reads=False),
    Verb(name="memory.delegations.cancel", function=verbs_memory.cancel, reads=False),
    Verb(name="memory.decisions.list", function=verbs_memory.decisions),
    Verb(name="memory.decisions.add", function=verbs_memory.decide, reads=False, begins=True),
    Verb(name="memory.decisions.execute", function=verbs_memory.execute, reads=False),
    Verb(name="memory.decisions.defer", function=verbs_memory.defer, reads=False),
    Verb(name="memory.decisions.reverse", function=verbs_memory.reverse, reads=False),
    Verb(name="memory.facts.list", function=verbs_memory.facts),
    Verb(name="memory.facts.get", function=verbs_memory.fact),
    Verb(name="memory.facts.set", function=verbs_memory.know, reads=False, begins=True),
    Verb(name="memory.facts.delete", function=verbs_memory.forget, reads=False),
    Verb(name="cache.get", function=verbs_cache.get, reads=False),
    Verb(name="cache.set", function=verbs_cache.put, reads=False, begins=True),
    Verb(name="cache.delete", function=verbs_cache.delete, reads=False),
    Verb(name="cache.clear", function=verbs_cache.clear, reads=False),
    Verb(name="cache.stats", function=verbs_cache.stats),
    Verb(name="tickets.list", function=verbs_tickets.listing),
    Verb(name="tickets.show", function=verbs_tickets.show),
    Verb(name="tickets.ack", function=verbs_tickets.ack, reads=False),
    Verb(name="tickets.diagnose", function=verbs_tickets.diagnose, reads=False),
    Verb(name="tickets.hold", function=verbs_tickets.hold, reads=False),
    Verb(name="tickets.unhold", function=verbs_tickets.unhold, reads=False),
    Verb(name="tickets.resolve", function=verbs_tickets.resolve, reads=False),
    Verb(name="pauses.list", function=verbs_pauses.listing),
    Verb(name="pauses.show", function=verbs_pauses.show),
    Verb(name="pauses.mark", function=verbs_pauses.mark, reads=False),
    Verb(name="pauses.status", function=verbs_pauses.status),
    Verb(name="samples.history", function=verbs_pauses.history, patient=True),
    Verb(name="alerts.list", function=verbs_alerts.listing),
    Verb(name="alerts.show", function=verbs_alerts.show),
    Verb(name="alerts.why", function=verbs_alerts.why),
    Verb(name="alerts.ack", function=verbs_alerts.ack, reads=False),
    Verb(name="alerts.silence", function=verbs_alerts.silence, reads=False),
    Verb(name="alerts.silences", function=verbs_alerts.silences),
    Verb(name="alerts.unsilence", function=verbs_alerts.unsilence, reads=False),
    Verb(name="alerts.channels", function=verbs_channels.listing),
    Verb(name="alerts.test", function=verbs_channels.test, reads=False),
    Verb(name="alerts.dead", function=verbs_channels.dead),
    Verb(name="alerts.retry", function=verbs_channels.retry, reads=False),
    Verb(name="instances.list", function=verbs_instances.listing, patient=True),
    Verb(name="audit", function=verbs_tools.audit, patient=True),
    Verb(name="check", function=verbs_tools.check, patient=True),
    Verb(name="schema", function=verbs_tools.schema, patient=True),
    Verb(name="next", function=verbs_tools.due, patient=True),
    Verb(name="handlers.list", function=verbs_tools.handlers, patient=True),
    Verb(name="handlers.show", function=verbs_tools.handler, patient=True),
    Verb(name="handlers.try", function=verbs_tools.attempt, reads=False, patient=True),
)
VERBS: Mapping[str, Verb] = {verb.name: verb for verb in ALL}


def find(name: str) -> Verb:
    """Raises NotFound with the nearest name."""
    if (verb := VERBS.get(name)) is None:
        near = difflib.get_close_matches(name, VERBS, 1)
        raise NotFound(
            f"no verb {name!r}"
            + (f" (did you mean {near[0]!r}?)" if near else f"; there are {', '.join(VERBS)}")
        )
    return verb


def ask(desk: Desk, name: str, values: Mapping[str, Any]) -> Any:
    """Ask a verb; JSON data without secrets. Raises JarvisError and nothing else that a question could cause."""
    verb = find(name)
    said = verb.function(desk, **verb.bind(values))
    # What a run wrote is hidden where it is read: there, bytes count.
    return said if name == "runs.output" else desk.hide(said)
