"""Regular expressions of rules find the same on every engine as in Python."""

from __future__ import annotations

import itertools
import re

from sqlglot import exp

from dashboard_trust.contracts.patterns import portable, refuse_pattern

ATOMS = (
    "a",
    ".",
    "\\d",
    "\\W",
    "\\s",
    "[^ab]",
    "[\\w-]",
    "[a^]",
    "[\\]]",
    "(?:a|b)",
    "(?P<g>ab)",
    "\\.",
    "{}",
    "é",
    "\\n",
    "-",
)
REPEATS = ("", "*", "+", "?", "+?", "{2}", "{1,2}", "{,2}")
ANCHORS = (("", ""), ("^", ""), ("^", "\\Z"))
TEXTS = ("", "a", "ab", "aab", "b-", "a\nb", "\n", "7", "é", "ß ", ".", "{}", "[]", "^", "\\", "a.b", "_", "٣")


def test_every_engine_finds_what_python_finds(session):
    regexes = [
        f"{first}{atom}{repeat}{last}" for atom, repeat, (first, last) in itertools.product(ATOMS, REPEATS, ANCHORS)
    ]
    different = []
    for regex in regexes:
        refuse_pattern(regex)
        found = [
            exp.RegexpLike(this=exp.Literal.string(text), expression=exp.Literal.string(portable(regex)))
            for text in TEXTS
        ]
        said = session.query(exp.select(*(exp.alias_(one, f"t{n}") for n, one in enumerate(found))))[0]
        expected = tuple(re.search(regex, text, re.ASCII) is not None for text in TEXTS)
        different += [(regex, text) for text, ours, theirs in zip(TEXTS, said, expected, strict=True) if ours != theirs]

    assert len(regexes) > 300
    assert different == []
