"""Does the JSON Schema take what the loader takes and refuse what it refuses; is every field described?"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel

from jarvis.config import describe, schema, source
from jarvis.core import config, fields, job, parts, telling, when
from jarvis.handling import catalogue
from tests.rooms import bad_jobs, config_files
from tests.rooms.test_config_load import EXAMPLE

DOCS = Path(__file__).parents[2] / "docs" / "jobs.md"
MODELS: list[type[BaseModel]] = [
    config.FileSpec, config.Slots, config.Settings, job.JobSpec, when.When, when.Every, when.Jitter, when.CatchUp,
    when.Watch, when.On, parts.Retry, parts.Stop, parts.Condition, parts.Step, parts.Process, parts.Output,
    parts.Service, fields.SecretRef, telling.AlertRule, telling.Deliver, telling.Alerts, telling.Channel,
    telling.Telegram, telling.Quiet, telling.Escalate,
]  # fmt: skip
FIELDS = [(model, name) for model in MODELS for name in (f.alias or n for n, f in model.model_fields.items())]


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    made = schema.build(config_files.Known())
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(made)


def refused(validator: jsonschema.Draft202012Validator, text: str | bytes) -> bool:
    said = source.read(text if isinstance(text, bytes) else text.encode(), file="jobs.yaml")
    return not validator.is_valid(said.value)


def test_the_example_fits(validator: jsonschema.Draft202012Validator) -> None:
    assert not refused(validator, EXAMPLE)


def examples() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL)


@pytest.mark.parametrize("text", examples(), ids=lambda text: text.strip().splitlines()[0][:40])
def test_every_example_of_the_documentation_is_a_good_file(
    validator: jsonschema.Draft202012Validator, tmp_path: Path, text: str
) -> None:
    assert not refused(validator, text)
    assert config_files.problems(tmp_path, text, {"SITE": "example.org"}) == []


@pytest.mark.parametrize(
    "text",
    [
        "jobs: {a: {}}",
        "jobs: {a: {command: ls, run: command}}",
        "jobs: {a: {run: certifcate}}",
        "jobs: {a: {run: certificate}}",
        "jobs: {a: {run: certificate, with: {host: 5}}}",
        "jobs: {a: {run: certificate, with: {host: x, hots: y}}}",
        "jobs: {a: {run: certificate, with: {host: x, port: 0}}}",
        "jobs: {a b: {command: ls}}",
        "jobs: {a: {command: ls, env: {1A: x}}}",
        "defaults: {cron: '* * * * *'}\njobs: {}",
        *(
            text
            for what, text, _ in bad_jobs.FIELDS
            if what in ("a misspelt field", "retry", "a number for a text")
        ),
    ],
)
def test_what_is_wrong_is_refused(validator: jsonschema.Draft202012Validator, text: str) -> None:
    assert refused(validator, text)


@pytest.mark.parametrize(
    "text",
    [
        "jobs:\n",
        "jobs: {a: {command: [ls, -l], env: {A: !secret env:B}, timeout: none, retry: none}}",
        "jobs: {a: {run: certificate, with: {host: !secret env:B, port: 1}}}",
        "defaults:\ninclude: [a, b]\njobs: {a: {command: ls, every: {period: 5m}}}",
    ],
)
def test_what_is_right_is_taken(validator: jsonschema.Draft202012Validator, text: str) -> None:
    assert not refused(validator, text)


def test_the_shipped_handlers_forms_are_part_of_it() -> None:
    shipped = catalogue.Catalogue([("shipped", catalogue.shipped())], entry_points=False)
    made = schema.build(shipped)
    jsonschema.Draft202012Validator.check_schema(made)
    assert made["$defs"]["JobSpec"]["properties"]["run"]["enum"] == shipped.names()
    assert {f"handler.{name}" for name in shipped.names()} <= made["$defs"].keys()


def test_every_reference_leads_somewhere(validator: jsonschema.Draft202012Validator) -> None:
    root: Any = validator.schema

    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
            return own + [one for inner in part.values() for one in references(inner)]
        return [one for inner in part for one in references(inner)] if isinstance(part, list) else []

    for one in references(root):
        assert one.removeprefix("#/$defs/") in root["$defs"]


@pytest.mark.parametrize(
    ("model", "name"), FIELDS, ids=lambda one: one if isinstance(one, str) else one.__name__
)
def test_every_field_is_described_in_one_line(model: type[BaseModel], name: str) -> None:
    meaning = describe.FIELDS[model.__name__][name]
    assert meaning.endswith(".") and len(meaning) < 110


def test_nothing_else_is_described() -> None:
    described = {(model, name) for model, fields in describe.FIELDS.items() for name in fields}
    assert described == {(model.__name__, name) for model, name in FIELDS}


@pytest.mark.parametrize(
    ("model", "name"), FIELDS, ids=lambda one: one if isinstance(one, str) else one.__name__
)
def test_every_field_has_its_row_in_the_documentation(model: type[BaseModel], name: str) -> None:
    """A table of the model, found by its anchor, with a row: field, meaning, default, example."""
    if model is fields.SecretRef:
        assert "!secret env:NAME" in DOCS.read_text()
        return
    anchor = f'<a id="{model.__name__.lower()}"></a>'
    _, _, rest = DOCS.read_text().partition(anchor)
    section = rest.split('<a id="')[0]
    rows = [line for line in section.splitlines() if line.startswith(f"| `{name}` |")]
    assert rows, f"no row for {name} below {anchor}"
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", rows[0].strip("|"))]
    assert len(cells) == 4 and all(cells), rows[0]
