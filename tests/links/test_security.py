"""Secrets are found where the user put them, bad ones are refused, and keys depend on the secret alone."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
import zmq

from meshmq.errors import ConfigError
from meshmq.links.security import Keys, derive, load_secret, new_secret

GOOD = "twenty characters or more"


def test_a_new_secret_is_long_enough_plain_and_new_each_time() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    for secret in secrets:
        assert load_secret(secret, {}) == secret
        assert len(secret) == 43
        assert set(secret) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def test_without_any_secret_there_is_none() -> None:
    assert load_secret(None, {}) is None


def test_the_argument_comes_before_the_variable_and_the_variable_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(GOOD + " of the file\n")
    file.chmod(0o600)
    environ = {"MESHMQ_SECRET": GOOD + " of the variable", "MESHMQ_SECRET_FILE": str(file)}
    assert load_secret(GOOD, environ) == GOOD
    assert load_secret(None, environ) == GOOD + " of the variable"
    del environ["MESHMQ_SECRET"]
    assert load_secret(None, environ) == GOOD + " of the file"


@pytest.mark.parametrize("short", ["", "   ", "nineteen characters", "  padded, too short  "])
def test_a_short_secret_is_refused_wherever_it_comes_from(tmp_path: Path, short: str) -> None:
    file = tmp_path / "secret"
    file.write_text(short)
    for argument, environ in (
        (short, {}),
        (None, {"MESHMQ_SECRET": short}),
        (None, {"MESHMQ_SECRET_FILE": str(file)}),
    ):
        with pytest.raises(ConfigError, match="meshmq keys new"):
            load_secret(argument, environ)


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_secret(None, {"MESHMQ_SECRET_FILE": str(tmp_path / "nothing")})


@pytest.mark.parametrize("content", [b"x" * 5000, b"\xff\xfe" * 40], ids=["too long", "no text"])
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="meshmq keys new"):
        load_secret(None, {"MESHMQ_SECRET_FILE": str(file)})


def test_a_directory_is_no_secret(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_secret(None, {"MESHMQ_SECRET_FILE": str(tmp_path)})


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_can_read_is_used_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, warned: bool
) -> None:
    file = tmp_path / "secret"
    file.write_text(GOOD)
    file.chmod(mode)
    with caplog.at_level(logging.WARNING, "meshmq.links"):
        assert load_secret(None, {"MESHMQ_SECRET_FILE": str(file)}) == GOOD
    assert ("chmod 600" in caplog.text) is warned
    assert GOOD not in caplog.text


def test_a_secret_never_stands_in_an_error() -> None:
    with pytest.raises(ConfigError) as caught:
        load_secret("hunter2", {})
    assert "hunter2" not in str(caught.value)


def test_keys_are_the_same_in_another_process() -> None:
    code = f"from meshmq.links.security import derive; keys = derive({GOOD!r}); print(keys.server_public.decode())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == derive(GOOD).server_public.decode()


def test_keys_are_pinned() -> None:
    # Changing them cuts every mesh in two: a new protocol version.
    keys = derive("a secret that never changes")
    assert (keys.server_public, keys.client_public, keys.tag) == PINNED


def test_every_key_differs_from_every_other_and_with_the_secret() -> None:
    one, other = derive(GOOD), derive(GOOD + "!")
    values = [getattr(keys, name) for keys in (one, other) for name in Keys.__slots__]
    assert len(set(values)) == 10
    assert len(one.tag) == 4


def test_the_public_keys_belong_to_the_secret_ones() -> None:
    keys = derive(GOOD)
    assert zmq.curve_public(keys.server_secret) == keys.server_public
    assert zmq.curve_public(keys.client_secret) == keys.client_public


def test_keys_do_not_show_themselves() -> None:
    keys = derive(GOOD)
    assert repr(keys) == str(keys) == f"{keys}" == "<Keys, hidden>"


def test_keys_are_derived_once() -> None:
    assert derive(GOOD) is derive(GOOD)


PINNED = (
    b"5U=csII3(pLVk0QL.CV>]kQ+.D)KCgiCd!B4f>h*",
    b"0gO$EZj-9y.gPPew.{u#2!X8Wh(7f{UoLclj$rST",
    bytes.fromhex("066490d0"),
)
