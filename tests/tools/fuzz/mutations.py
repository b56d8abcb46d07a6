"""Damage to JSON documents and to bytes, the same for the same Random.

A document is damaged as parsed values, so that what comes out is JSON of a wrong shape and not only no JSON at all.
"""

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

# What can't be had from json.dumps stands in the document under a name, and is put in when it is written.
_TEXTS = (
    "[" * 200 + "]" * 200, "[" * 20_000 + "]" * 20_000, '{"a":' * 3_000 + "1" + "}" * 3_000, "1e999", "-1e999", "1e308",
    "9" * 5_000, "9" * 400, "-" + "9" * 30, "0.1e-400", "-0", "-0.0", "01", "+1", "0x10", "NaN", "-Infinity", "'a'",
    '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\\x"', "tru", "{}{}", "/* no */ 1", '"' + "a" * 300_000 + '"',
    '"' + "é" * 100_000 + '"', "[" + "1," * 50_000 + "1]", "[" + "[]," * 50_000 + "[]]",
)  # fmt: skip
RAW = {f"@raw-{number}@": text for number, text in enumerate(_TEXTS)}
NUMBERS: tuple[int | float, ...] = (
    0, -1, 1, 2, 3, 0.5, -0.5, 1.5, 64, 255, 2**15, 2**16, 2**31 - 1, 2**31, -(2**31), 2**32, 2**53, 2**53 + 1, 2**62,
    2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**30, 1e15, 1e18, 1e300, -1e300, 1e-300, float("nan"), float("inf"),
    float("-inf"), 1e12, 253402300800, 253402300800000,
)  # fmt: skip
TEXTS: tuple[str, ...] = (
    "", " ", "\x00", "\ud800", "\udfff", "\u202eabc", "\ufeff", "é", "e\u0301", "日本", "🖼", "null", "None", "NaN",
    "true", "[]", "{}", '{"a":', "1", "-1", "1.5", "1e5", "1_0", "٣", "²", "0x10", "9" * 50, "inf", "-inf", "../../etc",
    "/", "//", "\\", "a/b", "a/b/c", "https://", "https://[", "http://[::1", "https://a:99999999/", "//[", "https://é",
    "javascript:alert(1)", "data:,", "2026-08-01T10:00:00Z", "2024-13-45", "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59Z", "2026-08-01T10:00:00+25:00", "<p>", "<" * 3_000, "<p " * 1_000, "&#x110000;",
    "&#" + "9" * 5_000 + ";", "---\na: [\n---\n", "`" * 500, "[" * 500, "(" * 500, "a " * 5_000, "a," * 5_000,
    "\n" * 5_000, "a" * 20_000, "%s", "%ff", "{0}", "*",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, [], {}, [[]], [{}], [None], {"": ""}, {"a": None}, *NUMBERS[:8], *TEXTS[:8],
)  # fmt: skip


