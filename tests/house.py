"""The plan of the house: who stands on whom, and which door leads outside."""

from __future__ import annotations

from typing import Final

#: Each line may import from the lines above it, and from itself only within one package.
LAYERS: Final = (
    {"errors"},
    {"names"},
    {"settings", "history"},
    {"fate", "blame"},
    {"message", "codecs", "checks"},
    {"wire"},
    {"core"},
    {"links"},
    {"drivers", "discovery", "journal"},
    {"waiting", "deadline", "reading"},
    {"supply", "delivery", "forwarding", "recording"},
    {"consumer", "handling", "seeing", "letters", "whereabouts"},
    {"request"},
    {"wishes", "listener", "servant", "watchdog"},
    {"pulling", "replying", "calling", "incarnation"},
    {"listening"},
    {"errands"},
    {"holding"},
    {"pushing"},
    {"node"},
    {"device"},
    {"faces"},
    {"supervisor"},
    {"pipeline", "routing", "testing"},
    {"patterns"},
    {"bench"},
    {"cli"},
    {"", "__main__"},
)

#: Third parties (and one of the standard library), each with its one door. A recipe shows a program without us, and
#: what `meshmq bench --baseline` compares us with is one, too.
DOORS: Final[dict[str, str | tuple[str, ...]]] = {
    "zmq": ("meshmq/links/", "patterns/plain_zeromq.py", "meshmq/bench/plain/"),
    "msgpack": ("meshmq/codecs/msgpack.py", "patterns/plain_zeromq.py", "meshmq/bench/plain/"),
    "zeroconf": "meshmq/discovery/zeroconf.py",
    "ifaddr": "meshmq/discovery/adapters.py",
    "sqlite3": "meshmq/journal/sqlite.py",
    "numpy": ("meshmq/codecs/", "meshmq/bench/values.py"),
    "rich": "meshmq/cli/",
    "matplotlib": "meshmq/bench/plot.py",
    "pytest": "meshmq/testing/fixtures.py",
}

#: What code that decides without I/O cannot know, and what it may use of two more.
PURE: Final = {"errors", "names", "settings", "fate", "blame", "message", "wire", "core"}
IMPURE_MODULES: Final = {
    "asyncio", "concurrent", "fcntl", "io", "multiprocessing", "os", "pathlib", "secrets", "select",
    "selectors", "signal", "socket", "ssl", "subprocess", "tempfile", "threading", "time", "uuid",
}  # fmt: skip

PURE_PARTS: Final = {"random": {"Random"}, "logging": {"DEBUG", "INFO", "WARNING", "ERROR"}}

#: Who in core/ may import its sisters, each with its reason.
JOINERS: Final = {
    "participant": "joins all machines to one that decides for a node",
    "part": "says what topics and services are to it, and it to them",
    "feed": "the part of it that has the topics",
    "calls": "the part of it that has the services",
    "relay": "the part of it that makes it a device: flights, limits, answers as those of outboxes and inboxes",
    "copies": "the part of it that publishes copies of what the others read or send on",
    "trade": "the part of it that users of queues call",
    "footing": "the part of it that the other patterns stand on",
    "backlog": "what of an outbox no worker has: runs, in pauses, for one node",
    **dict.fromkeys(("exchange", "sending"), "the parts of it that join outboxes and inboxes to sessions"),
    "receiving": "the part of it that listens to sessions",
    "quiet": "the part of it that knows whether anything is open",
    "meeting": "the part of it that joins sessions to presence",
    "presence": "hears who comes; doubts are the other half of it",
    "doubts": "the roster and the rumours are its two lists",
    "session": "is a line that is redialled",
    "stream": "sends large messages as transfers",
    "line": "keeps up a stream, with a pulse",
    "inbox": "gives hands out of sources, and receipts for them, as credit allows",
    "outbox": "keeps runs: on routes, in pauses, with their cargo",
    **dict.fromkeys(
        (
            *("credit", "hands", "receipts", "routes", "pauses", "cargo", "directed", "levels", "keys", "dead"),
            *(
                "custody",
                "keeping",
                "settling",
                "dispatch",
                "endings",
                "durable",
                "ledger",
                "fetched",
                "leases",
                "owners",
            ),
        ),
        "a part of an inbox or outbox, made of others",
    ),
}

#: What runs in virtual time, where a sleep costs nothing and hides no race.
VIRTUAL: Final = {
    "meshmq/testing/fates.py",
    "meshmq/testing/trial.py",
    "tests/testing/test_disk.py",
    "tests/testing/test_poison.py",
    "tests/testing/test_programs.py",
    "tests/testing/test_queueing.py",
    "tests/testing/test_witness.py",
}
