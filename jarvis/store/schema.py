"""Which tables make a whole ledger? All of them, whoever defined them."""

from __future__ import annotations

from jarvis.store import alert_tables, rule_tables, sample_tables, tables, ticket_tables, watch_tables

EVERYTHING = (tables, alert_tables, watch_tables, sample_tables, ticket_tables, rule_tables)
"""The modules whose import puts tables into ``metadata``."""

metadata = tables.metadata
