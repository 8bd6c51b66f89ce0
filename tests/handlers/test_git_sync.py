"""`git_sync`: two databases on two machines become the same through a repository, and nothing is lost on the way."""

import os
import sqlite3
import stat
import subprocess
from contextlib import closing

import pytest

from jarvis import testing
from jarvis.sources import git, rowmerge
from jarvis.sources.git import GitError, Repository

pytestmark = pytest.mark.needs("git")

PLAIN = {
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org", "GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "ann@example.org",
}  # fmt: skip


def run_git(folder, *words):
    done = subprocess.run(["git", *words], cwd=folder, env=os.environ | PLAIN, capture_output=True, text=True)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout.strip()


class Machine:
    """A clone, a database, and the state of its Jarvis."""

    def __init__(self, base, name, remote):
        self.base = base / name
        self.base.mkdir()
        self.clone = self.base / "clone"
        run_git(base, "clone", "--quiet", str(remote), str(self.clone))
        self.path = self.base / "data.sqlite"
        self.sql("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL, extra BLOB)")

    def sql(self, query, *values):
        with closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute(query, values).fetchall()

    def sync(self, **values):
        given = {
            "database": f"sqlite:///{self.path}", "repository": str(self.clone), "tables": ["notes"],
        }  # fmt: skip
        return testing.run_handler("git_sync", testing.context(state=self.base), **(given | values))

    def notes(self):
        return dict(self.sql("SELECT id, text FROM notes ORDER BY id"))

    def add(self, number, text):
        self.sql("INSERT INTO notes (id, text) VALUES (?, ?)", number, text)

    def change(self, number, text):
        self.sql("UPDATE notes SET text = ? WHERE id = ?", text, number)

    @property
    def file(self):
        return self.clone / "data" / "notes.jsonl"


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """A machine on which nobody ever told git who they are."""
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")


@pytest.fixture
def remote(tmp_path):
    folder = tmp_path / "remote.git"
    run_git(tmp_path, "init", "--quiet", "--bare", "-b", "main", str(folder))
    return folder


@pytest.fixture
def here(tmp_path, remote):
    made = Machine(tmp_path, "here", remote)
    (made.clone / "README").write_text("mine\n")
    run_git(made.clone, "checkout", "--quiet", "-b", "main")
    run_git(made.clone, "add", "README")
    run_git(made.clone, "commit", "--quiet", "-m", "first")
    run_git(made.clone, "push", "--quiet", "-u", "origin", "main")
    return made


@pytest.fixture
def there(tmp_path, remote, here):
    return Machine(tmp_path, "there", remote)


def counted(outcome, **wanted):
    assert outcome.status == "ok", outcome
    names = ("exported", "imported", "committed", "pulled", "pushed", "errors")
    assert dict(outcome.numbers) == dict.fromkeys(names, 0.0) | wanted, outcome
    return outcome


def test_two_databases_become_the_same_both_ways(here, there):
    here.add(1, "one")
    here.add(2, "two")
    outcome = counted(here.sync(), exported=2, committed=1, pushed=1)
    assert outcome.result == "2 exported, 0 imported, 1 committed, 0 pulled, 1 pushed"
    assert there.sync().status == "ok"
    assert there.notes() == {1: "one", 2: "two"}
    there.change(1, "uno")
    there.add(3, "three")
    here.change(2, "zwei")
    here.add(4, "four")
    counted(there.sync(), exported=3, committed=1, pushed=1)
    counted(here.sync(), exported=3, imported=2, committed=1, pulled=1, pushed=1)
    counted(there.sync(), exported=3, imported=2, pulled=1)
    assert here.notes() == there.notes() == {1: "uno", 2: "zwei", 3: "three", 4: "four"}
    counted(here.sync(), exported=4)
    counted(there.sync(), exported=4)


def test_the_export_is_whole_in_the_order_of_keys_and_the_same_for_the_same_rows(here):
    for number in (10, 9, 1):
        here.add(number, "grüße\n")
    here.sql("UPDATE notes SET extra = ? WHERE id = 9", b"\x00\xff")
    here.sync()
    assert here.file.read_text() == (
        '{"extra":null,"id":1,"text":"grüße\\n"}\n'
        '{"extra":{"$bytes":"AP8="},"id":9,"text":"grüße\\n"}\n'
        '{"extra":null,"id":10,"text":"grüße\\n"}\n'
    )
    before = here.file.stat()
    counted(here.sync(), exported=3)
    assert here.file.stat().st_mtime_ns == before.st_mtime_ns, "nothing was written"


