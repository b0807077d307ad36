"""Requests, surveys and streams as their callers see them, on both faces."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import meshmq
from meshmq import deadline
from tests.faces.serving import Asked, Server, has_asked, is_cancelled, never, pair
from tests.faces.stage import Stage, soon


async def add(asked: Asked) -> object:
    return sum(asked.data)


async def test_request_returns_the_answer(stage: Stage) -> None:
    caller, server = await pair(stage)
    async with Server(server, "add", add):
        assert await caller.request("add", [1, 2]) == 3
        assert await (await caller.service("add")).request([3, 4]) == 7


async def test_request_waits_for_its_server(stage: Stage) -> None:
    caller, server = await pair(stage)
    asking = asyncio.create_task(caller.request("add", [1, 2]))
    await asyncio.sleep(0)
    async with Server(server, "add", add):
        assert await asking == 3


async def test_many_requests_at_once_each_get_their_own_answer(stage: Stage) -> None:
    caller, server = await pair(stage)

    async def in_turn(asked: Asked) -> object:
        for _ in range(asked.data % 7):
            await asyncio.sleep(0)
        return asked.data * 2

    async with Server(server, "double", in_turn):
        answers = await asyncio.gather(*(caller.request("double", number) for number in range(40)))
    assert answers == [number * 2 for number in range(40)]


async def test_headers_and_large_values_arrive(stage: Stage) -> None:
    caller, server = await pair(stage)

    async def echo(asked: Asked) -> object:
        return [dict(asked.incoming.headers or {}), asked.data]

    async with Server(server, "echo", echo):
        large = b"x" * 3_000_000
        assert await caller.request("echo", large, headers={"a": "b"}, timeout=20) == [{"a": "b"}, large]


async def test_failure_of_a_handler_is_raised_where_it_was_asked(stage: Stage) -> None:
    caller, server = await pair(stage)

    async def fail(asked: Asked) -> object:
        raise KeyError("no such camera")

    async with Server(server, "fail", fail):
        with pytest.raises(meshmq.RemoteError) as raised:
            await caller.request("fail")
    error = raised.value
    assert (error.kind, error.message, error.node) == ("KeyError", "'no such camera'", "server")
    assert str(error) == "KeyError on server: 'no such camera'"
    assert error.traceback.startswith("Traceback")


async def test_request_that_is_too_late_is_cancelled_at_its_server(stage: Stage) -> None:
    caller, server = await pair(stage)
    async with Server(server, "never", never) as serving:
        await caller.wait_for(reply="never", timeout=10)
        with pytest.raises(meshmq.TimedOut, match="no answer of 'never' from server within 1 s"):
            await caller.request("never", timeout=1)
        await soon(lambda: is_cancelled(serving.asked[0]))


async def test_timeout_of_the_settings_is_the_default(stage: Stage) -> None:
    caller, _ = await pair(stage, request_timeout=0.1)
    with pytest.raises(meshmq.NoPeersError, match=r"within 0\.1 s"):
        await caller.request("nobody")
    with pytest.raises(meshmq.NoPeersError, match="nobody serves 'nobody': start"):
        await caller.request("nobody", timeout=0)


async def test_request_of_a_leaving_server_is_lost_and_an_idempotent_one_moves(stage: Stage) -> None:
    caller, first = await pair(stage)
    async with Server(first, "add", never) as serving:
        lost = asyncio.create_task(caller.request("add", [1], timeout=30))
        moved = asyncio.create_task(caller.request("add", [1, 2], timeout=30, idempotent=True))
        await soon(lambda: has_asked(serving, 2))
        second = await stage.node("second")
        async with Server(second, "add", add):
            await caller.wait_for(reply="add", count=2, timeout=10)
            await first.close(0)
            with pytest.raises(meshmq.PeerLost) as raised:
                await lost
            assert raised.value.may_have_run
            assert await moved == 3


async def test_to_names_one_server_by_name_or_id(stage: Stage) -> None:
    caller, server = await pair(stage)
    other, twin = await stage.node("other"), await stage.node("other")

    async def who(asked: Asked) -> object:
        return asked.data

    async with Server(server, "who", who) as asked, Server(other, "who", who), Server(twin, "who", who):
        await caller.wait_for(reply="who", count=3, timeout=10)
        for number in range(3):
            assert await caller.request("who", number, to="server") == number
        assert await caller.request("who", 3, to=server.id) == 3
        assert len(asked.asked) == 4
        with pytest.raises(meshmq.AmbiguousPeer) as raised:
            await caller.request("who", to="other")
        assert set(raised.value.ids) == {other.id, twin.id}


async def test_key_sticks_to_one_server(stage: Stage) -> None:
    caller, server = await pair(stage)
    other = await stage.node("other")
    async with Server(server, "add", add) as one, Server(other, "add", add) as two:
        await caller.wait_for(reply="add", count=2, timeout=10)
        for number in range(6):
            await caller.request("add", [number], key="camera")
        assert sorted([len(one.asked), len(two.asked)]) == [0, 6]


async def test_wait_for_servers(stage: Stage) -> None:
    caller, server = await pair(stage)
    with pytest.raises(meshmq.TimedOut):
        await caller.wait_for(reply="add", timeout=0.05)
    async with Server(server, "add", add):
        (view,) = await caller.wait_for(reply="add", timeout=10)
        assert (view.name, view.serves) == ("server", ("add",))


async def test_survey_returns_what_each_server_said(stage: Stage) -> None:
    caller, server = await pair(stage)
    other = await stage.node("other")

    async def fail(asked: Asked) -> object:
        raise ValueError("no")

    async with Server(server, "poll", add), Server(other, "poll", fail):
        await caller.wait_for(reply="poll", count=2, timeout=10)
        answers = {answer.sender: answer for answer in await caller.survey("poll", [1, 2], timeout=20)}
    assert set(answers) == {"server", "other"}
    assert (answers["server"].data, answers["server"].error) == (3, None)
    assert answers["server"].id == server.id
    assert answers["other"].data is None
    assert isinstance(answers["other"].error, meshmq.RemoteError)


async def test_survey_of_nobody_is_empty(stage: Stage) -> None:
    caller, _ = await pair(stage, settle=0.05)
    assert await caller.survey("nobody", timeout=20) == []


async def test_nested_requests_inherit_what_is_left(stage: Stage) -> None:
    caller, _ = await pair(stage)
    token = deadline.inherit(0.1)
    try:
        with pytest.raises(meshmq.NoPeersError):
            await caller.request("nobody", timeout=60)
        with pytest.raises(meshmq.NoPeersError):
            await caller.request("nobody", timeout=None)
    finally:
        deadline.disinherit(token)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"retries": 1}, "needs idempotent=True"),
        ({"retries": -1, "idempotent": True}, "a whole number from 0"),
        ({"retries": 1, "idempotent": True, "timeout": None}, "share of a timeout"),
        ({"timeout": -1}, "a number of seconds from 0"),
        ({"key": 1.5}, "a str, bytes or int"),
        ({"to": ""}, "the name of a node"),
        ({"headers": {1: 2}}, "str to str"),
    ],
)
async def test_options_that_cannot_be_are_refused_at_the_call(stage: Stage, options: Any, words: str) -> None:
    caller = await stage.node("caller")
    with pytest.raises((meshmq.ConfigError, meshmq.EncodeError), match=words):
        await caller.request("add", **options)


async def test_what_cannot_be_encoded_is_told_to_the_caller(stage: Stage) -> None:
    caller = await stage.node("caller")
    with pytest.raises(meshmq.EncodeError):
        await caller.request("add", object())


async def test_numbers_of_both_ends_agree(stage: Stage) -> None:
    caller, server = await pair(stage)
    async with Server(server, "add", add):
        for number in range(5):
            await caller.request("add", [number])
        asked = (await caller.stats())["services"]["add"]["request"]
        served = (await server.stats())["services"]["add"]["reply"]
    assert (asked["asked"], asked["answered"], asked["outstanding"]) == (5, 5, 0)
    assert (served["received"], served["done"], served["running"], served["waiting"]) == (5, 5, 0, 0)
    assert 0 < served["W"] < asked["W"]


async def test_cancelled_task_gives_its_request_up(stage: Stage) -> None:
    if stage.face == "blocking":
        pytest.skip("a thread cannot be cancelled")
    caller, server = await pair(stage)
    async with Server(server, "never", never) as serving:
        asking = asyncio.create_task(caller.request("never", timeout=None))
        await soon(lambda: has_asked(serving, 1))
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await soon(lambda: is_cancelled(serving.asked[0]))


async def test_closing_the_node_ends_its_calls(stage: Stage) -> None:
    caller, server = await pair(stage)
    async with Server(server, "never", never) as serving:
        asking = asyncio.create_task(caller.request("never", timeout=None))
        await soon(lambda: has_asked(serving, 1))
        await caller.close(0)
        with pytest.raises(meshmq.ClosedError):
            await asking
        await soon(lambda: is_cancelled(serving.asked[0]))
