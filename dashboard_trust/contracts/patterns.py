r"""Regular expressions that every engine reads alike: a small language, and how it is written for all of them.

RE2 (DuckDB), Postgres and Snowflake differ in what a dot, ``\d`` or a flag is, and in what they have at all.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator

from dashboard_trust.errors import ContractError

CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": " \t\n\r\f\v"}
CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
ANCHORS = {"A": "^", "Z": "$", "z": "$"}
SPECIAL = set("\\.^$*+?()[]{}|")
MOST_REPEATS = 255  # Postgres takes no more
REPEATS = re.compile(r"\{(\d*)(,?)(\d*)\}")
TOKEN = re.compile(
    r"""
    \\(?P<escape>.)
    | \[(?P<negated>\^?)(?P<set>(?:\\.|[^\]\\])*)\]
    | (?P<group>\((?:\?:|\?P<\w+>)?(?!\?))
    | (?P<repeat>\{\d*,?\d*\})
    | (?P<other>.)
    """,
    re.DOTALL | re.VERBOSE,
)


def refuse_pattern(regex: str) -> None:
    """Raise `ContractError` for a regular expression that not every engine reads alike."""
    if not regex or "\0" in regex:
        raise ContractError("a pattern is a regular expression of one character or more, none of them NUL")
    portable(regex)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of what sets may come to mean, which is refused above
            re.compile(regex)
    except (re.error, OverflowError, RecursionError) as error:
        raise ContractError(f"{regex!r} is no regular expression: {error}") from error


def portable(regex: str) -> str:
    """Return the regular expression as all engines take it, with matches in the same texts."""
    return "".join(_translate(regex))


def _translate(regex: str) -> Iterator[str]:
    repeated = False
    for token in TOKEN.finditer(regex):
        text, kind = token[0], token.lastgroup
        repeats = text in ("*", "+", "?") or (kind == "repeat" and text != "{}")
        if repeated and text == "+":
            raise _refusal(regex, "a possessive repetition")
        if repeated and text == "?":
            repeated = False  # how long a match is does not matter, only whether there is one
            continue
        repeated = repeats
        match kind:
            case "escape":
                yield _escape(regex, token["escape"])
            case "set":
                yield f"[{token['negated']}{_set(regex, token['set'])}]"
            case "group":
                yield "("  # what it captures is not asked for
            case "repeat" if repeats:
                yield _repeat(regex, text)
            case _ if text in ("(", "["):
                raise _refusal(regex, "look-around, flags or comments, (?...)" if text == "(" else "an open [")
            case _:
                yield {".": "[^\n]", "{": "\\{", "}": "\\}"}.get(text, "\\{\\}" if text == "{}" else text)


def _escape(regex: str, character: str) -> str:
    if character.lower() in CLASSES:
        return f"[{'^' if character.isupper() else ''}{CLASSES[character.lower()]}]"
    if character in ANCHORS:
        return ANCHORS[character]
    return _character(regex, character)


def _character(regex: str, character: str) -> str:
    if character in CONTROLS:
        return CONTROLS[character]
    if character.isascii() and character.isalnum():
        raise _refusal(regex, f"\\{character}")
    return f"\\{character}" if character in SPECIAL or character == "-" else character


def _set(regex: str, content: str) -> str:
    if not content:
        raise ContractError(f"{regex!r} has a set that is empty or begins with ]: for the character, write \\]")
    if "[" in re.sub(r"\\.", "", content) or re.search(r"--|&&|\|\||~~", content):
        raise _refusal(regex, "a set within a set (for the character, write \\[)")
    found: list[str] = []
    for part in re.finditer(r"\\(?P<escape>.)|(?P<plain>.)", content, re.DOTALL):
        character = part["escape"]
        if character is None:
            found.append(f"\\{part[0]}" if part[0] == "^" and not found else part[0])
        elif character in CLASSES:
            found.append(CLASSES[character])
        elif character.lower() in CLASSES:
            raise _refusal(regex, f"\\{character} in a set")
        else:
            found.append(f"\\{character}" if character == "^" else _character(regex, character))
    return "".join(found)


def _repeat(regex: str, text: str) -> str:
    least, comma, most = REPEATS.fullmatch(text).groups()  # type: ignore[union-attr]
    if max(int(least or 0), int(most or 0)) > MOST_REPEATS:
        raise _refusal(regex, f"more than {MOST_REPEATS} repetitions")
    return f"{{{least or 0}{comma}{most}}}"


def _refusal(regex: str, what: str) -> ContractError:
    return ContractError(f"the pattern {regex!r} has {what}, which not every engine reads alike: write it without")
