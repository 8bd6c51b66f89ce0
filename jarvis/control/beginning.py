"""How does a ledger begin where Jarvis has never run? Empty, under the instance's lock, without a daemon."""

from __future__ import annotations

import os

from jarvis.config import peek
from jarvis.config.instance import Instance
from jarvis.control.daemon import locked
from jarvis.running import recovery
from jarvis.store.database import Database


def begin(instance: Instance) -> None:
    """Make the ledger; where there is one nothing happens, and where one was lost, neither: a start restores that.

    Raises AlreadyRunning, ConfigError, StoreError.
    """
    instance = peek.placed(instance, peek.peek(instance.config, environ=os.environ, flags={}))
    if instance.ledger.exists() or recovery.highest_directory(instance.runs):
        return
    with locked(instance):
        database = Database(instance.ledger)
        try:
            database.open()
        finally:
            database.close()
