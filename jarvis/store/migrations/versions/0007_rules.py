"""Rules, what a person keeps in mind, and the cache."""

from __future__ import annotations

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Filled below."""
