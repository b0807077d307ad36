"""Two machines that share nothing but a secret and a cable: they meet, in secret, and nobody else does."""

from __future__ import annotations

import re
import secrets
import shutil
from pathlib import Path
from time import monotonic as clock
from typing import Final

import pytest

from tests.network.children import python
from tests.network.conftest import Namespaces, Start
from tests.network.members import Member, member
from tests.network.namespaces import Namespace
from tests.test_readme import marked, shell, write_hello

pytestmark = pytest.mark.root
needs_tcpdump = pytest.mark.skipif(shutil.which("tcpdump") is None, reason="needs tcpdump")

INTRUDER: Final = Path(__file__).parent / "programs" / "intruder.py"
#: In a network of one's own every port is free.
PORT: Final = 5555
LIMIT: Final = 5.0
TIMES: Final = 10


def surroundings(machine: Namespace, mesh: str, **more: str) -> dict[str, str]:
    """Return the environment of a machine of its own where nobody has set anything up."""
    return {**machine.env, "MESHMQ_INTERFACES": "", "MESHMQ_MESH": mesh, **more}


@needs_tcpdump
def test_lines_of_the_readme_bring_the_first_job_in_secret(
    namespaces: Namespaces, start: Start, tmp_path: Path, mesh_name: str
) -> None:
    network = namespaces(2)
    left, right = network.nodes
    write_hello(tmp_path, "blocking")
    once, one, two = (part.partition("\n")[2] for part in re.split(r"^# ", marked("two machines"), flags=re.M)[1:])
    keys = start(shell(once), cwd=tmp_path)
    assert keys.wait() == 0, keys.stderr
    capture = start(network.capture(tmp_path / "wire"))
    capture.until("listening on")

    begun = clock()
    pull = start(left.command(*shell(one)), env=surroundings(left, mesh_name), cwd=tmp_path)
    push = start(right.command(*shell(two)), env=surroundings(right, mesh_name), cwd=tmp_path)
    assert pull.line() == "{'n': 1}"
    took = clock() - begun
    assert push.wait() == 0, push.stderr
    print(f"two machines, from nothing to the first job: {took:.2f} s (limit {LIMIT:g} s)")
    assert took < LIMIT * TIMES

    wire = network.crossed(tmp_path / "wire")
    assert b"CURVE" in wire
    assert b"hello" not in wire
    assert b"\x81\xa1n\x01" not in wire  # {"n": 1}


@needs_tcpdump
@pytest.mark.parametrize("secret", [True, False], ids=["secret", "insecure"])
def test_capture_shows_names_and_data_only_where_that_was_asked_for(
    namespaces: Namespaces, start: Start, tmp_path: Path, mesh_name: str, secret: bool
) -> None:
    network = namespaces(2)
    left, right = network.nodes
    queue, data = f"queue-{secrets.token_hex(8)}", f"data-{secrets.token_hex(16)}"
    env = {"MESHMQ_MESH": mesh_name, **({"MESHMQ_SECRET": secrets.token_urlsafe(32)} if secret else {})}
    capture = start(network.capture(tmp_path / "wire"))
    capture.until("listening on")
    puller = member(start, "puller", env=env, within=left, pull=queue, insecure=not secret)
    pusher = member(start, "pusher", env=env, within=right, push=queue, insecure=not secret)
    pusher.push(data)
    puller.hear(lambda: bool(puller.jobs))
    assert puller.jobs[0][1] == data
    pusher.leave()

    wire = network.crossed(tmp_path / "wire")
    assert mesh_name.encode() in wire  # what zeroconf shows: the capture has seen them meet
    assert [word.encode() in wire for word in (queue, data)] == [not secret, not secret]


@pytest.mark.parametrize("first", [pytest.param("they come first", marks=pytest.mark.stress), "the node comes first"])
def test_nobody_gets_in_without_the_secret(namespaces: Namespaces, start: Start, mesh_name: str, first: str) -> None:
    left, right, third = namespaces(3).nodes
    secret = secrets.token_urlsafe(32)
    env = {"MESHMQ_MESH": mesh_name}
    mine = env | {"MESHMQ_SECRET": secret}
    address = f"{left.address}:{PORT}"
    options = {"peer": address, "push": "jobs"}

    def come() -> Member:
        node = member(start, "node", env=mine, within=left, port=PORT, pull="jobs")
        node.ready()
        return node

    node = come() if first == "the node comes first" else None
    other = member(start, "other", env=env | {"MESHMQ_SECRET": secrets.token_urlsafe(32)}, within=right, **options)
    none = member(start, "none", env=env, within=third, insecure=True, **options)
    plain = start(right.command(*python(INTRUDER, left.address, PORT)), env=surroundings(right, mesh_name))
    for intruder in (other, none):
        intruder.ready()
        intruder.push("stolen")
    node = node or come()

    other.hear(lambda: "its secret is another one" in other.refusals())
    none.hear(lambda: "it has a secret and this node has none" in none.refusals())
    node.hear(lambda: "its secret is another one" in node.refusals())
    node.hear(lambda: "it has no secret and this node has one" in node.refusals())
    told = [plain.line() for _ in range(10)]
    assert {line.split()[0] for line in told} == {"out"}, told
    assert len(set(told)) == 10
    assert (node.peers(), other.peers(), none.peers()) == ({"node": []}, {"other": []}, {"none": []})

    friend = member(start, "friend", env=mine, within=third, **options)
    friend.push("welcome")
    node.hear(lambda: bool(node.jobs))
    assert [data for _, data in node.jobs] == ["welcome"]
    node.saw("joined", "friend")
    assert node.peers() == {"node": ["friend"]}
    keyed = start(third.command(*python(INTRUDER, left.address, PORT, secret)), env=surroundings(third, mesh_name))
    assert keyed.until("in SUB right")
    friend.leave()
