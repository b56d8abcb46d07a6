"""A LoRA as JSON text, and back the same."""

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any

from connectors.errors import HubUiError
from connectors.record import Claim, Example, Lora, Version, WeightFile
from connectors.ref import Ref

VERSION = 1


def encode(lora: Lora) -> str:
    """As JSON that `decode` reads back the same, lone surrogates included, which msgspec has no JSON for."""
    return json.dumps({"v": VERSION, **_to_json(lora)}, separators=(",", ":"), default=_to_json)


def decode(text: str) -> Lora:
    """Raises HubUiError for text that is not ours, or that a newer hub-ui wrote."""
    try:
        values = json.loads(text)
        if values.pop("v") != VERSION:
            raise HubUiError("The catalog holds an entry of a newer hub-ui. Update hub-ui to read it.")
        lora: Lora = _from_json(Lora, values)
        return lora
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HubUiError(
            f"An entry of the catalog can't be read ({error!r}). Open the LoRA on its hub again."
        ) from error


def _to_json(value: Any) -> Any:
    if isinstance(value, Ref):
        # Not as text: a hub may put "#" or "@" where our own form has a meaning for it.
        return [value.hub, value.id, value.version, value.file]
    if isinstance(value, Claim):
        return [value.field, value.value, value.source, value.where]
    if isinstance(value, Mapping):
        return dict(value)
    return {
        name: item
        for name, default in _DEFAULTS[type(value)]
        # 0, 0.0 and False are equal and not the same: only the very default is left out.
        if (item := getattr(value, name)) != default or type(item) is not type(default)
    }


def _from_json(kind: type, values: dict[str, Any]) -> Any:
    for name, read in _READERS[kind].items():
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


_DEFAULTS: dict[type, list[tuple[str, Any]]] = {
    kind: [(field.name, {} if field.default is MISSING else field.default) for field in fields(kind)]
    for kind in (Lora, Version, WeightFile, Example)
}
_READERS: dict[type, dict[str, Callable[[Any], Any]]] = {
    Lora: {"ref": _ref, "tags": tuple, "claims": _claims, "versions": _many(Version)},
    Version: {"ref": _ref, "claims": _claims, "examples": _many(Example), "files": _many(WeightFile)},
    WeightFile: {"ref": _ref, "claims": _claims},
    Example: {},
}
