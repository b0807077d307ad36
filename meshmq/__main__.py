"""``python -m meshmq`` is the command ``meshmq``."""

from __future__ import annotations

import sys

from meshmq.cli import main

if __name__ == "__main__":
    sys.exit(main())
