"""Participants that call each other, in virtual time: short ways to ask, serve, take and answer."""

from __future__ import annotations

from meshmq.core.calls.call import Asking, Call
from meshmq.core.calls.incoming import Incoming
from meshmq.core.calls.survey import Survey
from meshmq.errors import MeshError
from meshmq.wire.calls import Failure, Status, Value, pack_failure
from tests.core.village import Village


def value(text: str) -> Value:
    return Value(text.encode())


class Hamlet(Village):
    """Participants 0 to ``nodes - 1``; nodes from 1 on serve ``add`` unless told otherwise."""

    def __init__(self, nodes: int = 2, *, serving: bool = True, **fields: object) -> None:
        super().__init__(nodes, **fields)  # type: ignore[arg-type]  # what the test gives
        if serving:
            for index in range(1, nodes):
                self.serve(index)
            self.run(0.5)

    def id(self, index: int) -> bytes:
        return self[index].node_id

    def serve(self, index: int, service: str = "add", *, idempotent: bool = False) -> None:
        self.do(index, lambda node, now: node.calls.server.serve(service, now, idempotent=idempotent))

    def unserve(self, index: int, service: str = "add") -> None:
        self.do(index, lambda node, now: node.calls.server.unserve(service, now))

    def take(self, index: int, service: str = "add") -> Incoming:  # type: ignore[override]  # requests here, not jobs
        return self.do(index, lambda node, now: node.calls.server.take(service, now))

    def waiting(self, index: int, service: str = "add") -> int:
        return self[index].calls.server.waiting(service)

    def answer(self, index: int, incoming: Incoming, text: str = "answer") -> bool:
        return self.do(index, lambda node, now: node.calls.server.answer(incoming, value(text), now))

    def fail(self, index: int, incoming: Incoming, kind: str = "ValueError") -> bool:
        failure = pack_failure(Failure(kind, "no", "Traceback", f"n{index}"))
        return self.do(index, lambda node, now: node.calls.server.fail(incoming, failure, now))

    def item(self, index: int, incoming: Incoming, text: str) -> bool:
        return self.do(index, lambda node, now: node.calls.server.item(incoming, value(text), now))

    def end(self, index: int, incoming: Incoming) -> bool:
        return self.do(index, lambda node, now: node.calls.server.end(incoming, now))

    def ask(
        self,
        service: str = "add",
        text: str = "question",
        *,
        index: int = 0,
        timeout: float | None = 5.0,
        retries: int = 0,
        idempotent: bool = False,
        stream: bool = False,
        key: bytes | None = None,
        to: str | None = None,
    ) -> Call:
        asking = Asking(service, value(text), None, timeout, retries, idempotent, stream, key, to)
        return self.do(index, lambda node, now: node.calls.caller.begin(asking, now))

    def cancel(self, call: Call, *, index: int = 0) -> None:
        self.do(index, lambda node, now: node.calls.caller.cancel(call, now))

    def next_item(self, call: Call) -> str | None:
        def take(node: object, now: float) -> Value | None:
            return self[0].calls.caller.next_item(call, now, now)

        found = self.do(0, take)
        return None if found is None else bytes(found.body).decode()

    def survey(self, service: str = "add", timeout: float | None = 5.0) -> Survey:
        asking = Asking(service, value("question"), None, timeout)
        return self.do(0, lambda node, now: node.calls.surveys.begin(asking, now))

    def over(self, survey: Survey) -> bool:
        return self.do(0, lambda node, now: node.calls.surveys.over(survey, now))

    def settle_discovery(self) -> None:
        """Have node 0 know that discovery has looked."""
        self[0].looked = True

    def counts(self, service: str = "add", *, index: int = 0) -> dict[str, int]:
        """Return what became of the calls of a node."""
        return dict(self[index].calls.caller.counts[service].counts)

    def served(self, index: int, service: str = "add") -> dict[str, int]:
        """Return what became of the requests that a node got."""
        return dict(self[index].calls.server.lines[service].counts)


def text(call: Call) -> str:
    """Return the answer of a call."""
    assert call.outcome is not None
    assert call.outcome.error is None, call.outcome.error
    assert call.outcome.answer is not None
    assert call.outcome.answer.status is Status.DONE
    return bytes(call.outcome.answer.value.body).decode()


def error(call: Call) -> MeshError:
    """Return what a call ended by."""
    assert call.outcome is not None, "it goes on"
    assert call.outcome.error is not None
    return call.outcome.error
