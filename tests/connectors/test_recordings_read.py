"""What a careful person reads out of each recording, written down beforehand, is what the connectors say.

`recordings_read.tsv` holds one line a recording: the base model, the trigger words in their author's order (separated
by " | "), the kind and the access. An empty cell means that the recording doesn't say. A recording that lists several
models has a line for each LoRA among them, `PAGE#OWNER/NAME`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelInfo

from connectors.civitai import parse
from connectors.claims.resolve import best, flatten
from connectors.huggingface import parse as huggingface_parse
from connectors.record import Lora
from connectors.replicate import parse as replicate_parse
from tests.connectors.building import COMMIT, NOW
from tests.corpus import RESPONSES

TABLE = Path(__file__).with_name("recordings_read.tsv")
PAGES = ("replicate_models_*.json", "replicate_collection_*.json")
Row = dict[str, str]


def _table() -> dict[str, Row]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["recording"]: row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}


def _json(name: str) -> Any:
    return json.loads((RESPONSES / name).read_text(encoding="utf-8"))


def _of_card(name: str) -> Lora:
    repo = name.removeprefix("hf_readme_").removesuffix(".md").replace("__", "/", 1)
    info = ModelInfo(id=repo, sha=COMMIT)  # type: ignore[no-untyped-call]
    return huggingface_parse.lora(info, "https://huggingface.co", (RESPONSES / name).read_text(encoding="utf-8"))


def _of_repo(name: str) -> Lora:
    return huggingface_parse.lora(ModelInfo(**_json(name)), "https://huggingface.co")  # type: ignore[no-untyped-call]


READERS: dict[str, Callable[[str], Lora | None]] = {
    "civitai_model_*.json": lambda name: parse.lora(_json(name), "https://civitai.com", NOW),
    "civitai_version_*.json": lambda name: parse.lora_of_version(_json(name), "https://civitai.com", NOW),
    "civitai_info_sidecar_*.json": lambda name: parse.lora_of_version(_json(name), "https://civitai.com", NOW),
    "hf_readme_*.md": _of_card,
    "hf_model_*.json": _of_repo,
    "replicate_model_*.json": lambda name: replicate_parse.lora(_json(name)),
    "replicate_training*.json": lambda name: replicate_parse.lora_of_training(_json(name)),
}


def recorded() -> Iterator[tuple[str, Lora]]:
    """Every LoRA of every recording; a CivitAI checkpoint gives none, nor a training that isn't done."""
    for pattern, read in READERS.items():
        for path in sorted(RESPONSES.glob(pattern)):
            if (lora := read(path.name)) is not None:
                yield path.name, lora
    for path in sorted(found for pattern in PAGES for found in RESPONSES.glob(pattern)):
        page = _json(path.name)
        for model in page.get("results") or page["models"]:
            # What has a recording of its own is read there.
            own = f"replicate_model_{model['owner']}__{model['name']}"
            lora = replicate_parse.lora(model)
            is_listed = lora is not None and best(lora.claims, "is_lora") is not False
            if lora is not None and is_listed and not any(RESPONSES.glob(f"{own}*.json")):
                yield f"{path.name}#{lora.ref.id}", lora


def _read(lora: Lora) -> Row:
    record = flatten(lora)
    return {
        "base_model": record.base_model or "",
        "trigger_words": " | ".join(record.trigger_words),
        "kind": record.kind or "",
        "access": record.access,
    }


@pytest.fixture(scope="module")
def found(recordings: Path) -> dict[str, Row]:
    return {name: _read(lora) for name, lora in recorded()}


def test_every_recording_has_a_line(found: dict[str, Row]) -> None:
    assert sorted(found.keys() - _table().keys()) == []


@pytest.mark.parametrize("field", ["base_model", "trigger_words", "kind", "access"])
def test_the_connectors_read_what_a_person_reads(found: dict[str, Row], field: str) -> None:
    expected = _table()
    missed = [
        f"{name}: {field} is {row[field]!r}, a person reads {expected[name][field]!r}"
        for name, row in found.items()
        if name in expected and row[field] != expected[name][field]
    ]
    assert not missed, "\n" + "\n".join(missed)
