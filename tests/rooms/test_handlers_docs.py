"""docs/handlers.md says what is there, and its examples run."""

import re
from pathlib import Path

import pytest

import jarvis
from jarvis.handling import catalogue, contract, mount
from jarvis.handling.context import Context

TEXT = (Path(jarvis.__file__).parents[1] / "docs" / "handlers.md").read_text()
SHIPPED = catalogue.Catalogue([("shipped", catalogue.shipped())], entry_points=False)


def section(name: str) -> str:
    found = re.search(rf"^### `{name}`\n(.*?)(?=^### |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"docs/handlers.md has no section for {name}"
    return found[1]


def examples() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", SHIPPED.names())
def test_every_shipped_handler_and_parameter_is_documented(name):
    table = section(name)
    parameters = list(SHIPPED.form_schema(name).get("properties", {}))
    assert [one for one in parameters if f"`{one}`" not in table] == []


@pytest.mark.parametrize("name", SHIPPED.names())
def test_the_documented_defaults_are_the_real_ones(name):
    for words, defaults in re.findall(r"^\| (`.*?`) \| (.*?) \|", section(name), re.MULTILINE):
        for word, default in zip(
            re.findall(r"`(\w+)`", words), re.findall(r"`([^`]*)`", defaults), strict=False
        ):
            real = SHIPPED.form_schema(name)["properties"][word].get("default")
            spelled = "[/]" if real == ["/"] else str(real).lower() if isinstance(real, bool) else f"{real}"
            if real is not None:
                assert default == spelled, (name, word)


def test_nothing_is_documented_that_is_not_there():
    assert sorted(re.findall(r"^### `(.*)`$", TEXT, re.MULTILINE)) == SHIPPED.names()


def test_everything_public_of_the_context_is_documented():
    table = TEXT.partition("## The context")[2].partition("## Testing one")[0]
    public = {name for name in dir(Context) if not name.startswith("_")} | {
        "now",
        "run",
        "deadline",
        "log",
        "memory",
    }
    assert [name for name in sorted(public) if not re.search(rf"^\| `{name}\b", table, re.MULTILINE)] == []


def test_the_example_handler_passes_its_example_tests(tmp_path, monkeypatch):
    handler, _, tests, program = examples()
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "folder_size.py").write_text(handler)
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {}
    exec(compile(tests, "docs/handlers.md", "exec"), space)
    functions = {name: value for name, value in space.items() if name.startswith("test_")}
    assert len(functions) == 3
    for number, function in enumerate(functions.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        function(folder) if "tmp_path" in function.__code__.co_varnames else function()
    (tmp_path / "restic.py").write_text(program)
    found = mount.load(tmp_path / "restic.py")
    assert contract.program(found, {"folder": "/a", "tags": ["x"]}) == ["restic", "backup", "--tag=x", "/a"]


def test_the_example_of_what_does_not_fit_together_says_so(tmp_path):
    path = tmp_path / "h.py"
    start = "from pathlib import Path\n\ndef run(ctx, *, url: str | None = None, inbox: Path | None = None): ...\n"
    path.write_text(start + examples()[1])
    form = mount.load(path).form
    assert form.check({"url": "x"}) == []
    assert form.check({"url": "x", "inbox": "/y"}) == [((), "give url or inbox, not both", None)]


def test_the_example_is_a_handler_without_faults(tmp_path):
    path = tmp_path / "folder_size.py"
    path.write_text(examples()[0])
    found = mount.load(path)
    assert found.description == "Warn before a folder grows too big."
    assert found.form.check({"folder": "/x", "limit": 3}) == []
    assert found.form.schema()["properties"]["folder"]["description"] == "what is measured"
