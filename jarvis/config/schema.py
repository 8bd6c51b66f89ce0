"""How does an editor know what may be written in jobs.yaml?

JSON Schema, draft 2020-12, made from the models and from the handlers' own forms.
"""

from __future__ import annotations

from typing import Any

from jarvis.config.describe import FIELDS
from jarvis.config.jobs import Handlers
from jarvis.core.config import NOT_DEFAULTS, FileSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
JOB, DEFAULTS, SECRET = "JobSpec", "Defaults", "SecretRef"
NOTHING = {"type": "null"}


def build(handlers: Handlers) -> dict[str, Any]:
    """The schema of a whole jobs.yaml, for the handlers there are now."""
    whole = FileSpec.model_json_schema(by_alias=True)
    models = whole.pop("$defs")
    root = {"$schema": DIALECT, "title": "jobs.yaml", **_plain(_described("FileSpec", whole))}
    definitions = {name: _plain(_described(name, model)) for name, model in models.items()}
    job = definitions[JOB]
    definitions[DEFAULTS] = _defaults(job)
    root["properties"]["defaults"] = {"$ref": f"#/$defs/{DEFAULTS}"}
    for emptied in (root["properties"]["jobs"], definitions[DEFAULTS]):
        emptied["type"] = ["object", "null"]
    job["oneOf"] = [{"required": ["run"]}, {"required": ["command"]}]
    names = sorted(handlers.names())
    job["properties"]["run"] = {"description": FIELDS[JOB]["run"], "enum": names}
    job["allOf"] = [_form(name, handlers.form_schema(name), definitions) for name in names]
    return {**root, "$defs": definitions}


def _described(name: str, model: dict[str, Any]) -> dict[str, Any]:
    for field, schema in model.get("properties", {}).items():
        meaning = FIELDS[name][field]
        model["properties"][field] = {"description": meaning, **schema}
    return model


def _defaults(job: dict[str, Any]) -> dict[str, Any]:
    fields = {name: schema for name, schema in job["properties"].items() if name not in NOT_DEFAULTS}
    return {**job, "description": FIELDS["FileSpec"]["defaults"], "properties": fields}


def _form(name: str, form: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """If a job runs this handler, its values follow the handler's form."""
    place = f"handler.{name}"
    inner = form.get("$defs", {})
    for part, schema in inner.items():
        definitions[f"{place}.{part}"] = _moved(schema, place)
    body = _moved({key: value for key, value in form.items() if key != "$defs"}, place)
    body["properties"] = {key: _or_secret(value) for key, value in body.get("properties", {}).items()}
    definitions[place] = body
    then: dict[str, Any] = {"properties": {"with": {"$ref": f"#/$defs/{place}"}}}
    if body.get("required"):
        then["required"] = ["with"]
    return {"if": {"properties": {"run": {"const": name}}, "required": ["run"]}, "then": then}


def _moved(schema: Any, place: str) -> Any:
    """The schema with its own definitions found under the handler's name."""
    if isinstance(schema, dict):
        return {
            key: value.replace("#/$defs/", f"#/$defs/{place}.")
            if key == "$ref" and isinstance(value, str)
            else _moved(value, place)
            for key, value in schema.items()
        }
    return [_moved(part, place) for part in schema] if isinstance(schema, list) else schema


def _or_secret(schema: dict[str, Any]) -> dict[str, Any]:
    """A value, or the reference to a secret in its place."""
    outer = {key: value for key, value in schema.items() if key in ("description", "default", "title")}
    inner = {key: value for key, value in schema.items() if key not in outer}
    return {**outer, "anyOf": [inner, {"$ref": f"#/$defs/{SECRET}"}]}


def _plain(schema: Any) -> Any:
    """Without pydantic's titles and nulls, and with keys that fit no pattern refused."""
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    choices = schema.get("anyOf")
    if isinstance(choices, list) and NOTHING in choices:
        some = [choice for choice in choices if choice != NOTHING]
        schema = {key: value for key, value in schema.items() if key != "anyOf"}
        schema = {**schema, **some[0]} if len(some) == 1 else {**schema, "anyOf": some}
    result = {key: _plain(value) for key, value in schema.items() if not _noise(key, value)}
    if "patternProperties" in result:
        result["additionalProperties"] = False
    if isinstance(result.get("description"), str):
        result["description"] = " ".join(result["description"].replace("``", "").split())
    return result


def _noise(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)
