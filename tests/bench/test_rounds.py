"""All kinds of work are done by both sides, and their figures come out; nothing here is timed."""

from __future__ import annotations

from typing import get_args

import pytest

from meshmq.bench.actors import Troupe
from meshmq.bench.kinds import FIGURES, figures, mesh, plain
from meshmq.bench.rounds import Compared, Scene, compare
from meshmq.bench.table import document, text
from meshmq.bench.work import Face, Kind, Transport, Work, size_of
from meshmq.errors import MeshError
from tests.scale import STRESS


def works() -> list[Work]:
    """Return one of each kind, of the faces and of what is done by several."""
    found = [
        Work(kind="push", count=40, senders=2, receivers=2),
        Work(kind="push", count=40, face="async", transport="tcp", secure=True),
        Work(kind="large", count=3, size=100_000, transport="tcp"),
        Work(kind="publish", count=40, receivers=2, size=10),
        Work(kind="request", count=40, in_flight=2),
        Work(kind="request", count=8, face="async", in_flight=2, rate=1_000.0, transport="tcp"),
        Work(kind="discover", count=2, receivers=2),
    ]
    if STRESS:
        kinds: tuple[Kind, ...] = ("push", "publish", "request")
        found += [
            Work(kind=kind, count=40, face=face, transport=transport, senders=2, receivers=2, secure=secure)
            for kind in kinds
            for face in get_args(Face)
            for transport in get_args(Transport)
            for secure in (False, True)
        ]
    return found


def test_every_kind_of_work_gives_its_figures_at_both_sides() -> None:
    all_compared = [Compared(work, (mesh(work.kind, work.face), plain(work.kind, work.face))) for work in works()]
    told: list[tuple[int, str]] = []
    scene = Scene(Troupe(), Troupe())
    try:
        compare(all_compared, scene, 1, lambda number, compared, side, run: told.append((number, side.name)))
    finally:
        scene.close()
    assert len(told) == 2 * len(all_compared)
    for compared in all_compared:
        ours, theirs = compared.sides
        keys = {figure.key for figure in FIGURES[compared.work.kind]}
        assert set(compared.runs[ours.name][0].figures) == keys
        assert set(compared.runs[theirs.name][0].figures) == keys - {"roster"}
        assert compared.rounds == 1
        ratio = compared.ratio(ours, theirs, FIGURES[compared.work.kind][0].key)
        assert ratio is not None
        assert ratio > 0
        assert compared.work.title in text(compared)
    assert [one["work"]["kind"] for one in document(all_compared)["results"]] == [one.work.kind for one in all_compared]


def test_processor_time_is_told_for_what_was_published_and_for_what_came() -> None:
    work = Work(kind="publish", count=1_000_000, receivers=2)
    told = [{"received": 700_000, "pace": 3.0}, {"received": 300_000, "pace": 2.0}]
    assert figures(work, [], told, 4.0).figures == {
        "rate": 2.0,
        "average": 2.5,
        "lost": 50.0,
        "cpu": 4.0,
        "cpu_heard": 8.0,
    }
    nothing = [{"received": 0, "pace": 0.0}]
    assert "cpu_heard" not in figures(work, [], nothing, 4.0).figures


def test_process_that_fails_says_why() -> None:
    scene = Scene(Troupe(), Troupe())
    side = plain("discover", "sync")
    broken = type(side)("nobody", "meshmq.bench.nonesuch:play", side.receiver)
    try:
        with pytest.raises(MeshError, match=r"has ended.*No module named 'meshmq.bench.nonesuch'"):
            scene.run(broken, Work(kind="discover", count=1))
    finally:
        scene.close()


def test_no_round_begins_after_its_time() -> None:
    compared = Compared(Work(kind="push", count=1), ())
    compare([compared], Scene(Troupe(), Troupe()), 1_000, seconds=0.0)
    assert not compared.runs


@pytest.mark.parametrize(
    ("size", "said"), [(100, "100 B"), (65_536, "64 KiB"), (1_000_000, "1 MB"), (1 << 24, "16 MiB"), (1_001, "1001 B")]
)
def test_sizes_are_told_for_people(size: int, said: str) -> None:
    assert size_of(size) == said
