"""``python -m jarvis`` is the ``jarvis`` command."""

from __future__ import annotations

import sys

from jarvis.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
