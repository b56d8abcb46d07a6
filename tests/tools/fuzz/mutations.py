"""Damage to JSON documents and to bytes, the same for the same Random.

A document is damaged as parsed values, so that what comes out is JSON of a wrong shape and not only no JSON at all.
"""

import json
import re
from collections.abc import Callable
from copy import deepcopy
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
    box: list[Any] = [deepcopy(document)]
    for _ in range(draw.choice((1, 1, 1, 2, 3, 6))):
        parent: Any = box
        key: Any = 0
        while draw.random() < (0.97 if parent is box else 0.85) and (below := _keys(parent[key])):
            parent, key = parent[key], draw.choice(below)
        _change(draw, parent, key, other)
        box = box or [None]
    return box[0] if len(box) == 1 else box


def _keys(value: Any) -> list[Any]:
    return list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []


def _embedded(draw: Random, value: Any, other: Any) -> Any:
    """Trainers write JSON into texts of their header."""
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    try:
        inner = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return written(draw, damaged(draw, inner, other)).decode("utf-8", "replace")


def _from_other(draw: Random, _value: Any, other: Any) -> Any:
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
    lambda draw, value, other: (
        draw.choice((value + 1, value - 1, -value, value * 2, value / 2, str(value)))
        if isinstance(value, int | float)
        else 7
    ),
    _embedded,
    _from_other,
)


def _change(draw: Random, parent: Any, key: Any, other: Any) -> None:
    """Mostly another value; else the value is dropped, stands twice, or has another name."""
    way = draw.randrange(len(_OTHER_VALUES) + 3)
    if way < len(_OTHER_VALUES):
        # What stands in two places, or in the tables above, would be changed in both.
        parent[key] = deepcopy(_OTHER_VALUES[way](draw, parent[key], other))
    elif way == len(_OTHER_VALUES):
        del parent[key]
    elif isinstance(parent, list):
        parent.insert(key, deepcopy(parent[key]))
    elif way == len(_OTHER_VALUES) + 1:
        parent[Twin(key)] = deepcopy(draw.choice((parent[key], None, draw.choice(VALUES))))
    else:
        parent[draw.choice((draw.choice(TEXTS), key.upper(), key + " ", respelled(draw, key)))] = parent.pop(key)


# What may become of a text at one of its places.
_SPELLINGS: tuple[Callable[[Random, str, int], str], ...] = (
    lambda draw, text, at: text[:at],
    lambda draw, text, at: text[at:],
    lambda draw, text, at: text[:at] + draw.choice(TEXTS) + text[at:],
    lambda draw, text, at: text.upper(),
    lambda draw, text, at: text.replace(".", "_"),
    lambda draw, text, at: text.replace("_", "."),
    lambda draw, text, at: re.sub(r"\d+", str(draw.choice(NUMBERS)), text, count=1),
    lambda draw, text, at: re.sub(r"\d+", "9" * draw.choice((1, 2, 30, 5_000)), text, count=3),
    lambda draw, text, at: text[:5_000] * draw.choice((2, 50)),
)


def respelled(draw: Random, text: str) -> str:
    """A text with one of its parts changed."""
    return draw.choice(_SPELLINGS)(draw, text, draw.randrange(len(text) + 1))


def written(draw: Random, document: Any) -> bytes:
    """The JSON: mostly UTF-8, at times with lone surrogates as three bytes, which no decoder may take."""
    escaped = draw.random() < 0.5
    text = json.dumps(document, ensure_ascii=escaped, separators=draw.choice(((",", ":"), (", ", ": "))))
    if "@raw-" in text:
        for name, raw in RAW.items():
            # Twice at most: a list of five hundred such would be a hundred megabytes before anything is read.
            text = text.replace(f'"{name}"', raw, 2)
    return text.encode("utf-8", "surrogatepass")


_INSERTED = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80\x80\x80", b'"', b"{", b"}", b"\\u",
    b"\\ud83d", b"\xe9", b",", b"[" * 1_000,
)  # fmt: skip
# What may become of bytes at one of their places.
_BYTE_CHANGES: tuple[Callable[[Random, bytes, int], bytes], ...] = (
    lambda draw, data, at: data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :],
    lambda draw, data, at: data[:at] + bytes([draw.choice(b'\x00\xff"{}[]:,\\ 0-9e.\x80\n')]) + data[at + 1 :],
    lambda draw, data, at: data[:at],
    lambda draw, data, at: data[:at] + data[at + draw.choice((1, 2, 8, 100, 1_000)) :],
    lambda draw, data, at: data[:at] + draw.choice((*_INSERTED, draw.randbytes(5))) + data[at:],
    lambda draw, data, at: data[: at + draw.choice((1, 10, 100, 2_000))] + data[at:],
)


def corrupted(draw: Random, data: bytes) -> bytes:
    """Bytes with one to three places changed, or dozens, or all of it in another encoding."""
    chance = draw.random()
    if chance < 0.1:
        codes = ("latin-1", "utf-16", "utf-16-be", "utf-32", "utf-8-sig", "cp037")
        return data.decode("utf-8", "replace").encode(draw.choice(codes), "replace")
    for _ in range(draw.choice((8, 64)) if chance < 0.15 else draw.choice((1, 1, 2, 3))):
        data = draw.choice(_BYTE_CHANGES)(draw, data, draw.randrange(len(data))) if data else data
    return data
