"""What a handler's author imports is small, and stays small."""

import json
import subprocess
import sys
from pathlib import Path

import jarvis

ROOT = Path(jarvis.__file__).parents[1]
HEAVY = {"pydantic", "sqlalchemy", "apscheduler", "starlette", "asyncio", "click", "psutil", "httpx2"}


def loaded_by(code: str) -> set[str]:
    script = (
        f"{code}\nimport json, sys\nprint(json.dumps(sorted({{m.partition('.')[0] for m in sys.modules}})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


def test_the_public_names_are_these_four():
    assert jarvis.__all__ == ["Context", "GiveUp", "Secret", "Skip"]
    assert dir(jarvis) == jarvis.__all__


def test_the_four_names_load_nothing_heavy():
    loaded = loaded_by("from jarvis import Context, GiveUp, Secret, Skip")
    assert not loaded & HEAVY


def test_a_child_without_values_to_read_loads_nothing_heavy(tmp_path):
    file = tmp_path / "plain.py"
    file.write_text("def run(ctx, *, word: str = 'a', words: list[str] | None = None): return word\n")
    code = (
        "from pathlib import Path\n"
        "from jarvis.handling import child, contract, mount\n"
        f"handler = mount.load(Path({str(file)!r}))\n"
        "assert handler.form.bind({'word': 'b', 'words': ['c']}) == {'word': 'b', 'words': ['c']}"
    )
    assert not loaded_by(code) & HEAVY


def test_importing_every_shipped_handler_loads_no_library_of_their_work():
    code = (
        "from jarvis.handling import catalogue\n"
        "found = catalogue.Catalogue([('shipped', catalogue.shipped())], entry_points=False)\n"
        "assert found.names() and not [one for one in found.handlers() if one.broken]"
    )
    assert not loaded_by(code) & {"sqlalchemy", "apscheduler", "psutil", "httpx2", "tenacity"}


def test_an_unknown_name_is_an_attribute_error_that_lists_the_public_ones():
    try:
        jarvis.Scheduler  # noqa: B018
    except AttributeError as error:
        assert "public are Context, GiveUp, Secret, Skip" in str(error)
    else:
        raise AssertionError("jarvis.Scheduler exists")
