"""Which LoRAs an example picture was made with, out of CivitAI's lists, in the words of A1111's parameters text.

The lists hang together by name and come in three shapes. Flat texts are what every reader of generation parameters
knows, and all that an Example keeps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from connectors.http.json_fields import Table, number, table, tables, text, whole

_TYPES = ("lora", "locon", "lycoris", "dora")
_HASH = re.compile(r"[0-9A-Fa-f]{8,64}")
_SEPARATORS = re.compile(r'[,:"]')
_MOST = 40


def lora_params(meta: Table) -> dict[str, str]:
    """`Lora hashes`, `Lora weights` and `Civitai resources`, those of them that the picture has."""
    listed = [item for key in ("resources", "additionalResources") for item in tables(meta.get(key)) if _is_lora(item)]
    hashes = {**_named_hashes(table(meta.get("hashes"))), **dict(_pairs(listed, "hash"))}
    weights = dict([*_pairs(listed, "strength"), *_pairs(listed, "weight")])
    found = {
        "Lora hashes": _joined({name: value for name, value in hashes.items() if _HASH.fullmatch(value)}),
        "Lora weights": _joined({name: value for name, value in weights.items() if number(value) is not None}),
        "Civitai resources": _versions(tables(meta.get("civitaiResources"))),
    }
    return {name: value for name, value in found.items() if value}


def _is_lora(item: Table) -> bool:
    return str(item.get("type", "")).lower() in _TYPES


def _pairs(listed: Iterable[Table], key: str) -> Iterable[tuple[str, str]]:
    for item in listed:
        name, value = text(item.get("name"), 300), text(item.get(key), 64)
        if name and value:
            yield _plain(name), value


def _named_hashes(hashes: Table) -> dict[str, str]:
    return {
        _plain(name[5:]): value
        for name, raw in hashes.items()
        if name[:5].lower() == "lora:" and (value := text(raw, 64)) is not None
    }


def _plain(name: str) -> str:
    return _SEPARATORS.sub("_", name.removesuffix(".safetensors"))


def _joined(pairs: dict[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in list(pairs.items())[:_MOST])


def _versions(listed: Iterable[Table]) -> str:
    """CivitAI's own list, of its LoRAs, as it stands in a parameters text."""
    kept = [
        {"type": "lora", "weight": number(item.get("weight")), "modelVersionId": version}
        for item in listed
        if _is_lora(item) and (version := whole(item.get("modelVersionId"))) is not None
    ]
    return json.dumps(kept[:_MOST], separators=(",", ":")) if kept else ""
