"""Regular expressions of rules: what is accepted finds the same in every engine as in Python."""

from __future__ import annotations

import contextlib
import re

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard_trust.contracts.patterns import portable, refuse_pattern
from dashboard_trust.errors import ContractError

TEXTS = st.text(alphabet="aAbB09_ .-\n\tß$^é€{}[]()|\\", max_size=8)
ATOMS = st.sampled_from(
    [
        *("a", "b", "A", "0", "_", " ", "-", "é", ".", "\\d", "\\D", "\\w", "\\W", "\\s", "\\S", "\\.", "\\-", "\\$"),
        *("[ab]", "[^ab]", "[a-z0-9]", "[\\d_]", "[^\\w]", "[.]", "[-a]", "[a^]", "[\\^a]", "[\\]]", "\\n", "\\t"),
        *("\\{", "\\}", "\\[", "\\(", "\\\\", "{}", "[$]"),
    ]
)
REPEATS = st.sampled_from(["", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,}", "{,2}", "{2}?"])
PIECES = st.tuples(ATOMS, REPEATS).map("".join)


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = st.tuples(st.sampled_from(["(", "(?:", "(?P<g>"]), inner, st.just(")"), REPEATS).map("".join)
    either = st.tuples(inner, inner).map("|".join)
    # A name may be given once.
    return st.one_of(group, either, st.lists(inner, min_size=1, max_size=3).map("".join)).filter(
        lambda regex: regex.count("?P<g>") < 2
    )


REGEXES = st.tuples(
    st.sampled_from(["", "^", "\\A"]), st.recursive(PIECES, _grow, max_leaves=6), st.sampled_from(["", "\\Z"])
).map("".join)


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as connection:
        yield connection


@settings(max_examples=300, deadline=None)
@given(regex=REGEXES, texts=st.lists(TEXTS, min_size=1, max_size=6))
def test_what_is_accepted_finds_the_same_in_duckdb_as_in_python(connection, regex, texts):
    refuse_pattern(regex)

    found = connection.execute(
        "SELECT regexp_matches(text, ?) FROM (SELECT unnest(?) AS text)", [portable(regex), texts]
    ).fetchall()
    assert [row[0] for row in found] == [re.search(regex, text, re.ASCII) is not None for text in texts]


@pytest.mark.parametrize(
    ("regex", "text", "finds"),
    [
        ("^P[0-9]+$", "P12", True),
        ("^P[0-9]+$", "xP12", False),
        ("^P[0-9]+$", "P12\n", False),  # the end is the end of the text, on every engine
        ("a.c", "a\nc", False),
        ("\\d", "٣", False),
        ("a{2}", "aa", True),
        ("a{x}", "a{x}", True),
        ("[[]", None, None),
        ("^$", "", True),
        ("é", "é", True),
    ],
)
def test_what_people_write_means_what_they_mean(connection, regex, text, finds):
    if finds is None:
        with pytest.raises(ContractError):
            refuse_pattern(regex)
        return
    refuse_pattern(regex)

    assert connection.execute("SELECT regexp_matches(?, ?)", [text, portable(regex)]).fetchone() == (finds,)


@pytest.mark.parametrize(
    "regex",
    [
        *("(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?i)a", "(?i:a)", "(?#note)", "(?P=g)", "(?>a)"),
        *("\\1", "\\b", "\\B", "\\x41", "\\u0041", "\\p{L}", "\\cA", "a*+", "a++", "a?+", "a{2}+"),
        *("[", "[]", "[]a]", "[a[b]", "[[:alpha:]]", "[a&&b]", "[\\W]", "[\\b]", "a{256}", "a{1,999}"),
        *("(", ")", "*", "a**", "a{2}{3}", "[b-a]", "a{3,2}", "\\", "", "\0", "(" * 2000 + ")" * 2000),
    ],
)
def test_what_not_every_engine_reads_alike_is_refused_in_words(regex):
    with pytest.raises(ContractError) as caught:
        refuse_pattern(regex)

    assert "\n" not in str(caught.value)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab(?)[]{}^$\\|*+.,-:=!<>P1Zdw&\n", max_size=12))
def test_whatever_is_written_is_taken_or_refused(regex):
    with contextlib.suppress(ContractError):
        refuse_pattern(regex)
        assert portable(regex)