def test_bytes_come_back_as_they_were(here, there):
    here.sql("INSERT INTO notes VALUES (1, 'a', ?)", b"\x00\xff")
    here.sync()
    there.sync()
    assert there.sql("SELECT extra FROM notes") == [(b"\x00\xff",)]


def test_a_commit_has_the_author_that_was_given(here):
    here.add(1, "one")
    here.sync(name="Robot", email="robot@example.org", message="Nightly")
    assert run_git(here.clone, "log", "-1", "--format=%an %ae %cn %s") == (
        "Robot robot@example.org Robot Nightly"
    )


def test_a_row_removed_here_is_removed_from_the_file_and_there_only_if_asked(here, there):
    here.add(1, "one")
    here.add(2, "two")
    here.sync()
    there.sync()
    here.sql("DELETE FROM notes WHERE id = 1")
    here.sync()
    assert there.sync().numbers["imported"] == 0
    assert there.notes() == {1: "one", 2: "two"}
    assert there.sync().numbers["committed"] == 0, "it does not come back into the file either"
    assert there.sync(deletions=True).numbers["imported"] == 1
    assert there.notes() == {2: "two"}


def conflict(here, there):
    here.add(1, "one")
    here.sync()
    there.sync()
    here.change(1, "here")
    there.change(1, "there")
    here.sync()


def test_a_row_both_sides_changed_stops_with_the_tree_as_it_was(here, there):
    conflict(here, there)
    outcome = there.sync()
    assert outcome.status == "error"
    assert "data/notes.jsonl: both sides changed the rows [1]" in outcome.error
    assert "the rebase was undone" in outcome.error
    assert Repository(there.clone, identity=("a", "b")).underway() is None
    assert run_git(there.clone, "status", "--porcelain") == ""
    assert run_git(there.clone, "symbolic-ref", "--short", "HEAD") == "main"
    assert there.notes() == {1: "there"}
    assert there.sync().status == "error", "and the next time, too"


@pytest.mark.parametrize("side", ["database", "remote"])
def test_a_conflict_is_over_when_the_rows_are_the_same_on_both_sides(here, there, side):
    conflict(here, there)
    there.add(2, "mine alone")
    assert there.sync().status == "error"
    assert there.file.read_text().count("\n") == 1, "its own commit was taken back"
    if side == "database":
        there.change(1, "here")
    else:
        here.change(1, "there")
        here.sync()
    outcome = there.sync()
    assert (outcome.status, outcome.numbers["pushed"]) == ("ok", 1.0), outcome
    assert here.sync().status == "ok"
    assert here.notes() == there.notes() == {1: "here" if side == "database" else "there", 2: "mine alone"}


@pytest.mark.parametrize(("prefer", "wanted"), [("local", "there"), ("remote", "here")])
def test_a_conflict_is_settled_by_who_is_preferred(here, there, prefer, wanted):
    conflict(here, there)
    there.sync()
    counted(there.sync(prefer=prefer), exported=1, committed=1, pulled=1, imported=int(prefer == "remote"),
            pushed=int(prefer == "local"))  # fmt: skip
    here.sync()
    assert here.notes() == there.notes() == {1: wanted}


def test_offline_it_is_committed_and_pushed_the_next_time(here, remote, tmp_path):
    here.add(1, "one")
    remote.rename(tmp_path / "away")
    outcome = counted(here.sync(), exported=1, committed=1, errors=1)
    assert "the remote was not reached, the next run tries again" in outcome.result
    assert [(alert.key, alert.severity) for alert in outcome.alerts] == [("unreachable", "low")]
    (tmp_path / "away").rename(remote)
    counted(here.sync(), exported=1, pushed=1)
    assert run_git(remote, "show", "main:data/notes.jsonl") == '{"extra":null,"id":1,"text":"one"}'


@pytest.mark.parametrize("place", ["no/such/folder", "."])
def test_what_is_no_repository_is_skipped(here, tmp_path, place):
    folder = tmp_path / "plain"
    folder.mkdir()
    outcome = here.sync(repository=str(folder / place))
    assert outcome.status == "skipped"


