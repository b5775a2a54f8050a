"""The mistakes that pydantic finds, in words of JSON: what is allowed, for people."""

from collections.abc import Mapping
from typing import Any

_WORDS = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_long": "must have at most {max_length} characters",
}
_PATTERNS = {r"^[0-9a-f]{64}$": "must be a SHA-256: 64 digits, 0-9 and a-f"}


def what_is_allowed(mistake: Mapping[str, Any]) -> str:
    """Return what is allowed where pydantic found this mistake, one of ``errors()``.

    The value is never in it. What has no words of ours keeps pydantic's.
    """
    kind, context = mistake["type"], mistake.get("ctx", {})
    match kind:
        case "too_short" | "string_too_short" if context.get("min_length") == 1:
            return "must not be empty"
        case "too_long":  # pydantic counts a text's characters so where a validator follows
            what = "characters" if context.get("field_type") == "Value" else "entries"
            return f"must have at most {context['max_length']} {what}"
        case "string_pattern_mismatch" if context["pattern"] in _PATTERNS:
            return _PATTERNS[context["pattern"]]
        case _ if kind in _WORDS:
            return _WORDS[kind].format(**context)
    said = str(mistake["msg"]).removeprefix("Value error, ")
    return said[0].lower() + said[1:]
