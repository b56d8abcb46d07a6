"""Lora <-> JSON text, exactly: what is read back equals what was written, lone surrogates and number types included.

Fields at their default are left out, so that most of a page's LoRAs take a few hundred bytes. A Ref is kept as its four
parts and not as its text, since a hub may put "#" or "@" where our own form has a meaning for it.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, Field
from typing import Any, ClassVar, Protocol

from connectors.errors import HubUiError
from connectors.record import Claim, Example, Lora, Version, WeightFile
from connectors.ref import Ref

VERSION = 1


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


def encode(lora: Lora) -> str:
    return json.dumps({"v": VERSION, **_plain(lora)}, separators=(",", ":"), default=_plain)


def decode(text: str) -> Lora:
    """Raises HubUiError for text that is not ours, or that a newer hub-ui wrote."""
    try:
        kept = json.loads(text)
        if kept.pop("v") != VERSION:
            raise HubUiError("The catalog holds an entry of a newer hub-ui. Update hub-ui to read it.")
        return _lora(kept)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HubUiError(
            f"An entry of the catalog can't be read ({error!r}). Open the LoRA on its hub again."
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, Ref):
        return [value.hub, value.id, value.version, value.file]
    if isinstance(value, Claim):
        return [value.field, value.value, value.source, value.where]
    if isinstance(value, Lora | Version | WeightFile | Example):
        return _without_defaults(value)
    return dict(value)


def _without_defaults(value: _Dataclass) -> dict[str, Any]:
    kept = {}
    for field in value.__dataclass_fields__.values():
        said = getattr(value, field.name)
        default = {} if field.default is MISSING else field.default
        # 0, 0.0 and False are equal and not the same: only the very default is left out.
        if said != default or type(said) is not type(default):
            kept[field.name] = said
    return kept


def _lora(kept: dict[str, Any]) -> Lora:
    return Lora(
        **kept
        | _read(kept, "ref", _ref)
        | _read(kept, "tags", tuple)
        | _read(kept, "claims", _claims)
        | _read(kept, "versions", lambda found: tuple(map(_version, found)))
    )


def _version(kept: dict[str, Any]) -> Version:
    return Version(
        **kept
        | _read(kept, "ref", _ref)
        | _read(kept, "claims", _claims)
        | _read(kept, "examples", lambda found: tuple(Example(**each) for each in found))
        | _read(kept, "files", lambda found: tuple(map(_file, found)))
    )


def _file(kept: dict[str, Any]) -> WeightFile:
    return WeightFile(**kept | _read(kept, "ref", _ref) | _read(kept, "claims", _claims))


def _read(kept: dict[str, Any], name: str, read: Any) -> dict[str, Any]:
    return {name: read(kept[name])} if name in kept else {}


def _ref(kept: list[Any]) -> Ref:
    hub, lora_id, version, file = kept
    return Ref(hub=hub, id=lora_id, version=version, file=file)


def _claims(kept: list[list[Any]]) -> tuple[Claim, ...]:
    return tuple(
        Claim(field=field, value=tuple(value) if isinstance(value, list) else value, source=source, where=where)
        for field, value, source, where in kept
    )
