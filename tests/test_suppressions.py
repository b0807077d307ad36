"""Whoever silences a tool says why, on the line."""

from __future__ import annotations

import io
import re
import tokenize
from typing import Final

from tests.architecture import sources

SUPPRESSION: Final = re.compile(r"# *(?:type: *ignore(?:\[[^]]*\])?|noqa(?:: *[A-Z]+[0-9]+(?:, *[A-Z]+[0-9]+)*)?)(.*)")


def test_every_suppression_gives_its_reason() -> None:
    wrong = []
    for source in sources("meshmq", "patterns", "examples", "tests"):
        if not SUPPRESSION.search(source.text):
            continue
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
            if token.type == tokenize.COMMENT and (found := SUPPRESSION.match(token.string)):
                reason = SUPPRESSION.sub(r"\1", found[1].strip(" #"))
                if len(reason.strip(" #")) < 3:
                    wrong.append(f"{source.path}:{token.start[0]}: say why, on the line: {token.string}")
    assert not wrong, "\n  ".join(["", *wrong])
