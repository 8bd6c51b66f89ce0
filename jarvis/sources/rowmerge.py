"""What do two versions of a JSONL file become? A merge driver for git (gitattributes(5)) that merges rows by key.

python -m jarvis.sources.rowmerge BASE UPSTREAM LOCAL PATH: the result is written to UPSTREAM; exit code 1 is a
conflict. JARVIS_ROWMERGE: {"prefer": …, "keys": {path: [column, …]}}; a file without a key is taken from LOCAL.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from jarvis.core import rows


def main(base: str, upstream: str, local: str, path: str) -> int:
    """The exit code git wants: 0 merged, 1 conflict, more: it could not be tried."""
    asked = json.loads(os.environ["JARVIS_ROWMERGE"])
    columns = asked["keys"].get(path)
    if columns is None:
        Path(upstream).write_bytes(Path(local).read_bytes())
        return 0
    try:
        old, theirs, mine = (
            rows.keyed(rows.parse(Path(name).read_text(encoding="utf-8")), columns)
            for name in (base, upstream, local)
        )
    except ValueError as error:
        print(f"error: {path}: {error}", file=sys.stderr)
        return 1
    merged = rows.merge(old, mine, theirs, asked["prefer"])
    if merged.conflicts:
        shown = ", ".join(merged.conflicts[:5])
        print(f"error: {path}: both sides changed the rows {shown}", file=sys.stderr)
        return 1
    Path(upstream).write_text(rows.written(rows.ordered(merged.rows)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
