"""What a device shows of what passes through it: plain values, read under the lock."""

from __future__ import annotations

from typing import Any

from meshmq.core.relay.relay import Relay
from meshmq.core.relay.topics import Topics


def forwarding(relay: Relay, elapsed: float) -> dict[str, dict[str, dict[str, Any]]]:
    """Return what passed through a node, by ``queues``, ``topics`` (their patterns) and ``services``."""
    queues: dict[str, dict[str, Any]] = {
        queue: {
            "pushers": len(transit.pushers),
            "workers": len(transit.workers),
            "received": transit.received,
            "waiting": transit.here,
            "in_flight": transit.away,
            "acked": transit.acked,
            "returned": transit.returned,
            "lost": transit.lost,
            "λ": transit.received / elapsed,
        }
        for queue, transit in relay.queues.items()
    }
    services: dict[str, dict[str, Any]] = {}
    for service, counts in relay.passages.counts.items():
        told = {word: counts[word] for word in ("received", "answered", "refused", "cancelled", "lost", "retried")}
        outstanding = relay.passages.outstanding(service)
        services[service] = {**told, "outstanding": outstanding, "λ": counts["received"] / elapsed}
    return {"queues": queues, "topics": _topics(relay.topics, elapsed), "services": services}


def _topics(topics: Topics, elapsed: float) -> dict[str, dict[str, Any]]:
    return {
        pattern: {
            "publishers": len(topics.upstreams),
            "subscribers": len(topics.probes),
            "received": counts["received"],
            "batches": counts["batches"],
            "bytes": counts["bytes"],
            "λ": counts["received"] / elapsed,
        }
        for pattern, counts in topics.counts.items()
    }
