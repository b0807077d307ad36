"""Each fault strikes under the load of all three patterns, and what is promised is kept."""

from __future__ import annotations

from typing import Final

import pytest

from tests.faults.__main__ import row, run
from tests.faults.faults import FAULTS, Fault
from tests.faults.promises import broken
from tests.faults.rig import SHORT
from tests.network.namespaces import reason_against

#: Of a core, for a process under a load that takes a fifth of it; on a machine that others use, too.
CORE: Final = 0.6

pytestmark = [pytest.mark.stress, pytest.mark.root]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_promises_hold_while_a_fault_strikes(fault: Fault) -> None:
    if reason := reason_against():
        pytest.skip(reason)
    outcome = run(fault, SHORT)
    print(row(fault, outcome))
    assert broken(fault, outcome) == []
    assert outcome.cpu is None or outcome.cpu < CORE
