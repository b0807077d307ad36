"""Members of groups die, and each group handles every message all the same."""

from __future__ import annotations

from collections import Counter
from typing import Final

import meshmq
from tests.network.audience import PROGRAMS
from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn
from tests.scale import scale

MEMBERS: Final = {"billing": 3, "stock": 2}
COUNT: Final = scale(60, 2_000)
KILLS: Final = scale(1, 3)


def test_each_group_handles_every_message_though_members_are_killed(spawn: Spawn, mesh_name: str) -> None:
    def start(group: str) -> Child:
        return spawn(PROGRAMS / "grouped.py", group, env={"MESHMQ_MESH": mesh_name})

    members = {group: [start(group) for _ in range(count)] for group, count in MEMBERS.items()}
    everybody = [(group, child) for group, children in members.items() for child in children]
    with meshmq.Node("shop", mesh=mesh_name) as node:
        node.wait_for(subscribe="orders.new", count=sum(MEMBERS.values()), timeout=LIMIT)
        for number in range(COUNT):
            node.publish("orders.new", number)
        for _ in range(KILLS):
            victim = members["billing"].pop(0)
            victim.until("begun")  # it has work in hand
            victim.kill()
            members["billing"].append(start("billing"))
            everybody.append(("billing", members["billing"][-1]))
        for number in range(COUNT, 2 * COUNT):
            node.publish("orders.new", number)
        node.flush(3 * LIMIT)
    done: dict[str, Counter[int]] = {group: Counter() for group in MEMBERS}
    unflagged: dict[str, Counter[int]] = {group: Counter() for group in MEMBERS}
    for group, child in everybody:
        if child in members[group]:
            child.end_input()
            assert child.wait() == 0, child.stderr
        for line in child.rest():
            if line.endswith(" ."):  # else a kill has cut it
                word, job, attempt, _ = line.split()
                if word == "done":
                    done[group][int(job)] += 1
                elif attempt == "1":
                    unflagged[group][int(job)] += 1
    for group in MEMBERS:
        assert sorted(done[group]) == list(range(2 * COUNT)), group
        assert max(unflagged[group].values()) == 1, group
    repeated = {group: counts.total() - len(counts) for group, counts in done.items()}
    print(f"{2 * COUNT:,} messages, {KILLS} killed; done again: {repeated}")
    assert repeated["stock"] == 0
