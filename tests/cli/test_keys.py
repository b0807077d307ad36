"""``meshmq keys new`` prints a secret and nothing else."""

from __future__ import annotations

import pytest

from meshmq.cli import main
from meshmq.links.security import load_secret


def test_new_secret_is_all_of_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    made = []
    for _ in range(2):
        assert main(["keys", "new"]) == 0
        out, said = capsys.readouterr()
        assert out.count("\n") == 1
        assert "MESHMQ_SECRET" in said
        made.append(out.strip())
        assert load_secret(made[-1], {}) == made[-1]
    assert made[0] != made[1]
