"""A file of rules says what it says, or every mistake in it with its line."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from meshmq.routing import file
from meshmq.routing.conditions import read_condition
from meshmq.routing.file import SIZE_LIMIT, RulesInvalid, parse_rules, read_rules
from meshmq.routing.rules import Place, Rule, Rules

TOP = 'exchange = "x"\nfrom_queues = "a"\nunmatched = "b"\n'


def mistakes(text: str) -> list[str]:
    with pytest.raises(RulesInvalid) as error:
        parse_rules(text, "r.toml")
    assert str(error.value) == "\n".join(error.value.mistakes)
    return error.value.mistakes


def test_whole_file_is_read() -> None:
    text = """\
exchange = "shop"
from_queues = ["orders.eu", "orders.us"]
from_topics = "weather.**"
unmatched = "unrouted"
match = "all"

[[rule]]
name = "large"
from_queues = "orders.*"
from_topics = ["weather.*.outside", "weather.roof"]
headers_all = { kind = "new", vip = "1" }
where = ["total > 5", 'country == "DE"']
to_queues = ["large", "all", "large"]
to_topics = "audit"

[rule.headers_any]
lang = "de"

[[rule]]
to_queues = "all"
"""
    assert parse_rules(text, "r.toml") == Rules(
        "shop",
        ("orders.eu", "orders.us"),
        ("weather.**",),
        Place("queue", "unrouted"),
        (
            Rule(
                "large",
                (Place("queue", "large"), Place("queue", "all"), Place("topic", "audit")),
                (Place("queue", "orders.*"), Place("topic", "weather.*.outside"), Place("topic", "weather.roof")),
                (("kind", "new"), ("vip", "1")),
                (("lang", "de"),),
                (read_condition("total > 5"), read_condition('country == "DE"')),
            ),
            Rule("rule 2", (Place("queue", "all"),)),
        ),
        every=True,
    )


def test_file_of_the_docstring_can_be_used() -> None:
    shown = textwrap.dedent(str(file.__doc__).partition("::\n")[2].partition("\nOne name")[0])
    (rule,) = parse_rules(shown, "docstring").rules
    assert (rule.name, len(rule.sources), len(rule.headers_any), len(rule.where), len(rule.to)) == ("large", 2, 2, 2, 2)


def test_first_match_is_the_default() -> None:
    assert not parse_rules(TOP + '[[rule]]\nto_queues = "c"\n', "r.toml").every


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("exchange = shop\n", "r.toml:1: this is no TOML: Invalid value"),
        (TOP + "\nexchange = 'y'\n", "r.toml:5: this is no TOML: Cannot overwrite a value"),
        ("x = 1\nx = 2", "r.toml:2: this is no TOML: Cannot overwrite a value"),
        (TOP + "\nx = [\n  1,\n", "r.toml:5: this is no TOML: Invalid value (what begins here does not end)"),
        ("a = " + "[" * 5000, "r.toml: it is nested too deeply"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(text: str, mistake: str) -> None:
    assert mistakes(text) == [mistake]


@pytest.mark.parametrize(
    ("lines", "mistake"),
    [
        ('to_queue = "c"', "5: 'to_queue' is no key of a rule: did you mean to_queues?"),
        ('xyz = "c"', "5: 'xyz' is no key of a rule: it may have name, from_queues, from_topics, headers_all, "
                      "headers_any, where, to_queues, to_topics"),
        ("name = 5", "5: name is a text, not 5"),
        ("to_queues = []", "5: to_queues is a text in quotes, or an array of some, not []"),
        ("to_queues = 5", "5: to_queues is a text in quotes, or an array of some, not 5"),
        ('to_queues = [\n"c",\n5]', "7: each of to_queues is a text in quotes, not 5"),
        ('to_queues = "c d"', "5: the name of a queue cannot hold ' ': 'c d'; use letters, digits, dots, '-' and '_'"),
        ('to_queues = "c.*"', "5: the name of a queue cannot hold '*': 'c.*'; use letters, digits, dots, '-' and '_'"),
        ('to_topics = "c..d"', "5: the name of a topic has an empty segment: 'c..d'; write it like 'weather.kitchen'"),
        ('to_queues = "a"', "5: queue 'a' is also in from_queues, so that what is sent there would come back for ever: "
                            "name another"),
        ('from_queues = "aa"', "5: nothing comes from queue 'aa': from_queues of the file has 'a'"),
        ('from_topics = "a"', "5: nothing comes from topic 'a': from_topics of the file has nothing"),
        ('where = ["n > 5",\n"n = 5"]', "6: 'n = 5' is not FIELD OP VALUE with ==, !=, <, <=, >, >=, in, matches, as "
                                        "in 'customer.country == \"DE\"'"),
        ("headers_all = {}", '5: headers_all are headers and their texts, as in headers_all = {kind = "new"}'),
        ("headers_any = {a = 1}", '5: headers_any are headers and their texts, as in headers_any = {kind = "new"}'),
        ('headers_any = "a"', '5: headers_any are headers and their texts, as in headers_any = {kind = "new"}'),
    ],
)  # fmt: skip
def test_mistake_in_a_rule_is_told_with_its_line(lines: str, mistake: str) -> None:
    leads = "" if lines.startswith("to_queues") else '\nto_queues = "d"'
    assert mistakes(f"{TOP}[[rule]]\n{lines}{leads}\n") == [f"r.toml:{mistake}"]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ('from_queues = "a"\nunmatched = "b"',
         '1: exchange is missing: its name, as in exchange = "shop"'),
        ('exchange = "x"\nfrom_queues = "a"', '1: unmatched is missing: the queue for what no rule takes, as in '
                                             'unmatched = "unrouted"'),
        ('exchange = "x"\nunmatched = "b"', '1: it takes nothing: say from_queues = ["..."] or from_topics = ["..."]'),
        ('exchange = "x"\nfrom_queues = "a"\nunmatched = "a"',
         "3: queue 'a' is also in from_queues, so that what is sent there would come back for ever: name another"),
        ('exchange = "x"\nfrom_queues = "a"\nunmatched = 5',
         '3: unmatched is a text: the queue for what no rule takes, as in unmatched = "unrouted"'),
        ('exchange = "x y"\nfrom_queues = "a"\nunmatched = "b"',
         "1: the name of a group cannot hold ' ': 'x y'; use letters, digits, dots, '-' and '_'"),
        (TOP + 'match = "last"', '4: match is "first" or "all", not \'last\''),
        (TOP + "Match = 'all'", "4: 'Match' is no key of a file of rules: did you mean match?"),
        (TOP + "from_topics = ['a', 'b.**.c']",
         "4: the name of a topic cannot hold '*': 'b.**.c'; use letters, digits, dots, '-' and '_'"),
    ],
)  # fmt: skip
def test_mistake_above_the_rules_is_told_with_its_line(text: str, mistake: str) -> None:
    assert mistakes(f'{text}\n[[rule]]\nto_queues = "c"\n') == [f"r.toml:{mistake}"]


@pytest.mark.parametrize(("text", "line"), [("", 1), ("rule = 5", 4), ("rule = []", 4), ("[rule]", 4)])
def test_file_without_rules_is_a_mistake(text: str, line: int) -> None:
    assert mistakes(TOP + text) == [f"r.toml:{line}: it has no rules: write each under [[rule]]"]


def test_rule_that_leads_nowhere_is_a_mistake() -> None:
    (mistake,) = mistakes(f'{TOP}[[rule]]\nwhere = "n > 5"\n')
    assert mistake == 'r.toml:4: the rule leads nowhere: say to_queues = ["..."] or to_topics = ["..."]'


def test_topic_that_would_come_back_is_a_mistake() -> None:
    text = TOP + 'from_topics = "a.**"\n[[rule]]\nto_topics = ["b", "a.b"]\n'
    (mistake,) = mistakes(text)
    assert mistake.startswith("r.toml:6: topic 'a.b' is also in from_topics")


def test_rule_that_no_message_comes_to_is_a_mistake_of_first_match_alone() -> None:
    text = TOP + '[[rule]]\nto_queues = "c"\n[[rule]]\nto_queues = "d"\n'
    assert mistakes(text) == ["r.toml:6: no message comes here: rule 1 asks for nothing, and takes all"]
    assert len(parse_rules('match = "all"\n' + text, "r.toml").rules) == 2


def test_all_mistakes_are_told_at_once_in_their_order() -> None:
    text = 'exchange = "x"\nunmatched = "b"\nfrom_queue = "a"\n[[rule]]\nto_queues = 5\nwhere = "n"\n[[rule]]\n'
    assert [mistake.split(": ")[0] for mistake in mistakes(text)] == [
        "r.toml:1", "r.toml:3", "r.toml:5", "r.toml:6", "r.toml:7",
    ]  # fmt: skip


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    for name, content, said in (
        ("gone.toml", None, ": it cannot be read: No such file or directory"),
        ("bytes.toml", b"# a\n# \xff", ":2: it is not UTF-8, as TOML is: save it so"),
        ("large.toml", b"#" * (SIZE_LIMIT + 1), ": it is larger than 1,048,576 bytes: part it by what it takes"),
    ):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(RulesInvalid) as error:
            read_rules(path)
        assert error.value.mistakes == [f"{path}{said}"]
