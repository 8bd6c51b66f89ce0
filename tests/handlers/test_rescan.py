"""`rescan`: what was added, changed and removed, by content, told exactly until somebody dealt with it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from jarvis import testing
from jarvis.core.changes import Filter
from jarvis.handling.stores import LazyStores
from jarvis.sources import definitions, scanning
from jarvis.store.database import Database
from jarvis.store.events import Events

OLD = 1_700_000_000


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    folder.mkdir()
    return folder


@pytest.fixture
def rescan(tmp_path, tree):
    def run(**values):
        values.setdefault("command", ["tee", str(tmp_path / "told")])
        return testing.run_handler("rescan", testing.context(state=tmp_path, **values.pop("ctx", {})), path=str(tree),
                                   **values)  # fmt: skip

    return run


@pytest.fixture
def told(tmp_path):
    def read():
        said = json.loads((tmp_path / "told").read_text())
        (tmp_path / "told").unlink()
        return said["added"], said["changed"], said["removed"]

    return read


def put(path, text, at=OLD):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at, at))


def test_added_changed_and_removed_files_are_told_once(tree, rescan, told):
    for name in ("a.txt", "b.txt", "sub/c.txt"):
        put(tree / name, "one")
    outcome = rescan()
    assert outcome.result == "3 added, 0 changed, 0 removed of 3"
    assert told() == (["a.txt", "b.txt", "sub/c.txt"], [], [])
    assert rescan().result == "0 added, 0 changed, 0 removed of 3"
    put(tree / "a.txt", "two", OLD + 5)
    put(tree / "d.txt", "new")
    (tree / "b.txt").unlink()
    assert dict(rescan().numbers) == {
        "files": 3, "added": 1, "changed": 1, "removed": 1, "unreadable": 0, "hashed": 2,
    }  # fmt: skip
    assert told() == (["d.txt"], ["a.txt"], ["b.txt"])


def test_a_file_that_was_only_touched_is_not_changed(tree, rescan, told):
    put(tree / "a", "one")
    rescan()
    told()
    os.utime(tree / "a", (OLD + 9, OLD + 9))
    outcome = rescan()
    assert (outcome.numbers["changed"], outcome.numbers["hashed"]) == (0, 1)
    assert rescan().numbers["hashed"] == 0


def test_a_renamed_file_is_one_removed_and_one_added(tree, rescan, told):
    put(tree / "a", "one")
    rescan()
    told()
    (tree / "a").rename(tree / "b")
    rescan()
    assert told() == (["b"], [], ["a"])


def test_a_change_in_the_same_instant_with_the_same_size_is_found(tree, rescan, told):
    (tree / "a").write_text("one")
    at = (tree / "a").stat().st_mtime
    rescan()
    told()
    put(tree / "a", "two", at)
    rescan()
    assert told() == ([], ["a"], [])


def test_what_a_failed_command_was_told_is_told_again(tree, rescan, told):
    put(tree / "a", "one")
    outcome = rescan(command="cat > ../told; exit 3")
    assert outcome.status == "error"
    assert outcome.error == "'cat > ../told; exit 3' ended with exit code 3; the same files are found again"
    assert told() == (["a"], [], [])
    rescan()
    assert told() == (["a"], [], [])
    assert "could not start: No such file" in rescan_error(tree, rescan)


def rescan_error(tree, rescan):
    put(tree / "b", "one")
    return rescan(command=["/no/such/program"]).error


KILLED = """
import os, sys
from jarvis import testing
from pathlib import Path
testing.run_handler("rescan", testing.context(state=Path(sys.argv[1])), path=sys.argv[2],
                    command="cat > ../told; kill -9 $PPID")
"""


def test_what_a_killed_run_found_is_found_again(tree, rescan, told, tmp_path):
    put(tree / "a", "one")
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path, tree], cwd=root, env=os.environ | {"PYTHONPATH": root}
    )
    assert done.returncode == -signal.SIGKILL
    assert told() == (["a"], [], [])
    rescan()
    assert told() == (["a"], [], [])
    assert rescan().numbers["added"] == 0


def test_the_first_scan_may_be_taken_as_seen(tree, rescan, tmp_path):
    put(tree / "a", "one")
    assert rescan(first=False).numbers["added"] == 0
    put(tree / "b", "one")
    assert rescan(first=False).numbers["added"] == 1


def test_globs_and_ignored_folders(tree, rescan, told):
    for name in ("a.py", "sub/b.py", "c.txt", ".git/d.py", "sub/__pycache__/e.py"):
        put(tree / name, "one")
    rescan(globs=["*.py"])
    assert told() == (["a.py", "sub/b.py"], [], [])


def test_links_are_not_followed_and_circles_do_no_harm(tree, rescan, told):
    put(tree / "a", "one")
    os.symlink(".", tree / "circle")
    os.symlink("a", tree / "link")
    os.mkfifo(tree / "pipe")
    rescan()
    assert told() == (["a"], [], [])


PEAK = """
import resource, sys
from pathlib import Path
from jarvis.core.changes import Filter
from jarvis.sources import scanning

