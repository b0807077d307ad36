"""Units are what their readers read: every process of every stage, with the command that runs it."""

from __future__ import annotations

import configparser
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from meshmq import Pipeline
from meshmq.cli import build_parser
from meshmq.pipeline.units import compose, systemd


@pytest.fixture
def pipeline() -> Pipeline:
    pipeline = Pipeline("Shop.orders")
    pipeline.source(name="orders")(list)
    pipeline.stage(name="price", workers=3)(str)
    pipeline.sink(name="ship", workers=2, key=len)(print)
    return pipeline


def units_in(text: str) -> dict[str, configparser.ConfigParser]:
    """Read units by their names; the first line of each has it."""
    units = {}
    for part in text.split("\n# "):
        name, _, rest = part.removeprefix("# ").partition("\n")
        units[name] = configparser.ConfigParser(interpolation=None, strict=True)
        units[name].optionxform = str  # type: ignore[assignment,method-assign]  # as configparser's manual says
        units[name].read_string(rest)
    return units


def test_target_wants_a_service_for_each_process(pipeline: Pipeline) -> None:
    units = units_in(systemd(pipeline.definition, "shop.py:pipeline", ["--since", "50 %", "$HOME"]))
    assert list(units) == [
        "Shop.orders.target",
        "Shop.orders-orders.service",
        "Shop.orders-price@.service",
        "Shop.orders-ship@.service",
    ]
    assert units["Shop.orders.target"]["Unit"]["Wants"].split() == [
        "Shop.orders-orders.service",
        *(f"Shop.orders-price@{number}.service" for number in (1, 2, 3)),
        *(f"Shop.orders-ship@{number}.service" for number in (1, 2)),
    ]
    service = units["Shop.orders-price@.service"]
    assert service["Unit"]["PartOf"] == "Shop.orders.target"
    assert service["Service"]["Restart"] == "on-failure"
    assert service["Service"]["WorkingDirectory"] == str(Path.cwd())
    command = shlex.split(service["Service"]["ExecStart"].replace("%i", "3").replace("%%", "%").replace("$$", "$"))
    assert command[:4] == [sys.executable, "-m", "meshmq", "up"]
    parsed = build_parser().parse_args(command[3:])
    assert (parsed.target, parsed.stage, parsed.number) == ("shop.py:pipeline", "price", 3)
    assert parsed.arguments == ["--since", "50 %", "$HOME"]


def test_compose_file_has_a_service_for_each_stage_and_each_part_of_one(pipeline: Pipeline) -> None:
    read = read_yaml(compose(pipeline.definition, "shop.py:pipeline", ["$HOME"]))
    assert read["name"] == "shop-orders"
    services = read["services"]
    assert list(services) == ["orders", "price", "ship-1", "ship-2"]
    assert services["price"]["deploy"] == {"replicas": 3}
    assert services["ship-2"]["deploy"] == {"replicas": 1}
    assert services["ship-2"]["environment"]["MESHMQ_PEERS"] == "orders:5555,price:5555,ship-1:5555,ship-2:5555"
    assert services["ship-2"]["secrets"] == ["mesh"]
    assert read["secrets"] == {"mesh": {"file": "./mesh.secret"}}
    command = [word.replace("$$", "$") for word in services["ship-2"]["command"]]
    parsed = build_parser().parse_args(command[3:])
    assert (parsed.stage, parsed.number, parsed.arguments) == ("ship", 2, ["$HOME"])


def read_yaml(text: str) -> Any:
    """Read the part of YAML that is written: mappings by indentation, lists of one level, values as in JSON."""
    lines = [(len(line) - len(line.lstrip()), line.strip()) for line in text.splitlines()]

    def block(at: int, depth: int) -> tuple[Any, int]:
        if lines[at][1].startswith("- "):
            items = []
            while at < len(lines) and lines[at] == (depth, lines[at][1]) and lines[at][1].startswith("- "):
                items.append(json.loads(lines[at][1][2:]))
                at += 1
            return items, at
        mapping: dict[str, Any] = {}
        while at < len(lines) and lines[at][0] == depth:
            key, colon, rest = lines[at][1].partition(":")
            assert colon, lines[at]
            assert key not in mapping
            at += 1
            if rest:
                assert rest[0] == " "
                mapping[key] = json.loads(rest)
            else:
                mapping[key], at = block(at, lines[at][0])
        return mapping, at

    read, end = block(0, 0)
    assert end == len(lines)
    return read
