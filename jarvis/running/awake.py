"""How is the machine kept awake while a job with ``keep_awake`` runs?"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from jarvis.core.job import Job
from jarvis.errors import LaunchError

log = logging.getLogger("jarvis.running")

LAST_WORDS = 1.0


def inhibitor(name: str) -> tuple[str, ...]:
    """The words before a program that keep the machine awake as long as it runs. Raises LaunchError."""
    if sys.platform == "darwin":
        return ("/usr/bin/caffeinate", "-i")
    found = shutil.which("systemd-inhibit")
    if found is None:
        raise LaunchError("keep_awake needs systemd-inhibit, which is not on this machine; remove keep_awake")
    return (found, "--what=sleep:idle", "--who=jarvis", f"--why=job {name} is running", "--mode=block")


@contextmanager
def kept(job: Job) -> Iterator[None]:
    """Awake while the block runs, if the job asks for it: for what runs in the daemon itself.

    Whatever keeps it awake ends with the daemon too, also when that is killed: its input closes then.
    """
    if not job.spec.keep_awake:
        yield
        return
    words = (*inhibitor(job.name), "cat")
    try:
        keeper = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
    except OSError as error:
        raise LaunchError(f"keep_awake: {words[0]}: {os.strerror(error.errno or 0)}") from error
    try:
        yield
    finally:
        if keeper.poll() is not None:
            log.warning(
                "job %s did not keep the machine awake: %s ended with %d",
                job.name,
                words[0],
                keeper.returncode,
            )
        assert keeper.stdin is not None
        keeper.stdin.close()
        try:
            keeper.wait(LAST_WORDS)
        except subprocess.TimeoutExpired:
            keeper.kill()
            keeper.wait()
