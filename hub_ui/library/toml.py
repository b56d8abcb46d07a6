"""Values as TOML text: what tomllib reads, written so that equal values are equal bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def pair(key: str, value: Any) -> str:
    return f"{key_text(key)} = {value_text(value)}"


def key_text(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else string(key)


def value_text(value: Any) -> str:
    """On one line. A table is written inline with its keys sorted, whatever form it was read in."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return string(value)
        case int() | float():
            # Python writes no decimal of many thousand digits, but reads one that was written in hexadecimal.
            return hex(value) if isinstance(value, int) and value >= 2**63 else repr(value)
        case datetime() | date() | time():
            return value.isoformat()
        case Mapping():
            pairs = ", ".join(pair(key, value[key]) for key in sorted(value))
            return f"{{ {pairs} }}" if pairs else "{}"
        case list() | tuple():
            return "[" + ", ".join(value_text(item) for item in value) + "]"
    raise TypeError(f"TOML has no value for {type(value).__name__}")


def string(text: str) -> str:
    """JSON's string is TOML's basic string, but for DEL, which TOML wants escaped, and for half surrogates."""
    clean = text.encode("utf-8", "replace").decode()
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")
