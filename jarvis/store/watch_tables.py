"""What is remembered of watched files?"""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table

from jarvis.store.tables import Instant, Json, metadata

watches = Table(
    "watches",
    metadata,
    Column("job", String(64), primary_key=True),
    Column("key", String(32), primary_key=True),
    Column("digest", String(40), nullable=False),
    Column("files", Integer, nullable=False),
    Column("known", Json),
    Column("seen_at", Instant, nullable=False),
)
"""What a watch saw last, written in the transaction of the fire it led to. key: which files, in 16 hex digits.

digest: one number for all of them (core/changes.py), or a boot id where ``known`` lists mounted volumes.
"""