def test_a_bare_repository_is_skipped_and_called_one(here, remote):
    outcome = here.sync(repository=str(remote))
    assert outcome.status == "skipped" and "is a bare repository, without files: clone it" in str(outcome)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"tables": []}, "there is nothing to keep the same"),
        ({"keys": {"note": ["id"]}}, "keys: 'note' is none of the tables (notes)"),
    ],
)
def test_what_cannot_be_meant_is_not_tried_again(here, values, said):
    outcome = here.sync(**values)
    assert outcome.status == "gave_up" and said in outcome.error


def _dirty(here):
    (here.clone / "README").write_text("changed\n")
    return "changes that are not committed (README)"


def _detached(here):
    run_git(here.clone, "checkout", "--quiet", "--detach")
    return "detached HEAD"


def _locked(here):
    (here.clone / ".git" / "index.lock").touch()
    return "index.lock is there: another git is at work, or one was killed"


def _merging(here):
    (here.clone / ".git" / "MERGE_HEAD").write_text(run_git(here.clone, "rev-parse", "HEAD") + "\n")
    return "a merge is under way"


@pytest.mark.parametrize("trouble", [_dirty, _detached, _locked, _merging])
def test_a_tree_somebody_is_at_work_in_is_left_alone(here, trouble):
    here.add(1, "one")
    why = trouble(here)
    before = run_git(here.clone, "rev-parse", "HEAD")
    outcome = here.sync()
    assert outcome.status == "error" and why in outcome.error
    assert not here.file.exists()
    assert run_git(here.clone, "rev-parse", "HEAD") == before


def test_files_that_git_does_not_know_are_in_nobodys_way(here):
    (here.clone / "draft.txt").write_text("x")
    here.add(1, "one")
    counted(here.sync(), exported=1, committed=1, pushed=1)
    assert run_git(here.clone, "show", "--name-only", "--format=", "HEAD") == "data/notes.jsonl"


def test_without_an_upstream_it_is_committed_only(here):
    run_git(here.clone, "branch", "--unset-upstream")
    here.add(1, "one")
    outcome = counted(here.sync(), exported=1, committed=1)
    assert "no upstream branch: nothing was pulled or pushed" in outcome.result


def test_a_new_empty_remote_gets_its_first_commit(tmp_path):
    folder = tmp_path / "empty.git"
    run_git(tmp_path, "init", "--quiet", "--bare", "-b", "main", str(folder))
    machine = Machine(tmp_path, "one", folder)
    machine.add(1, "one")
    counted(machine.sync(), exported=1, committed=1, pushed=1)
    other = Machine(tmp_path, "two", folder)
    other.sync()
    assert other.notes() == {1: "one"}


def test_two_clones_of_an_empty_remote_that_both_began_become_one(tmp_path):
    folder = tmp_path / "empty.git"
    run_git(tmp_path, "init", "--quiet", "--bare", "-b", "main", str(folder))
    one, two, three = (Machine(tmp_path, name, folder) for name in ("one", "two", "three"))
    one.add(1, "one")
    two.add(2, "two")
    one.sync()
    counted(two.sync(), exported=1, committed=1, pulled=1, pushed=1, imported=1)
    one.sync()
    assert one.notes() == two.notes() == {1: "one", 2: "two"}
    counted(three.sync(direction="import"), pulled=2, imported=2)
    assert three.notes() == {1: "one", 2: "two"}


def test_a_hook_that_fails_is_told_and_nothing_stays_staged(here):
    hook = here.clone / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho 'error: no commits on Fridays' >&2\nexit 1\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    here.add(1, "one")
    outcome = here.sync()
    assert outcome.status == "error"
    assert "nothing was committed: git commit: error: no commits on Fridays" in outcome.error
    assert run_git(here.clone, "diff", "--cached", "--name-only") == ""
    hook.unlink()
    counted(here.sync(), exported=1, committed=1, pushed=1)


def test_a_rebase_of_ours_that_was_killed_is_undone_by_the_next_run(here, there):
    conflict(here, there)
    there.file.write_text('{"extra":null,"id":1,"text":"there"}\n')
    run_git(there.clone, "commit", "--quiet", "-am", "what a killed run had committed")
    subprocess.run(["git", "fetch"], cwd=there.clone, env=os.environ | PLAIN, check=True, capture_output=True)
    subprocess.run(
        ["git", "rebase", "origin/main"], cwd=there.clone, env=os.environ | PLAIN, capture_output=True
    )
    assert there.sync().error.startswith("a rebase is under way"), "one that is not ours stays"
    (there.clone / ".git" / "jarvis-sync").write_text("x")
    counted(there.sync(prefer="local"), exported=1, pulled=1, pushed=1)


