"""A LoRA as JSON text, and back the same."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from operator import attrgetter
from typing import Any

import msgspec

from connectors.errors import HubUiError
from connectors.record import Claim, Example, Lora, Version, WeightFile
from connectors.ref import Ref

VERSION = 1


def encode(lora: Lora) -> str:
    """As JSON that `decode` reads back the same, lone surrogates and infinite numbers included."""
    plain = {"v": VERSION, **_plain(lora)}
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        # No database holds half of a character as it is.
        return json.dumps(plain, separators=(",", ":"))
    return text


def decode(text: str) -> Lora:
    """Raises HubUiError for text that is not ours, or that a newer hub-ui wrote."""
    try:
        values = read_json(text)
        if values.pop("v") != VERSION:
            raise HubUiError("The catalog holds an entry of a newer hub-ui. Update hub-ui to read it.")
        lora: Lora = _from_json(Lora, values)
        return lora
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise HubUiError(
            f"An entry of the catalog can't be read ({error!r}). Open the LoRA on its hub again."
        ) from error


def read_json(text: str) -> Any:
    """Raises ValueError for what is no JSON."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        # Lone surrogates and infinite numbers, which msgspec can't read.
        return json.loads(text)


def _plain(value: Any) -> dict[str, Any]:
    """Without what is at its default; its parts the same way."""
    names, defaults, get, parts = _FIELDS[type(value)]
    kept = {
        name: item
        for name, default, item in zip(names, defaults, get(value), strict=True)
        # 0, 0.0 and False are equal and not the same: only the very default is left out.
        if item is not default and (item != default or type(item) is not type(default))
    }
    for name, write in parts:
        if name in kept:
            kept[name] = write(kept[name])
    return kept


def _plain_ref(ref: Ref) -> list[str | None]:
    # Not as text: a hub may put "#" or "@" where our own form has a meaning for it.
    return [ref.hub, ref.id, ref.version, ref.file]


def _plain_claims(claims: Iterable[Claim]) -> list[list[Any]]:
    return [[claim.field, claim.value, claim.source, claim.where] for claim in claims]


def _plain_many(values: Iterable[Any]) -> list[dict[str, Any]]:
    return [_plain(value) for value in values]


def _from_json(kind: type, values: dict[str, Any]) -> Any:
    for name, read in _READERS[kind]:
        if name in values:
            values[name] = read(values[name])
    return kind(**values)


def _many(kind: type) -> Callable[[Any], Any]:
    return lambda items: tuple(_from_json(kind, item) for item in items)


def _ref(parts: list[Any]) -> Ref:
    hub, lora_id, version, file = parts
    return Ref(hub=hub, id=lora_id, version=version, file=file)


def _claims(items: list[list[Any]]) -> tuple[Claim, ...]:
    return tuple(
        Claim(field=field, value=tuple(value) if isinstance(value, list) else value, source=source, where=where)
        for field, value, source, where in items
    )


# For each part that is more than text and numbers: its class's field, how it is written, how it is read.
_PARTS: Mapping[type, tuple[tuple[str, Callable[[Any], Any], Callable[[Any], Any]], ...]] = {
    Lora: (
        ("ref", _plain_ref, _ref),
        ("tags", list, tuple),
        ("versions", _plain_many, _many(Version)),
        ("claims", _plain_claims, _claims),
    ),
    Version: (
        ("ref", _plain_ref, _ref),
        ("files", _plain_many, _many(WeightFile)),
        ("examples", _plain_many, _many(Example)),
        ("claims", _plain_claims, _claims),
    ),
    WeightFile: (("ref", _plain_ref, _ref), ("claims", _plain_claims, _claims)),
    Example: (("params", dict, dict),),
}
_NEVER = object()
_FIELDS = {
    kind: (
        tuple(field.name for field in fields(kind)),
        tuple(
            {} if field.name == "params" else _NEVER if field.default is MISSING else field.default
            for field in fields(kind)
        ),
        attrgetter(*(field.name for field in fields(kind))),
        tuple((name, write) for name, write, _ in parts),
    )
    for kind, parts in _PARTS.items()
}
_READERS = {kind: tuple((name, read) for name, _, read in parts) for kind, parts in _PARTS.items()}
