"""Each key of a TOML text is found in its line, however the text is written."""

from __future__ import annotations

import pytest

from meshmq.routing.lines import Lines, Path

TEXT = '''\
# "a" = 0 is none here

a = 1
many = [   # one
  "x", "y",
  # no element
  """
  [z]""",
  "last"]
to.q = ["a"]
"quoted key" = { a = 1, b = [
  2, 3,
] }
[[rule]]
name = """
[[rule]]
"""
where = [
  "z" ]
[rule.headers]
k = "v"
  [[rule]]  # the second
name = "y"
[[rule.sub]]
z = 1
[[rule.sub]]
z = 2
[t.u]
v = 3
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 3),
        (("many",), 4),
        (("many", 0), 5),
        (("many", 1), 5),
        (("many", 2), 8),
        (("many", 3), 9),
        (("to", "q"), 10),
        (("to", "q", 0), 10),
        (("quoted key",), 11),
        (("quoted key", "b"), 11),
        (("rule", 0), 14),
        (("rule", 0, "name"), 15),
        (("rule", 0, "where"), 18),
        (("rule", 0, "where", 0), 19),
        (("rule", 0, "headers"), 20),
        (("rule", 0, "headers", "k"), 21),
        (("rule", 1), 22),
        (("rule", 1, "name"), 23),
        (("rule", 1, "sub", 0, "z"), 25),
        (("rule", 1, "sub", 1), 26),
        (("rule", 1, "sub", 1, "z"), 27),
        (("t",), 28),
        (("t", "u", "v"), 29),
        (("rule", 1, "gone", 5), 22),
        (("gone",), 1),
        ((), 1),
    ],
    ids=str,
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_key_stands_in_its_line(path: Path, line: int, newline: str) -> None:
    assert Lines(TEXT.replace("\n", newline)).of(path) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\n\nb = [\n  1,\n", 3),
        ('a = 1\nb = """\n[c]\nd = 1\n', 2),
        ("a = 1\n", 2),
        ("", 1),
    ],
)
def test_last_is_where_what_does_not_end_begins(text: str, line: int) -> None:
    assert Lines(text).last == line


def test_long_text_takes_no_long_time() -> None:
    lines = Lines("".join(f"key-{number} = [\n  {number},\n]\n" for number in range(2000)))
    assert lines.of(("key-1999", 0)) == 5999