scanning.scan(Path(sys.argv[1]), Filter(), {})
status = Path("/proc/self/status")  # what getrusage says includes the process that forked this one
if status.exists():
    print(next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")))
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_a_huge_file_is_read_in_pieces(tree, rescan):
    with (tree / "huge").open("wb") as file:
        file.truncate(300_000_000)
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", PEAK, tree], cwd=root, env=os.environ | {"PYTHONPATH": root},
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert int(done.stdout) < 150_000, "kilobytes"


def test_a_missing_folder_is_an_error_and_nothing_counts_as_removed(tree, rescan, told):
    put(tree / "a", "one")
    rescan()
    told()
    tree.rename(tree.parent / "away")
    assert "cannot be read: No such file or directory" in rescan().error
    (tree.parent / "away").rename(tree)
    assert rescan().numbers["removed"] == 0


def test_what_cannot_be_read_is_told_and_taken_to_be_as_it_was():
    """Root reads everything, and becomes nobody for a while."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        for name in ("open/a", "closed/b", "locked"):
            put(folder / name, "one")
        known = scanning.scan(folder, Filter(), {}).files
        (folder / "closed").chmod(0)
        (folder / "locked").chmod(0)
        os.utime(folder / "locked", (OLD + 1, OLD + 1))
        own = os.geteuid()
        if own == 0:
            os.seteuid(65534)
        try:
            found = scanning.scan(folder, Filter(), known)
        finally:
            os.seteuid(own)
        assert found.unreadable == {"closed": "Permission denied", "locked": "Permission denied"}
        assert found.empty and found.files == known
    finally:
        (folder / "closed").chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 0}', '{"version": 1, "folder": "/elsewhere", "files": {}}']
)
def test_a_cache_that_is_broken_or_of_another_folder_is_no_cache(tree, text, tmp_path):
    (tmp_path / "cache").write_text(text)
    assert scanning.load(tmp_path / "cache", tree) == {}


def test_an_event_says_what_was_found(tree, tmp_path):
    database = Database(tmp_path / "ledger.sqlite")
    database.open()
    stores = LazyStores(database.url)
    try:
        put(tree / "a", "one")
        ctx = testing.context(state=tmp_path, stores=stores)
        assert testing.run_handler("rescan", ctx, path=str(tree), event="files").status == "ok"
        (event,) = Events(database).pending()
        assert (event.source, event.event_type) == ("rescan", "files")
        assert event.payload == {
            "path": str(tree), "added": ["a"], "changed": [], "removed": [],
            "counts": {"added": 1, "changed": 0, "removed": 0},
        }  # fmt: skip
        ctx = testing.context(state=tmp_path, stores=stores)
        testing.run_handler("rescan", ctx, path=str(tree), event="files")
        assert len(Events(database).newest()) == 1
    finally:
        stores.close()
        database.close()


SOURCE = '''"""A house.

More of it.
"""
import os


class House(Base, metaclass=Meta):
    """Has rooms."""

    async def open(self, door: str = "front", *, wide=False) -> None:
        """Open a door."""

        def inner(): ...


if os.name:
    def later(): pass
'''


def test_an_index_of_functions_and_classes_is_kept_up_to_date(tree, rescan, tmp_path):
    put(tree / "house.py", SOURCE)
    put(tree / "broken.py", "def (:\n")
    put(tree / "latin.py", "# no utf-8: \udcff\n".encode("utf-8", "surrogateescape").decode("latin-1"))
    (tree / "bytes.py").write_bytes(b"x = '\xff'\n")
    put(tree / "notes.txt", "no python")
    where = tmp_path / "index.json"
    outcome = rescan(index="python", output=str(where), command=None)
    assert outcome.status == "ok"
    assert outcome.result == "4 added, 0 changed, 0 removed of 4; 2 with errors of syntax"
    files = json.loads(where.read_text())["files"]
    assert sorted(files) == ["broken.py", "bytes.py", "house.py", "latin.py"]
    assert files["broken.py"]["line"] == 1 and "syntax" in files["broken.py"]["error"]
    assert files["house.py"]["doc"] == "A house."
    assert [
        (one["name"], one["kind"], one["line"], one["signature"], one["doc"])
        for one in files["house.py"]["definitions"]
    ] == [
        ("House", "class", 8, "class House(Base, metaclass=Meta)", "Has rooms."),
        ("House.open", "function", 11,
         "async def open(self, door: str='front', *, wide=False) -> None", "Open a door."),
        ("House.open.inner", "function", 14, "def inner()", ""),
        ("later", "function", 18, "def later()", ""),
    ]  # fmt: skip
    put(tree / "broken.py", "def mended(): pass\n", OLD + 5)
    (tree / "house.py").unlink()
    rescan(index="python", output=str(where), command=None)
    files = json.loads(where.read_text())["files"]
    assert "house.py" not in files and files["broken.py"]["definitions"][0]["name"] == "mended"
    where.unlink()
    rescan(index="python", output=str(where), command=None)
    assert len(json.loads(where.read_text())["files"]) == 3, "an index that is gone is made again"


def test_the_source_is_read_and_never_run(tmp_path):
    path = tmp_path / "danger.py"
    path.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef f(a, /, b, *c, d=1, **e): pass\n")
    (one,) = definitions.of(path)["definitions"]
    assert one["signature"] == "def f(a, /, b, *c, d=1, **e)"
    assert not (tmp_path / "ran").exists()
    path.write_text("(" * 100_000)
    assert "error" in definitions.of(path)
