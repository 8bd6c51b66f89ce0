"""Which handlers there are: whose wins, what breaks one, what heals it."""

import os
from datetime import timedelta
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from jarvis import errors
from jarvis.handling import catalogue, probe
from jarvis.handling.catalogue import Catalogue

GOOD = '"""Say {word}."""\ndef run(ctx, *, limit: int = 1): return "{word}"\n'


def good(word: str) -> str:
    return GOOD.replace("{word}", word)


@pytest.fixture
def user(tmp_path):
    folder = tmp_path / "handlers"
    folder.mkdir(mode=0o755)
    return folder


def test_a_shipped_handler_is_imported_when_it_is_asked_for_and_only_once(tmp_path):
    folder = tmp_path / "shipped"
    folder.mkdir()
    note = tmp_path / "imported"
    for name in ("one", "two"):
        tell = f"open({str(note)!r}, 'a').write('{name} ')\n"
        (folder / f"{name}.py").write_text(good(name) + tell)
    found = Catalogue([(catalogue.SHIPPED, folder)], entry_points=False)
    assert found.names() == ["one", "two"]
    before = found.fingerprint
    assert found.is_python("one") and not note.exists()
    found.load(["two", "three"])
    assert found.get("two").ready()[0](None) == "two"
    assert found.refresh() == frozenset()
    assert found.get("two").description == "Say two."
    assert (note.read_text(), found.fingerprint) == ("two ", before)
    (folder / "one.py").write_text("import nowhere_to_be_found\ndef run(ctx): ...\n")
    assert found.refresh() == {"one"}
    assert "nowhere_to_be_found" in (found.why_broken("one") or "")


@pytest.fixture
def ours(tmp_path):
    folder = tmp_path / "shipped"
    folder.mkdir()
    return folder


@pytest.fixture
def found(user, ours):
    """A catalogue over both folders, as they are now."""
    return lambda: Catalogue([("user", user), ("shipped", ours)], entry_points=False)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.py"
    path.write_text(text)
    path.chmod(0o644)
    return path


def test_a_file_is_a_handler_with_its_name_and_description(user, found):
    path = write(user, "tidy-up", '"""Tidy up.\n\nAll of it."""\nasync def run(ctx): ...\n')
    handler = found().get("tidy-up")
    assert (handler.name, handler.origin, handler.path, handler.kind) == ("tidy-up", "user", path, "python")
    assert (handler.description, handler.doc, handler.broken, handler.shadows) == (
        "Tidy up.",
        "All of it.",
        None,
        None,
    )


def test_other_files_are_no_handlers(user, found):
    for name in ("_shared", "test_tidy", "conftest", "with space", ".hidden"):
        write(user, name, "raise SystemExit(1)\n")
    (user / "folder.py").mkdir()
    (user / "notes.txt").write_text("x")
    assert found().names() == []


def test_folders_that_do_not_exist_are_empty(tmp_path):
    assert Catalogue([("user", tmp_path / "no")], entry_points=False).names() == []


def test_yours_wins_over_the_shipped_one_and_says_so(user, ours, found):
    write(ours, "health", good("ours"))
    assert found().get("health").shadows is None
    write(user, "health", good("yours"))
    handler = found().get("health")
    assert (handler.origin, handler.description) == ("user", "Say yours.")
    assert handler.shadows == f"shipped: {ours / 'health.py'}"


def test_an_unknown_name_suggests_the_nearest(user, found):
    write(user, "backup", good("x"))
    with pytest.raises(errors.NotFound, match="no handler 'bakcup'; did you mean 'backup'"):
        found().get("bakcup")
    with pytest.raises(errors.NotFound, match="there are backup"):
        found().get("zzz")


def test_it_answers_what_the_configuration_asks(user, found):
    write(user, "py", good("x"))
    write(user, "prog", "def argv(*, level: int): return ['ls']\n")
    handlers = found()
    assert handlers.names() == ["prog", "py"]
    assert (handlers.is_python("py"), handlers.is_python("prog")) == (True, False)
    assert handlers.check("py", {"limt": 1}) == [(("limt",), "no parameter 'limt'", "did you mean 'limit'?")]
    assert handlers.check("prog", {"level": 3}) == []
    assert handlers.form_schema("prog")["required"] == ["level"]


