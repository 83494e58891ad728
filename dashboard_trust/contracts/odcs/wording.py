"""What breaks a JSON schema, in words: where, what is there, and what was expected; never the schema itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dashboard_trust.contracts.odcs.document import to_pointer
from dashboard_trust.errors import nearest

if TYPE_CHECKING:
    from jsonschema import ValidationError

Said = tuple[str, str, str]
"""The JSON pointer, the problem, and what was expected."""

Definitions = Mapping[str, Any]
"""The parts of a schema that others refer to, by name."""

MISPLACED = "is a key that does not go with the others there"
LONGEST = 60
FEW = 12
TYPES: Mapping[str, str] = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "nothing",
}
LIMITS: Mapping[str, str] = {
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "a number from {}",
    "maximum": "a number up to {}",
    "exclusiveMinimum": "a number above {}",
    "exclusiveMaximum": "a number below {}",
    "uniqueItems": "each item once",
    "minProperties": "at least {} keys",
}


def explain(error: ValidationError, definitions: Definitions) -> Iterator[Said]:
    """Yield what is wrong; nothing for what only follows from another error."""
    pointer, value, expected = to_pointer(error.absolute_path), error.instance, error.validator_value
    match error.validator:
        case "oneOf" | "anyOf":
            yield from _explain_choice(error, definitions)
        case "unevaluatedProperties" | "additionalProperties":
            yield from _explain_unknown(error, definitions)
        case "required":
            for name in expected:
                if name not in value:
                    yield pointer, f"has no {name!r}", f"a value for {name!r}"
        case "type":
            kinds = [expected] if isinstance(expected, str) else expected
            yield pointer, f"is {show(value)}", " or ".join(TYPES.get(kind, kind) for kind in kinds)
        case "enum" | "const":
            known = [str(one) for one in (expected if isinstance(expected, list) else [expected])]
            yield pointer, f"is {show(value)}", _choice(str(value), known)
        case str(limit) if limit in LIMITS:
            yield pointer, f"is {show(value)}", LIMITS[limit].format(expected)
        case _:
            yield pointer, f"is {show(value)}", _description(error.schema) or f"what {error.validator!r} asks for"


def show(value: Any) -> str:
    """Return a value as it is written, if it is short."""
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list():
            return f"a list of {len(value)}"
        case int() | Decimal():
            return str(value)
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _explain_choice(error: ValidationError, definitions: Definitions) -> Iterator[Said]:
    """Explain that none of several schemas fits, or more than one, by the one that was meant."""
    pointer, value = to_pointer(error.absolute_path), error.instance
    asked = [name for branch in error.validator_value for name in branch.get("required", ())]
    if not error.context:
        given = [name for name in asked if isinstance(value, dict) and name in value]
        yield pointer, f"has {' and '.join(given)}" if given else f"is {show(value)}", "only one of them"
        return
    branches: dict[Any, list[ValidationError]] = {}
    for one in error.context:
        branches.setdefault(one.relative_schema_path[0], []).append(one)
    # A branch of another type was not meant.
    meant = [branch for branch in branches.values() if not any(_is_of_other_type(one) for one in branch)]
    if asked and all(one.validator == "required" for one in error.context):
        yield pointer, "has none of the keys that say what is expected", f"one of {', '.join(asked)}"
    elif not meant:
        kinds = dict.fromkeys(kind for one in error.context for kind in _types(one))
        yield pointer, f"is {show(value)}", " or ".join(TYPES.get(kind, kind) for kind in kinds) or "something else"
    elif len(meant) > 1 and (described := _description(error.schema)):
        yield pointer, f"is {show(value)}", described
    else:
        for one in min(meant, key=len):
            yield from explain(one, definitions)


def _is_of_other_type(error: ValidationError) -> bool:
    return error.validator == "type" and not error.relative_path


def _types(error: ValidationError) -> Sequence[str]:
    if error.validator != "type" or error.relative_path:
        return ()
    return [error.validator_value] if isinstance(error.validator_value, str) else error.validator_value


def _explain_unknown(error: ValidationError, definitions: Definitions) -> Iterator[Said]:
    """Explain a key that nothing knows; the validator names also those that only other keys rule out."""
    known = set(_names(error.schema, definitions))
    for name in error.instance:
        pointer = to_pointer([*error.absolute_path, name])
        if name not in known:
            yield pointer, "is an unknown key", _choice(name, sorted(known))
        elif name not in error.schema.get("properties", ()):
            yield pointer, MISPLACED, "keys that go together"


def _choice(word: str, known: Sequence[str]) -> str:
    """Return what may be said instead of a word: the nearest where there is one, and all where they are few."""
    close = nearest(word, known)
    few = f"one of {', '.join(known)}" if 1 < len(known) <= FEW else known[0] if len(known) == 1 else ""
    if close.startswith("did you mean"):
        return f"{few or 'a known word'} ({close})"
    return few or f"one of {', '.join(known)}"


def _names(schema: Any, definitions: Definitions) -> Iterator[str]:
    """Yield every key that a schema knows, on whatever condition."""
    if not isinstance(schema, dict):
        return
    yield from schema.get("properties", ())
    reference = schema.get("$ref", "")
    if reference:
        found: Any = {"$defs": definitions, "definitions": definitions}
        for part in reference.removeprefix("#/").split("/"):
            found = found.get(part, {}) if isinstance(found, dict) else {}
        yield from _names(found, definitions)
    conditions = [schema.get(key) for key in ("if", "then", "else")]
    for branch in (*schema.get("allOf", ()), *schema.get("oneOf", ()), *schema.get("anyOf", ()), *conditions):
        yield from _names(branch, definitions)


def _description(schema: Any) -> str:
    """Return the first sentence of what a schema says of itself."""
    text = schema.get("description", "") if isinstance(schema, dict) else ""
    return " ".join(text.split()).split(". ", maxsplit=1)[0].rstrip(".")
