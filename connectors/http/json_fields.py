"""Read fields of a hub's JSON. Each function accepts any value, and treats a value of the wrong type as absent."""

import hashlib
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

Table = Mapping[str, Any]

_MAX_TEXT = 200_000
# A parsed JSON value can take twenty times the memory of its text, so the number of values is limited. These marks
# estimate it: two quotes per key or string, one brace or bracket per container, one comma per value.
_MOST: Mapping[bytes, int] = {b'"': 2_000_000, b"{": 200_000, b"[": 500_000, b",": 1_500_000}
# Shorter JSON can't hold enough values to exhaust the memory. In bytes.
_HARMLESS = 1_000_000
# A NUL or a lone surrogate (JSON's "\ud800") breaks databases and terminals, and a direction override reverses the text
# that follows it. Tabs and line ends are kept.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_AUTOV3 = re.compile(r"(?:0x)?([0-9a-fA-F]{12})(?:[0-9a-fA-F]{52})?")
# Hubs list the hash of an empty file if they could not read the real file.
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


def overfull(raw: bytes) -> bool:
    """Return whether JSON holds so many values that it must not be parsed, because it would exhaust the memory."""
    return len(raw) > _HARMLESS and any(raw.count(mark) > most for mark, most in _MOST.items())


def text(value: object, limit: int = _MAX_TEXT) -> str | None:
    """Return printable text without spaces around it, or None if it is empty.

    Numbers are accepted, because hubs send ids as text or as numbers.
    """
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
    """Return an integer in SQLite's range (64 bits, signed). Fractions are cut off."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    as_float = number(value)
    return int(as_float) if as_float is not None and abs(as_float) < 2**63 else None


def count(value: object) -> int | None:
    integer = whole(value)
    return integer if integer is not None and integer >= 0 else None


def flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


_NO = frozenset(("0", "0.0", "false", "n", "no", "none", "null", "off"))


def mark(value: object) -> bool | None:
    """Return False for a value that is clearly false, None for an absent one, and True for every other value.

    The value is a warning, such as "nsfw", so an unknown spelling must count as True.
    """
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
    """Return the texts in a list. A single text counts as a list of one."""
    items = value if isinstance(value, list | tuple) else [value]
    return tuple(string for item in items if (string := text(item)) is not None)


def when(value: object) -> str | None:
    """Return a UTC time as text, such as "2024-05-01T12:00:00Z".

    Hubs write up to nine fractional digits. They are cut off, so that times compare as text.
    """
    time = moment(value)
    return f"{time.replace(microsecond=0, tzinfo=None).isoformat()}Z" if time else None


def moment(value: object) -> datetime | None:
    """Return a time in UTC. A text without a time zone is taken for UTC."""
    try:
        time = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
        return time and (time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def sha256(value: object) -> str | None:
    match = _SHA256.fullmatch(text(value, 80) or "")
    return match[0].lower() if match and not is_of_nothing(match[0]) else None


def is_of_nothing(digits: str) -> bool:
    """Return whether `digits` are the SHA-256 of an empty file, or begin it, as AutoV2 and AutoV3 do."""
    return _EMPTY_SHA256.startswith(digits.lower())


def autov3(value: object) -> str | None:
    """Return an AutoV3: the first 12 digits of the SHA-256 of a file's tensors.

    `value` has 12 or all 64 digits, and may begin with "0x".
    """
    match = _AUTOV3.fullmatch(text(value, 80) or "")
    digits = match[1].lower() if match else None
    return None if digits is None or is_of_nothing(digits) else digits


def address(value: object) -> str | None:
    """Return an http or https URL, or None for any other value, such as a `javascript:` URL."""
    url = text(value, 4096)
    if url is None or not url.startswith(("https://", "http://")):
        return None
    try:
        urlsplit(url)
    except ValueError:
        # Python takes the bracket of "http://[" for the start of an IPv6 address.
        return None
    return url
