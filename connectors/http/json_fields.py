"""Reads hub JSON at the edge: each helper takes any value, and a value of the wrong type counts as absent."""

import hashlib
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

Table = Mapping[str, Any]

_MAX_TEXT = 200_000
# A value of JSON takes up to twenty times as much memory as it has letters, so it is the number of values that counts:
# quotes are two a name or text, braces and brackets one a container, and commas one a value.
_MOST: Mapping[bytes, int] = {b'"': 2_000_000, b"{": 200_000, b"[": 500_000, b",": 1_500_000}
# Shorter JSON can't hold so many values that memory would show it.
_HARMLESS = 1_000_000
# A NUL or a lone surrogate (JSON's "\ud800") breaks databases and terminals, and a direction override turns the text
# beside it around. Tabs and line ends are kept.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_AUTOV3 = re.compile(r"(?:0x)?([0-9a-fA-F]{12})(?:[0-9a-fA-F]{52})?")
# What stands where a file could not be read.
_NOTHING = hashlib.sha256(b"").hexdigest()


def overfull(raw: bytes) -> bool:
    """Whether JSON holds more values than anything honest does: it was made to fill memory, and must not be parsed."""
    return len(raw) > _HARMLESS and any(raw.count(mark) > most for mark, most in _MOST.items())


def text(value: object, limit: int = _MAX_TEXT) -> str | None:
    """The trimmed text, None if there is none. Numbers are read as text: ids arrive either way."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    return _UNPRINTABLE.sub("", value[:limit]).strip() or None


def number(value: object) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def whole(value: object) -> int | None:
    """An integer in SQLite's range: ids, counts and sizes."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    found = number(value)
    return int(found) if found is not None and abs(found) < 2**63 else None


def count(value: object) -> int | None:
    found = whole(value)
    return found if found is not None and found >= 0 else None


def flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


_NO = frozenset(("0", "0.0", "false", "n", "no", "none", "null", "off"))


def mark(value: object) -> bool | None:
    """Return a warning that fails closed: every value that is not clearly false is True. None if it is absent."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value.strip().casefold() not in _NO
    return value not in (False, 0)


def table(value: object) -> Table:
    return value if isinstance(value, dict) else {}


def tables(value: object) -> tuple[Table, ...]:
    return tuple(item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def texts(value: object) -> tuple[str, ...]:
    """A list of texts; one text alone counts as a list of one."""
    listed = value if isinstance(value, list | tuple) else [value]
    return tuple(found for item in listed if (found := text(item)) is not None)


def when(value: object) -> str | None:
    """A UTC time to the second. Hubs write none to nine fractional digits; cut off, times compare as text."""
    found = moment(value)
    return f"{found.replace(microsecond=0, tzinfo=None).isoformat()}Z" if found else None


def moment(value: object) -> datetime | None:
    """A time without a zone is in UTC."""
    try:
        found = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
        return found and (found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def sha256(value: object) -> str | None:
    match = _SHA256.fullmatch(text(value, 80) or "")
    return match[0].lower() if match and not is_of_nothing(match[0]) else None


def is_of_nothing(digits: str) -> bool:
    """Whether this is the hash of no bytes: a SHA-256, or its beginning, as AutoV2 and AutoV3 are."""
    return _NOTHING.startswith(digits.lower())


def autov3(value: object) -> str | None:
    """The first 12 digits of the SHA-256 of a file's tensors, of a text with all of its digits or with those alone."""
    match = _AUTOV3.fullmatch(text(value, 80) or "")
    found = match[1].lower() if match else None
    return None if found is None or is_of_nothing(found) else found


def address(value: object) -> str | None:
    """A web address, and nothing else that a page could be made to follow."""
    found = text(value, 4096)
    if found is None or not found.startswith(("https://", "http://")):
        return None
    try:
        urlsplit(found)
    except ValueError:
        # "http://[": an opened bracket makes it an IPv6 address, which it is not.
        return None
    return found