class TestRefresh:
    def test_names_what_is_new_changed_and_gone(self, user, found):
        write(user, "a", good("a"))
        write(user, "b", good("b"))
        handlers = found()
        assert handlers.refresh() == frozenset()
        write(user, "a", good("A"))
        (user / "b.py").unlink()
        write(user, "c", good("c"))
        assert handlers.refresh() == {"a", "b", "c"}
        assert handlers.get("a").function(None) == "A" and handlers.names() == ["a", "c"]

    def test_a_touch_changes_nothing_and_imports_nothing(self, user, found):
        path = write(user, "a", good("a"))
        handlers = found()
        before = handlers.get("a").function
        os.utime(path, (1, 1))
        assert handlers.refresh() == frozenset()
        assert handlers.get("a").function is before

    def test_a_save_of_the_same_size_by_rename_is_seen(self, user, found):
        path = write(user, "a", good("one"))
        handlers = found()
        about = path.stat()
        new = write(user, "_new", good("two"))
        os.utime(new, ns=(about.st_atime_ns, about.st_mtime_ns))
        new.replace(path)
        assert handlers.refresh() == {"a"} and handlers.get("a").function(None) == "two"

    def test_a_shared_file_reloads_its_folder(self, user, found):
        write(user, "_shared", "WORD = 'one'\n")
        write(user, "a", "from ._shared import WORD\ndef run(ctx): return WORD\n")
        handlers = found()
        assert handlers.get("a").function(None) == "one"
        write(user, "_shared", "WORD = 'three'\n")
        handlers.refresh()
        assert handlers.get("a").function(None) == "three"

    def test_the_fingerprint_changes_with_any_content_and_comes_back_with_it(self, user, found):
        write(user, "a", good("a"))
        handlers = found()
        first = handlers.fingerprint
        write(user, "a", good("bb"))
        handlers.refresh()
        assert handlers.fingerprint != first
        write(user, "a", good("a"))
        handlers.refresh()
        assert handlers.fingerprint == first == found().fingerprint


class TestBroken:
    def test_a_syntax_error_breaks_one_handler_and_heals_on_save(self, user, found):
        write(user, "good", good("x"))
        path = write(user, "bad", "def run(ctx:\n")
        handlers = found()
        assert handlers.why_broken("good") is None
        assert handlers.why_broken("bad") == f"{path}:1: '(' was never closed"
        assert handlers.check("bad", {"anything": 1}) == [] and handlers.form_schema("bad") == {
            "type": "object"
        }
        write(user, "bad", good("healed"))
        assert handlers.refresh() == {"bad"} and handlers.why_broken("bad") is None

    @pytest.mark.parametrize(
        ("text", "python"), [("def argv(*, x:\n", False), ("async def run(ctx:\n", True), ("(", True)]
    )
    def test_a_broken_one_keeps_its_kind(self, user, found, text, python):
        write(user, "bad", text)
        assert found().is_python("bad") is python

    def test_a_broken_one_of_yours_still_hides_the_shipped_one(self, user, ours, found):
        write(ours, "health", good("ours"))
        write(user, "health", "nonsense(")
        handler = found().get("health")
        assert handler.broken and handler.origin == "user" and handler.shadows

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (
                "import os\nos._exit(3)\n",
                "importing it ended the process (exit code 3): move the work into run()",
            ),
            (
                "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
                "importing it crashed the process (SIGSEGV)",
            ),
            ("import ctypes\nctypes.string_at(0)\n", "importing it crashed the process (SIGSEGV)"),
            ("import sys\nsys.exit('no')\n", "importing it ended the program (exit code no)"),
            ("raise KeyboardInterrupt\n", "importing it crashed the process (SIGINT)"),
        ],
        ids=["exit", "killed", "crash", "sys_exit", "interrupt"],
    )
    def test_a_file_that_ends_its_process_does_not_end_this_one(self, user, found, text, said):
        write(user, "deadly", f"{text}\ndef run(ctx): ...\n")
        write(user, "zebra", good("x"))
        handlers = found()
        assert said in handlers.why_broken("deadly") and str(user / "deadly.py") in handlers.why_broken(
            "deadly"
        )
        assert handlers.why_broken("zebra") is None

    def test_a_file_that_hangs_is_given_up(self, user):
        slow = write(user, "slow", "import time\ntime.sleep(600)\n")
        quick = write(user, "quick", good("x"))
        found = probe.deadly([slow, quick], limit=timedelta(seconds=0.4))
        assert set(found) == {slow} and "did not end within 0.4 s" in found[slow]

    def test_a_thread_left_by_an_import_does_not_hold_the_probe(self, user):
        text = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n"
        assert probe.deadly([write(user, "thread", text + good("x"))]) == {}

    def test_what_a_file_prints_at_import_does_not_confuse_the_probe(self, user):
        assert (
            probe.deadly([write(user, "loud", "import os\nos.write(1, b'x\\n' * 50)\nprint('ok')\n")]) == {}
        )