class Twin(str):
    """A key that stands beside an equal one in a dict, and is written like it."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def damaged(draw: Random, document: Any, other: Any) -> Any:
    """`document` with one to six values changed; `other` lends parts. Neither is touched."""
    box: list[Any] = [document]
    for _ in range(draw.choice((1, 1, 1, 2, 3, 6))):
        box = _changed(draw, box, other)
    return box[0] if len(box) == 1 else box


def _changed(draw: Random, box: list[Any], other: Any) -> list[Any]:
    """A copy along the way to one value, which alone differs."""
    root = parent = list(box)
    key = 0
    while draw.random() < (0.97 if parent is root else 0.85) and (below := _keys(parent[key])):
        parent[key] = _copy(parent[key])
        parent, key = parent[key], draw.choice(below)
    draw.choice(CHANGES)(draw, parent, key, other)
    return root or [None]


def _keys(value: Any) -> list[Any]:
    return list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []


def _copy(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else list(value)


def _near_number(draw: Random, value: Any, other: Any) -> Any:
    known = isinstance(value, int | float)
    return draw.choice((value + 1, value - 1, -value, value * 2, value / 2, str(value))) if known else 7


def _embedded(draw: Random, value: Any, other: Any) -> Any:
    """Trainers write JSON into texts of their header."""
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    try:
        inner = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return written(draw, damaged(draw, inner, other)).decode("utf-8", "replace")


def _from_other(draw: Random, value: Any, other: Any) -> Any:
    while draw.random() < 0.8 and (below := _keys(other)):
        other = other[draw.choice(below)]
    return other


# What takes the place of a value.
_OTHER_VALUES: tuple[Callable[[Random, Any, Any], Any], ...] = (
    lambda draw, value, other: None,
    lambda draw, value, other: draw.choice(VALUES),
    lambda draw, value, other: draw.choice(NUMBERS),
    lambda draw, value, other: draw.choice(TEXTS),
    lambda draw, value, other: draw.choice(tuple(RAW)),
    lambda draw, value, other: [value] * draw.choice((1, 2) if _keys(value) else (1, 2, 500)),
    lambda draw, value, other: {draw.choice(TEXTS): value},
    lambda draw, value, other: list(value.values()) if isinstance(value, dict) else {"0": value},
    lambda draw, value, other: {} if value is None else type(value)(),
    lambda draw, value, other: respelled(draw, value) if isinstance(value, str) else value,
    _near_number,
    _embedded,
    _from_other,
)


def _replaced(draw: Random, parent: Any, key: Any, other: Any) -> None:
    parent[key] = draw.choice(_OTHER_VALUES)(draw, parent[key], other)


def _drop(draw: Random, parent: Any, key: Any, other: Any) -> None:
    del parent[key]


def _twice(draw: Random, parent: Any, key: Any, other: Any) -> None:
    if isinstance(parent, dict):
        parent[Twin(key)] = draw.choice((parent[key], None, draw.choice(VALUES)))
    else:
        parent.insert(key, parent[key])


def _renamed(draw: Random, parent: Any, key: Any, other: Any) -> None:
    if isinstance(parent, dict):
        parent[draw.choice((draw.choice(TEXTS), key.upper(), key + " ", respelled(draw, key)))] = parent.pop(key)


CHANGES: tuple[Callable[[Random, Any, Any, Any], None], ...] = (
    *(_replaced for _ in _OTHER_VALUES), _drop, _twice, _renamed,
)  # fmt: skip


def _at(draw: Random, text: str) -> int:
    return draw.randrange(len(text) + 1)


def _with_text(draw: Random, text: str) -> str:
    at = _at(draw, text)
    return text[:at] + draw.choice(TEXTS) + text[at:]


_SPELLINGS: tuple[Callable[[Random, str], str], ...] = (
    lambda draw, text: text[: _at(draw, text)],
    lambda draw, text: text[_at(draw, text) :],
    _with_text,
    lambda draw, text: text.upper(),
    lambda draw, text: text.replace(".", "_"),
    lambda draw, text: text.replace("_", "."),
    lambda draw, text: re.sub(r"\d+", str(draw.choice(NUMBERS)), text, count=1),
    lambda draw, text: re.sub(r"\d+", "9" * draw.choice((1, 2, 30, 5_000)), text, count=3),
    lambda draw, text: text[:5_000] * draw.choice((2, 50)),
)


def respelled(draw: Random, text: str) -> str:
    """A text with one of its parts changed."""
    return draw.choice(_SPELLINGS)(draw, text)


def written(draw: Random, document: Any) -> bytes:
    """The JSON: mostly UTF-8, at times with lone surrogates as three bytes, which no decoder may take."""
    escaped = draw.random() < 0.5
    text = json.dumps(document, ensure_ascii=escaped, separators=draw.choice(((",", ":"), (", ", ": "))))
    if "@raw-" in text:
        for name, raw in RAW.items():
            # Twice at most: a list of five hundred such would be a hundred megabytes before anything is read.
            text = text.replace(f'"{name}"', raw, 2)
    return text.encode("utf-8", "surrogatepass")


def _flipped(draw: Random, data: bytearray) -> None:
    for _ in range(draw.choice((1, 1, 2, 8, 64))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def _overwritten(draw: Random, data: bytearray) -> None:
    data[draw.randrange(len(data))] = draw.choice(b'\x00\xff"{}[]:,\\ 0-9e.\x80\n')


def _cut_off(draw: Random, data: bytearray) -> None:
    del data[draw.randrange(len(data)) :]


def _cut_out(draw: Random, data: bytearray) -> None:
    start = draw.randrange(len(data))
    del data[start : start + draw.choice((1, 2, 8, 100, 1_000))]


def _inserted(draw: Random, data: bytearray) -> None:
    at = draw.randrange(len(data) + 1)
    data[at:at] = draw.choice(
        (b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80\x80\x80", b'"', b"{", b"}",
         b"\\u", b"\\ud83d", b"\xe9", b",", b"[" * 1_000, draw.randbytes(5))
    )  # fmt: skip


def _copied(draw: Random, data: bytearray) -> None:
    start = draw.randrange(len(data))
    data[start:start] = data[start : start + draw.choice((1, 10, 100, 2_000))]


BYTE_CHANGES: tuple[Callable[[Random, bytearray], None], ...] = (
    _flipped, _overwritten, _cut_off, _cut_out, _inserted, _copied,
)  # fmt: skip


def corrupted(draw: Random, data: bytes) -> bytes:
    """Bytes with one to three places changed, or all of it in another encoding."""
    if draw.random() < 0.1:
        return _recoded(draw, data)
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 3))):
        if changed:
            draw.choice(BYTE_CHANGES)(draw, changed)
    return bytes(changed)


def _recoded(draw: Random, data: bytes) -> bytes:
    return data.decode("utf-8", "replace").encode(
        draw.choice(("latin-1", "utf-16", "utf-16-be", "utf-32", "utf-8-sig", "cp037")), "replace"
    )
