"""What does the page about verbs say? ``python -m jarvis.control.manual > docs/verbs.md`` writes it."""

from __future__ import annotations

import json
from typing import Any

from jarvis.control import verbs
from jarvis.control.verbs import Verb

BEGINNING = """\
# Verbs and the HTTP API

Everything that can be asked of Jarvis is a verb, said once and used by the `jarvis` command and by HTTP alike. This
page is made from the verbs themselves. The API is served on the control socket in the state directory (mode 0600):

```console
$ curl --unix-socket STATE/control.sock http://jarvis/v1/jobs/list
$ curl --unix-socket STATE/control.sock http://jarvis/v1/jobs/run -d '{"name": "backup", "with": {"full": true}}'
```

A verb `jobs.list` is `POST /v1/jobs/list` with its parameters as a JSON object (at most 1 MB); verbs that only read
can be asked with `GET` and query parameters, too (a list is a parameter given several times). `GET /healthz` is 200
while the clock goes and 503 when it does not; `GET /openapi.json` describes everything.

Answers are JSON: instants are ISO 8601 in UTC and end in `_at`, lengths are seconds, secrets are `[secret]`. New
fields may be added; none changes its meaning. Errors are `{"error", "kind", "exit_code"}` (and `"problems"` for a
jobs.yaml that cannot be used): 400 a question that cannot be meant, 404 no such thing, 405 a change asked with `GET`,
409 refused, 422 a jobs.yaml with problems, 503 the ledger (or something else that will come back) cannot be used now.
"""


def text() -> str:
    """The whole page."""
    return "\n".join([BEGINNING, *map(_verb, verbs.ALL)])


def _verb(verb: Verb) -> str:
    how = "GET or POST" if verb.reads else "POST"
    away = "" if verb.offline else " It needs a running daemon."
    said = f"## {verb.name}\n\n{verb.help}\n\n*{how}.{away}*\n"
    schema = verb.schema()
    required = schema.get("required", ())
    rows = [_row(name, field, name in required) for name, field in schema["properties"].items()]
    if rows:
        said += "\n| parameter | type | default | meaning |\n|---|---|---|---|\n" + "".join(rows)
    return said


def _row(name: str, field: dict[str, Any], required: bool) -> str:
    default = "required" if required else f"`{json.dumps(field.get('default'))}`"
    return f"| `{name}` | {_type(field)} | {default} | {field.get('description', '').replace('``', '`')} |\n"


def _type(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_type(part) for part in field["anyOf"] if part.get("type") != "null")
    if "enum" in field:
        return ", ".join(f"`{one}`" for one in field["enum"])
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    if "90s" in field.get("examples", ()):
        return "duration"
    low, high = field.get("minimum"), field.get("maximum")
    limits = f" ({low} to {high})" if low is not None and high is not None else ""
    words = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "mapping"}
    return words.get(str(field.get("type")), "anything") + limits


if __name__ == "__main__":
    print(text(), end="")
