"""The LoRAs of an example image, from CivitAI's lists to the fields of A1111's infotext.

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
    """`Lora hashes`, `Lora weights` and `Civitai resources`, those of them that the image has."""
    listed = [item for key in ("resources", "additionalResources") for item in tables(meta.get(key)) if _is_lora(item)]
    hashes = {
        **_texts((name[5:], value) for name, value in table(meta.get("hashes")).items() if name[:5].lower() == "lora:"),
        **_texts((item.get("name"), item.get("hash")) for item in listed),
    }
    weights = _texts((item.get("name"), item.get(key)) for key in ("strength", "weight") for item in listed)
    versions = [
        {"type": "lora", "weight": number(item.get("weight")), "modelVersionId": version}
        for item in tables(meta.get("civitaiResources"))
        if _is_lora(item) and (version := whole(item.get("modelVersionId"))) is not None
    ]
    found = {
        "Lora hashes": _join({name: value for name, value in hashes.items() if _HASH.fullmatch(value)}),
        "Lora weights": _join({name: value for name, value in weights.items() if number(value) is not None}),
        "Civitai resources": json.dumps(versions[:_MOST], separators=(",", ":")) if versions else "",
    }
    return {name: value for name, value in found.items() if value}


def _is_lora(item: Table) -> bool:
    return str(item.get("type", "")).lower() in _TYPES


def _texts(pairs: Iterable[tuple[object, object]]) -> dict[str, str]:
    """Pairs of texts; names are without the characters that would end them in an infotext."""
    read = ((text(name, 300), text(value, 64)) for name, value in pairs)
    return {_SEPARATORS.sub("_", name.removesuffix(".safetensors")): value for name, value in read if name and value}


def _join(pairs: dict[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in list(pairs.items())[:_MOST])