class TestUnsafe:
    def test_a_file_others_can_write_is_not_even_imported_and_heals(self, user, found):
        mark = user / "mark"
        path = write(user, "open", f"open({str(mark)!r}, 'w').close()\n{good('x')}")
        path.chmod(0o666)
        handlers = found()
        assert f"run: chmod go-w {path}" in handlers.why_broken("open")
        assert not mark.exists() and handlers.is_python("open")
        path.chmod(0o644)
        assert handlers.refresh() == {"open"} and handlers.why_broken("open") is None
        path.chmod(0o666)
        assert handlers.refresh() == {"open"} and handlers.why_broken("open")

    def test_a_folder_others_can_write_breaks_all_in_it(self, user, found):
        write(user, "a", good("a"))
        handlers = found()
        user.chmod(0o777)
        handlers.refresh()
        assert f"chmod go-w {user}" in handlers.why_broken("a")


class TestPublished:
    def test_handlers_of_installed_packages_come_last(self, user, tmp_path, monkeypatch):
        package = tmp_path / "site" / "somebody_handlers"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        write(package, "lights", good("theirs") + "from ._lamp import WORD\n")
        write(package, "_lamp", "WORD = 1\n")
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        points = [
            EntryPoint("lights", "somebody_handlers.lights", catalogue.GROUP),
            EntryPoint("gone", "somebody_handlers.gone", catalogue.GROUP),
            EntryPoint("nowhere", "no_such_package.x", catalogue.GROUP),
        ]
        monkeypatch.setattr(catalogue.importlib.metadata, "entry_points", lambda group: points)
        handlers = Catalogue([("user", user)])
        handler = handlers.get("lights")
        assert (handler.origin, handler.description, handler.broken) == (
            "somebody_handlers.lights",
            "Say theirs.",
            None,
        )
        assert (
            handlers.why_broken("gone") == "somebody_handlers.gone: cannot be read: No such file or directory"
        )
        assert handlers.why_broken("nowhere") and handlers.names() == ["gone", "lights", "nowhere"]
        write(user, "lights", good("yours"))
        both = Catalogue([("user", user)])
        assert both.get("lights").origin == "user" and both.get("lights").shadows.endswith("lights.py")


def test_the_shipped_folder_is_there_and_whole():
    handlers = Catalogue([("shipped", catalogue.shipped())], entry_points=False)
    assert {"backup_ledger", "command", "health", "http", "prune", "webhook_poll"} <= set(handlers.names())
    for handler in handlers.handlers():
        assert handler.broken is None and handler.description.endswith(".")
        fields = handlers.form_schema(handler.name).get("properties", {})
        assert all(field.get("description") for field in fields.values()), handler.name
