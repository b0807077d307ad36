"""``python -m meshmq.testing --seed N ...`` replays a simulation."""

from __future__ import annotations

import sys

from meshmq.testing.command_line import main

if __name__ == "__main__":
    sys.exit(main())