def test_what_was_pulled_before_a_kill_is_not_taken_back_by_the_next_export(here, there):
    here.add(1, "one")
    here.sync()
    there.sync()
    here.change(1, "newer")
    here.add(2, "two")
    here.sync()
    run_git(
        there.clone, "pull", "--quiet", "--rebase"
    )  # and then the machine died, before anything was imported
    counted(there.sync(), exported=1, imported=2)
    assert there.notes() == {1: "newer", 2: "two"}
    counted(here.sync(), exported=2)
    assert here.notes() == {1: "newer", 2: "two"}


def test_a_row_the_database_refuses_is_told_and_stays_in_the_file(here, there):
    there.sql(
        "CREATE TRIGGER no BEFORE INSERT ON notes WHEN NEW.id = 2 BEGIN SELECT RAISE(ABORT, 'not two'); END"
    )
    here.add(1, "one")
    here.add(2, "two")
    here.sync()
    outcome = there.sync()
    assert outcome.numbers["errors"] == 1 and outcome.numbers["imported"] == 1
    assert "row [2] of notes was not taken: not two" in outcome.result
    assert there.notes() == {1: "one"}
    counted(here.sync(), exported=2)
    there.sql("DROP TRIGGER no")
    there.sync()
    assert there.notes() == here.notes() == {1: "one", 2: "two"}


def test_export_only_and_import_only(here, there):
    here.add(1, "one")
    here.sync(direction="export")
    there.add(2, "mine")
    assert there.sync(direction="import").numbers["imported"] == 1
    assert there.notes() == {1: "one", 2: "mine"}
    assert run_git(there.clone, "status", "--porcelain") == ""
    here.add(3, "three")
    here.sync(direction="export")
    there.change(1, "not the truth")
    there.sync(direction="import")
    assert there.notes()[3] == "three"


def test_queries_are_files_that_are_only_exported(here):
    here.add(1, "one")
    here.sync(queries={"count": "SELECT count(*) AS notes FROM notes"})
    assert (here.clone / "data" / "count.jsonl").read_text() == '{"notes":1}\n'
    outcome = here.sync(queries={"bad": "WITH gone AS (SELECT 1) DELETE FROM notes"})
    assert outcome.status == "error" and here.notes() == {1: "one"}
    outcome = here.sync(queries={"bad": "DELETE FROM notes"})
    assert outcome.status == "gave_up" and here.notes() == {1: "one"}


def test_tables_without_a_key_need_one(here, there):
    for machine in (here, there):
        machine.sql("CREATE TABLE tags (note INTEGER, tag TEXT)")
    here.sql("INSERT INTO tags VALUES (1, 'a')")
    outcome = here.sync(tables=["tags"])
    assert "has no primary key: name its key columns under keys:" in outcome.error
    here.sync(tables=["tags"], keys={"tags": ["note", "tag"]})
    there.sync(tables=["tags"], keys={"tags": ["note", "tag"]})
    assert there.sql("SELECT * FROM tags") == [(1, "a")]
    assert "no table 'nottes' (it has: notes, tags)" in here.sync(tables=["nottes"]).error


def test_a_missing_database_is_told(here, tmp_path):
    outcome = here.sync(database=f"sqlite:///{tmp_path}/none.sqlite")
    assert outcome.status == "error" and "there is no database file" in outcome.error


def test_a_file_that_somebody_broke_is_told_with_its_line(here):
    here.add(1, "one")
    here.sync()
    here.file.write_text("{broken\n")
    run_git(here.clone, "commit", "--quiet", "-am", "oops")
    assert "data/notes.jsonl cannot be read: line 1 is not JSON" in here.sync().error


def test_a_push_that_somebody_was_faster_than_is_done_again(here, there, remote):
    there.sync()
    there.add(2, "two")
    hook = here.clone / ".git" / "hooks" / "pre-push"
    other = there.clone
    here.add(1, "one")
    there.sync(push=False)
    hook.write_text(f"#!/bin/sh\nrm -f $0\nunset GIT_DIR\ncd {other} && git push --quiet\n")
    hook.chmod(0o755)
    outcome = here.sync()
    # What came so late is imported by the next run.
    counted(outcome, exported=1, committed=1, pulled=2, pushed=1)
    here.sync()
    there.sync()
    assert here.notes() == there.notes() == {1: "one", 2: "two"}


