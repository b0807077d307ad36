"""Simulated control connections: claims, reconnects, and old ends that are told last."""

from __future__ import annotations

from tests.testing.lab import Lab


def test_a_control_connection_is_heard_as_claims_and_hears_what_matches() -> None:
    lab = Lab()
    lab.dial(lab.b.control, "control", [b"card", b"\xffa", b"card"])
    assert lab.heard(lab.b).log == [("claim", b"card", True), ("claim", b"\xffa", True)]
    lab.does(lab.b, ("publish", [b"card", b"1"]), ("publish", [b"beat", b"2"]))
    lab.pass_time()
    assert lab.heard(lab.a).log == [("reached", 0, lab.b.control), ("hear", 0, [b"card", b"1"])]
    lab.does(lab.a, ("hang_up", 0))
    lab.pass_time()
    assert lab.heard(lab.b).log[2:] == [("claim", b"card", False), ("claim", b"\xffa", False)]


def test_a_broken_control_connection_comes_back_and_its_old_claim_may_end_last() -> None:
    for told, rejoin, order in ((0.01, 0.5, [True, False, True]), (1.0, 0.2, [True, True, False])):
        lab = Lab()
        lab.dial(lab.b.control, "control", [b"card"])
        (control,) = lab.b.audience
        lab.sim.storm.break_off(control, told, rejoin)
        lab.does(lab.b, ("publish", [b"card", b"lost"]))
        lab.pass_time(2)
        assert lab.heard(lab.b).of("claim") == [(b"card", present) for present in order]
        assert lab.heard(lab.a).of("ended") == []
        lab.does(lab.b, ("publish", [b"card", b"heard"]))
        lab.pass_time()
        assert lab.heard(lab.a).of("hear") == [(0, [b"card", b"heard"])]


def test_a_control_connection_may_end_for_good_and_then_says_so() -> None:
    lab = Lab()
    lab.dial(lab.b.control, "control", [b"card"])
    lab.sim.storm.end(lab.b.audience[0])
    lab.pass_time(10)
    assert lab.heard(lab.a).of("ended") == [(0,)]
    assert lab.heard(lab.b).of("claim") == [(b"card", True), (b"card", False)]


def test_a_long_stall_breaks_control_connections_and_a_short_one_does_not() -> None:
    for seconds, order in ((2.0, [True]), (9.0, [True, False, True])):
        lab = Lab()
        lab.dial(lab.b.control, "control", [b"card"])
        lab.sim.storm.stall(lab.a, seconds)
        lab.pass_time(15)
        assert lab.heard(lab.b).of("claim") == [(b"card", present) for present in order]


def test_who_subscribed_is_heard_by_the_next_process_at_that_address() -> None:
    lab = Lab()
    lab.dial(lab.b.control, "control", [b"card"])
    lab.sim.crash(lab.b)
    lab.pass_time(1)
    fresh = lab.sim.restart(lab.b, same_address=True)
    lab.pass_time(2)
    assert lab.heard(fresh).of("claim") == [(b"card", True)]
