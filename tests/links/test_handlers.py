"""Our signal handlers are there as long as a node is open, and then what was there before."""

from __future__ import annotations

from tests.drivers.fakes import run_child

HANDLERS = """
import asyncio, contextlib, signal, sys, threading
import meshmq
from meshmq.links import interrupts

def there():
    return signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), sys.unraisablehook

def own(signum, frame): ...

async def main():
    async with meshmq.AsyncNode():
        assert signal.getsignal(signal.SIGTERM) is interrupts._terminate

before = there()
for _ in range(2):
    with meshmq.Node():
        with meshmq.Node():
            assert before[0] not in there() and before[1] not in there()
        assert before[0] not in there() and before[1] not in there()
    assert there() == before
asyncio.run(main())
assert there() == before

with meshmq.Node():
    signal.signal(signal.SIGTERM, own)
assert there() == (before[0], own, before[2])
signal.signal(signal.SIGTERM, signal.SIG_DFL)

class Unopened(meshmq.Node):
    def _open_place(self):
        raise meshmq.LinkError("made to fail")

with contextlib.suppress(meshmq.LinkError):
    Unopened().open()
assert there() == before

node = meshmq.Node().open()
thread = threading.Thread(target=node.close)
thread.start()
thread.join()
assert before[1] not in there()  # only the main thread could
meshmq.Node().open().close()
assert there() == before

left_open = meshmq.Node().open()
print("ours at the end")
"""


def test_with_the_last_node_what_was_there_is_back() -> None:
    child = run_child(HANDLERS)
    assert (child.stdout, child.stderr, child.returncode) == ("ours at the end\n", "", 0)
