"""How do commits reach the upstream branch, and its commits come here? The tree is as it was when they cannot."""

from __future__ import annotations

import contextlib
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from jarvis.sources import git
from jarvis.sources.git import GitError, Repository
from jarvis.sources.mirror import Asked, Done, NoRepository, NotSynced

OURS = "jarvis-sync"
"""A file in .git that says that a rebase under way is ours to abort."""

TRIES = 3


def ready(repository: Repository, asked: Asked) -> None:
    """Raises NoRepository or NotSynced, before anything was touched."""
    folder = asked.repository
    if not folder.is_dir():
        raise NoRepository(f"{folder} does not exist")
    if repository.says("rev-parse", "--is-inside-work-tree") != "true":
        bare = repository.says("rev-parse", "--is-bare-repository") == "true"
        raise NoRepository(
            f"{folder} is a bare repository, without files: clone it and give the clone"
            if bare
            else f"{folder} is not a git repository"
        )
    top = Path(repository.ask("rev-parse", "--show-toplevel"))
    if top.resolve() != folder.resolve():
        raise NotSynced(
            f"{folder} is inside the repository {top}: give that folder, and folder: for the rest"
        )
    lock = repository.private("index.lock")
    if lock.exists():
        raise NotSynced(f"{lock} is there: another git is at work, or one was killed; remove it if none is")
    if repository.private(OURS).exists():
        if repository.underway():
            repository.ask("rebase", "--abort", within=git.COMMIT)
        repository.private(OURS).unlink()
    if what := repository.underway():
        raise NotSynced(f"{what} is under way in {folder}: finish or abort it")
    if repository.says("symbolic-ref", "--quiet", "HEAD") is None:
        raise NotSynced(f"{folder} is on no branch (detached HEAD): run git switch BRANCH there")
    if others := repository.changed(asked.folder):
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise NotSynced(
            f"{folder} has changes that are not committed ({others[0]}{more}): commit or stash them"
        )


def commit(repository: Repository, asked: Asked, done: Done, paths: Sequence[str]) -> None:
    """Commit these files and nothing else, if they changed. Raises NotSynced when git (or a hook) refuses."""
    if not paths:
        return
    if not repository.ask("status", "--porcelain", "--ignored", "--", *paths):
        return
    try:
        repository.ask("add", "--force", "--", *paths, within=git.COMMIT)
        if repository.says("diff", "--cached", "--quiet", "--", *paths) is not None:
            return
        repository.ask("commit", "--quiet", "-m", asked.message, "--", *paths, within=git.COMMIT)
    except GitError as error:
        repository.says("reset", "--quiet", "--", *paths)
        raise NotSynced(f"nothing was committed: {error}") from None
    done.committed = 1


def _upstream(repository: Repository) -> str | None:
    return repository.says("rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}")


def pull(repository: Repository, asked: Asked, done: Done, *, take_back: bool = False) -> bool:
    """Fetch and rebase; False when the remote was not reached. Raises NotSynced on a conflict.

    ``take_back``: nothing but the commit of this run depends on what it exported; on a conflict it goes too, so that
    the next run begins with what the database says then.
    """
    if not repository.says("config", f"branch.{_branch(repository)}.merge"):
        done.words.append("no upstream branch: nothing was pulled or pushed (git push -u makes one)")
        return False
    if not _fetch(repository, done):
        return False
    branch = _upstream(repository)
    if branch is None:  # it is not there yet: the push makes it
        return True
    if repository.says("rev-parse", "--verify", "--quiet", "HEAD") is None:  # nothing was ever committed here
        repository.ask("merge", "--quiet", "--ff-only", branch, within=git.COMMIT)
        done.pulled += int(repository.ask("rev-list", "--count", "HEAD"))
        return True
    coming = int(repository.ask("rev-list", "--count", f"HEAD..{branch}"))
    if not coming:
        return True
    before = repository.ask("rev-parse", "HEAD")
    marker = repository.private(OURS)
    marker.write_text(f"{before}\n")
    try:
        with _by_rows(asked) as settings:
            repository.ask(*settings, "rebase", "--quiet", branch, within=git.NETWORK)
    except GitError as error:
        repository.says("rebase", "--abort")
        back = repository.ask("rev-parse", "HEAD") == before
        if back and take_back and done.committed:
            _take_back(repository, asked, done)
        raise NotSynced(
            f"{error}; the rebase was {'undone' if back else 'not undone'}, nothing was pushed: make the rows the "
            "same on both sides, or set prefer: local or remote"
        ) from None
    finally:
        if repository.underway() is None:
            marker.unlink(missing_ok=True)
    done.pulled += coming
    return True


def _take_back(repository: Repository, asked: Asked, done: Done) -> None:
    """The last commit is undone, and its files are as they were before it."""
    if repository.says("rev-parse", "--verify", "--quiet", "HEAD~1") is None:
        return
    files = repository.ask("diff", "--name-only", "HEAD~1", "HEAD").splitlines()
    repository.ask("reset", "--quiet", "--soft", "HEAD~1")
    repository.ask("reset", "--quiet", "--", *files)
    known = [one for one in files if repository.says("cat-file", "-e", f"HEAD:{one}") is not None]
    if known:
        repository.ask("checkout", "--quiet", "--", *known)
    for new in set(files) - set(known):
        (asked.repository / new).unlink(missing_ok=True)
    done.committed = 0


def _branch(repository: Repository) -> str:
    return repository.ask("symbolic-ref", "--short", "HEAD")


def _fetch(repository: Repository, done: Done) -> bool:
    try:
        repository.ask("fetch", "--quiet", within=git.NETWORK)
    except GitError as error:
        done.wrong("unreachable", f"the remote was not reached, the next run tries again: {error}", "low")
        return False
    return True


@contextlib.contextmanager
def _by_rows(asked: Asked) -> Iterator[list[str]]:
    """Settings by which git merges our files row by row; nothing of the repository is changed for that."""
    with tempfile.NamedTemporaryFile("w", suffix=".attributes") as attributes:
        attributes.write(f"/{asked.folder}/*.jsonl merge=jarvis-rows\n")
        attributes.flush()
        program = f"{shlex.quote(sys.executable)} -m jarvis.sources.rowmerge %O %A %B %P"
        yield [
            "-c", f"core.attributesFile={attributes.name}", "-c", f"merge.jarvis-rows.driver={program}",
            "-c", "merge.jarvis-rows.name=rows by key", "-c", "rebase.autoStash=false",
            "-c", "commit.gpgSign=false",
        ]  # fmt: skip


def push(repository: Repository, asked: Asked, done: Done) -> None:
    """What is ahead of the remote; when somebody was faster, their commits come first, and it is tried again."""
    for left in reversed(range(TRIES)):
        if repository.says("rev-parse", "--verify", "--quiet", "HEAD") is None:
            return
        branch = _upstream(repository)
        ahead = int(repository.ask("rev-list", "--count", f"{branch}..HEAD" if branch else "HEAD"))
        if not ahead:
            return
        try:
            repository.ask("push", "--quiet", within=git.NETWORK)
        except GitError as error:
            if (
                left
                and ("rejected" in str(error) or "fetch first" in str(error))
                and pull(repository, asked, done)
            ):
                continue
            done.wrong("unreachable", f"not pushed, the next run tries again: {error}", "low")
        else:
            done.pushed = ahead
        return
