"""Cursors: opaque to clients, an offset to the hub."""

import base64
import binascii

_MARK = "o:"
_DIGITS = 18


def natural(text: str | None) -> int | None:
    """The number that a parameter says, None for anything else. What has more digits than any id is no number."""
    return int(text) if text and text.isdecimal() and len(text) <= _DIGITS else None


def opaque(offset: int) -> str:
    return base64.urlsafe_b64encode(f"{_MARK}{offset}".encode()).decode()


def read_opaque(cursor: str | None) -> int | None:
    """The offset in a cursor of `opaque`, 0 for none, None for a cursor that is not one of ours."""
    if not cursor:
        return 0
    try:
        text = base64.urlsafe_b64decode(cursor.encode()).decode()
    except (binascii.Error, UnicodeError):
        return None
    return natural(text.removeprefix(_MARK)) if text.startswith(_MARK) else None


def keyset(score: int, model_id: int, offset: int) -> str:
    """CivitAI's browse cursor: the sort value and ids joined by bars."""
    return f"{score}|{model_id}|{offset}"


def read_keyset(cursor: str | None) -> int | None:
    if not cursor:
        return 0
    return natural(cursor.rsplit("|", 1)[-1])