def test_the_time_limits_are_five_ten_and_thirty_seconds(here, there, monkeypatch):
    here.add(1, "one")
    here.sync()
    there.add(2, "two")
    asked = []
    ask = Repository.ask

    def noted(self, *words, within=git.LOCAL, given=None):
        asked.append((git._verb(words), within.total_seconds()))
        return ask(self, *words, within=within, given=given)

    monkeypatch.setattr(Repository, "ask", noted)
    counted(there.sync(), exported=1, committed=1, pulled=1, imported=1, pushed=1)
    limits = {}
    for verb, seconds in asked:
        limits.setdefault(verb, set()).add(seconds)
    assert {verb: limits.pop(verb) for verb in ("add", "commit", "fetch", "rebase", "push")} == {
        "add": {10}, "commit": {10}, "fetch": {30}, "rebase": {30}, "push": {30},
    }  # fmt: skip
    assert limits and set().union(*limits.values()) == {5}, "whatever else only looks at what is here"


def test_it_exports_commits_pulls_imports_and_pushes_in_this_order(here, there, monkeypatch):
    here.add(1, "one")
    here.sync()
    there.add(2, "two")
    steps = []
    ask = Repository.ask

    def noted(self, *words, **more):
        verb = git._verb(words)
        if verb in ("commit", "fetch", "rebase", "push"):
            written = there.file.exists() and '"two"' in there.file.read_text()
            steps.append((verb, written, 1 in there.notes()))
        return ask(self, *words, **more)

    monkeypatch.setattr(Repository, "ask", noted)
    there.sync()
    assert steps == [
        ("commit", True, False), ("fetch", True, False), ("rebase", True, False), ("push", True, True),
    ]  # fmt: skip


def test_the_file_is_replaced_and_never_half_written(here, tmp_path):
    here.add(1, "one")
    here.sync()
    reader = here.file.open()
    os.link(here.file, tmp_path / "other name")
    here.add(2, "two")
    here.sync()
    assert len(reader.readlines()) == 1, "who reads it goes on reading what it opened"
    reader.close()
    assert len((tmp_path / "other name").read_text().splitlines()) == 1
    assert len(here.file.read_text().splitlines()) == 2
    assert sorted(path.name for path in here.file.parent.iterdir()) == ["notes.jsonl"]


@pytest.mark.parametrize("step", ["fetch", "push"])
def test_a_remote_that_hangs_is_given_up_and_asked_again_by_the_next_run(here, remote, monkeypatch, step):
    """Its program at the other end says nothing."""
    from datetime import timedelta

    monkeypatch.setattr(git, "NETWORK", timedelta(seconds=1.5))
    name = {"fetch": "uploadpack", "push": "receivepack"}[step]
    run_git(here.clone, "config", f"remote.origin.{name}", "sleep 60; true")
    here.add(1, "one")
    outcome = counted(here.sync(), exported=1, committed=1, errors=1)
    assert f"git {step} took longer than 1.5 s" in outcome.result
    assert [alert.key for alert in outcome.alerts] == ["unreachable"]
    run_git(here.clone, "config", "--unset", f"remote.origin.{name}")
    monkeypatch.setattr(git, "NETWORK", timedelta(seconds=30))
    counted(here.sync(), exported=1, pushed=1)


def test_a_git_that_hangs_is_ended_with_all_it_started(here, tmp_path):
    from datetime import timedelta

    alias = f"!echo $$ > {tmp_path}/pid; sleep 60"
    repository = Repository(here.clone, identity=("a", "b"))
    with pytest.raises(GitError, match="git hang took longer than 0.5 s"):
        repository.ask("-c", f"alias.hang={alias}", "hang", within=timedelta(seconds=0.5))
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_git_never_asks_for_a_password(here):
    repository = Repository(here.clone, identity=("a", "b"))
    asked = "protocol=https\nhost=example.invalid\n\n"
    with pytest.raises(GitError, match="terminal prompts disabled|could not read"):
        repository.ask("-c", "credential.helper=", "credential", "fill", given=asked)


def test_the_merge_driver_takes_files_without_a_key_from_here(tmp_path, monkeypatch):
    monkeypatch.setenv("JARVIS_ROWMERGE", '{"prefer": "stop", "keys": {}}')
    for name, text in {"base": "a\n", "up": "b\n", "local": "c\n"}.items():
        (tmp_path / name).write_text(text)
    assert rowmerge.main(*(str(tmp_path / name) for name in ("base", "up", "local")), "data/q.jsonl") == 0
    assert (tmp_path / "up").read_text() == "c\n"
