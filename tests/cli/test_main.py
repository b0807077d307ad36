"""The command line parses what it should, and ends with the code it promises."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator

import pytest

import meshmq
from meshmq.cli import COMMANDS, build_parser, keys, main
from meshmq.cli.options import complete


def parse(*words: str) -> argparse.Namespace:
    return complete(build_parser().parse_args(words))


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


def examples() -> list[str]:
    found = []
    for parser in parsers(build_parser()):
        for command in re.findall(r"^ {2}(.*meshmq .*)$", parser.epilog or "", re.MULTILINE):
            found.append(re.split(r"\s{3,}|\s[<>]\s", re.sub(r"^[^']*\| ", "", command))[0])
    return sorted(set(found))


def test_every_help_text_has_an_example() -> None:
    assert not [parser.prog for parser in parsers(build_parser()) if "example" not in (parser.epilog or "")]


@pytest.mark.parametrize("example", examples())
def test_example_of_a_help_text_can_be_typed(example: str) -> None:
    program, *words = shlex.split(example)
    assert program == "meshmq"
    assert callable(parse(*words).run)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_is_on_stdout(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    out, words = capsys.readouterr()
    assert f"usage: meshmq {command}" in out
    assert "--secret-file" in out
    assert not words


def test_a_command_is_the_same_whether_the_others_are_there_or_not() -> None:
    helps = {parser.prog: parser.format_help() for parser in parsers(build_parser()) if parser.prog != "meshmq"}
    assert {prog.split()[1] for prog in helps} == set(COMMANDS)
    for command in COMMANDS:
        alone = {parser.prog: parser.format_help() for parser in parsers(build_parser(command))}
        assert {f"meshmq {command}"} <= set(alone)
        assert not [prog for prog, text in alone.items() if prog != "meshmq" and text != helps[prog]]


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"meshmq {meshmq.__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        "",
        "bogus",
        "peers --bogus",
        "push",
        "push two.words. 1",
        "pull q --count 0",
        "pull q --count 1.5",
        "pull q --idle soon",
        "push q 1 --timeout 0",
        "push q 1 --timeout nan",
        "--mesh a*b peers",
        "keys old",
        "recipe",
        "recipe run nonesuch",
        "push q nojson",
        "push q NaN",
        "publish",
        "publish a.* 1",
        "publish a nojson",
        "publish a 1 --rate 0",
        "subscribe",
        "subscribe a.**.b",
        "subscribe a --since yesterday",
        "subscribe a --hz often",
        "subscribe a --group g --latest",
        "request",
        "request a nojson",
        "request a 1 2",
        "reply a",
        "reply meshmq.stats --exec true",
        "run module",
        "run module.:node",
        "run module:node --workers 0",
        "drain",
        "route",
        "route /nonesuch.toml",
        "route /nonesuch.toml --check",
    ],
)
def test_what_cannot_be_meant_ends_with_two(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split(words)) == 2
    out, said = capsys.readouterr()
    assert not out
    assert said.count("Traceback") == 0
    assert said


def test_options_stand_before_the_command_or_after() -> None:
    for words in ("--mesh m --insecure --name n peers", "peers --mesh m --insecure --name n"):
        arguments = parse(*words.split())
        assert (arguments.mesh, arguments.insecure, arguments.name) == ("m", True, "n")


def test_option_after_the_command_comes_before_the_one_that_stands_before_it() -> None:
    assert parse("--mesh", "far", "peers", "--mesh", "near").mesh == "near"


def test_peers_and_loudness_before_and_after_add_up() -> None:
    arguments = parse("--peer", "a:1", "-v", "push", "q", "--peer", "b:2", "1", "-v", "--peer", "c:3")
    assert arguments.peers == ("a:1", "b:2", "c:3")
    assert arguments.loud == 2
    assert arguments.jobs == ["1"]


def test_options_may_stand_between_the_jobs() -> None:
    arguments = parse("push", "q", "1", "--timeout", "5", "2", "-3")
    assert (arguments.queue, arguments.jobs, arguments.timeout) == ("q", ["1", "2", "-3"], 5.0)


def test_nothing_after_two_dashes_is_an_option() -> None:
    assert parse("push", "q", "--", "-1", "--mesh").jobs == ["-1", "--mesh"]


def test_since_is_a_number_of_a_message_or_of_seconds() -> None:
    given = [parse("subscribe", "a", "--since", text).since for text in ("first", "last", "12", "12s", "0.5s")]
    assert given == ["first", "last", 12, 12.0, 0.5]
    assert [type(each) for each in given[2:]] == [int, float, float]


def test_hz_needs_no_number_and_says_where_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse("subscribe", "a", "--hz").hz == 1.0
    assert parse("subscribe", "--hz", "2", "a").hz == 2.0
    assert main(["subscribe", "--hz", "a"]) == 2
    assert "write --hz after the patterns, or --hz 1" in capsys.readouterr().err


def test_what_mesh_cannot_do_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["peers", "--secret-file", "/nonesuch"]) == 1
    out, said = capsys.readouterr()
    assert not out
    assert said.count("\n") == 1
    assert "/nonesuch" in said


def fail(arguments: argparse.Namespace) -> int:
    raise KeyError("\x1b[2Jno such thing")


@pytest.mark.parametrize(("loud", "traced"), [("-v", False), ("-vv", True)])
def test_fault_of_ours_shows_its_traceback_to_the_loud_only(
    loud: str, traced: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "run", fail)
    assert main(["keys", "new", loud]) == 1
    said = capsys.readouterr().err
    assert ("Traceback" in said) == traced
    assert "\x1b" not in said
