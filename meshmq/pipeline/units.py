"""A pipeline as units for what starts processes elsewhere: systemd, and compose files for containers."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from meshmq.pipeline.definition import Definition, Stage

#: The port of every container: each has addresses of its own.
PORT: Final = 5555
#: Seconds to drain before it is killed: the stages' own limit, and a little.
STOP: Final = 35


def systemd(definition: Definition, target: str, arguments: Sequence[str] = ()) -> str:
    """Return a service for each stage, a template where it has workers, and a target that wants them all."""
    units = [_target(definition)]
    for stage in definition.stages.values():
        name = f"{definition.name}-{stage.name}{'' if stage.kind == 'source' else '@'}.service"
        number = "1" if stage.kind == "source" else "%i"
        command = [sys.executable, *_command(stage, target, number, arguments)]
        units.append(
            f"# {name}\n"
            "[Unit]\n"
            f"Description={_percent(stage.title)}{'' if stage.kind == 'source' else ' %i'}\n"
            "Wants=network-online.target\n"
            "After=network-online.target\n"
            f"PartOf={definition.name}.target\n"
            "\n"
            "[Service]\n"
            "Type=exec\n"
            f"WorkingDirectory={_percent(str(Path.cwd()))}\n"
            f"EnvironmentFile=-/etc/meshmq/{definition.name}.env\n"
            f"ExecStart={' '.join(_quoted(word) for word in command)}\n"
            "Restart=on-failure\n"
            "RestartSec=1\n"
            f"TimeoutStopSec={STOP}\n"
            "\n"
            "[Install]\n"
            f"WantedBy={definition.name}.target\n"
        )
    return "\n".join(units)


def compose(definition: Definition, target: str, arguments: Sequence[str] = ()) -> str:
    """Return a compose file with a service for each stage, or for each worker where they have parts of their own."""
    services: dict[str, tuple[Stage, int, int]] = {}
    for stage in definition.stages.values():
        if stage.key is None:
            services[stage.name] = (stage, 1, stage.workers)
        else:
            services |= {f"{stage.name}-{number}": (stage, number, 1) for number in range(1, stage.workers + 1)}
    peers = ",".join(f"{name}:{PORT}" for name in services)
    lines = [f"name: {json.dumps(_project(definition.name))}", "services:"]
    for name, (stage, number, replicas) in services.items():
        command = ["python", *_command(stage, target, str(number), arguments)]
        lines += [
            f"  {name}:",
            '    build: "."',
            f"    command: {json.dumps([word.replace('$', '$$') for word in command])}",
            '    restart: "on-failure"',
            f'    stop_grace_period: "{STOP}s"',
            "    deploy:",
            f"      replicas: {replicas}",
            "    environment:",
            f'      MESHMQ_PORT: "{PORT}"',
            f"      MESHMQ_PEERS: {json.dumps(peers)}",
            '      MESHMQ_SECRET_FILE: "/run/secrets/mesh"',
            "    secrets:",
            '      - "mesh"',
        ]
    return "\n".join([*lines, "secrets:", "  mesh:", '    file: "./mesh.secret"', ""])


def _command(stage: Stage, target: str, number: str, arguments: Sequence[str]) -> list[str]:
    rest = ["--arguments", *arguments] if arguments else []
    return ["-m", "meshmq", "up", target, "--stage", stage.name, "--number", number, *rest]


def _target(definition: Definition) -> str:
    wanted = [
        f"{definition.name}-{stage.name}{'' if stage.kind == 'source' else f'@{number}'}.service"
        for stage in definition.stages.values()
        for number in range(1, stage.workers + 1)
    ]
    return (
        f"# {definition.name}.target\n"
        "[Unit]\n"
        f"Description=The pipeline {_percent(definition.name)}\n"
        f"Wants={' '.join(wanted)}\n"
        "\n"
        "[Install]\n"
        "WantedBy=multi-user.target\n"
    )


def _percent(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """Return a word of a command line as systemd reads it; ``%i`` is the number of the instance."""
    plain = word if word == "%i" else _percent(word).replace("$", "$$")
    return shlex.quote(plain) if "'" not in plain else '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _project(name: str) -> str:
    """Return a name as compose has them: lower case letters, digits, dashes and underscores."""
    found = "".join(
        letter if (letter.isascii() and letter.isalnum()) or letter in "-_" else "-" for letter in name.lower()
    )
    return found if found[0].isalnum() else f"p{found}"
