"""Every LoRA that was recorded from the three hubs between 2023 and 2026 becomes a complete record.

What a careful person reads out of each recording, written down beforehand, is what the connectors say.

`recordings_read.tsv` holds one line a recording: the base model, the trigger words in their author's order (separated
by " | "), the kind and the access. An empty cell means that the recording doesn't say. A recording that lists several
models has a line for each LoRA among them, `PAGE#OWNER/NAME`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelInfo

import connectors
from connectors import federation
from connectors.civitai import parse
from connectors.claims.resolve import best, flatten
from connectors.connector import Connector, pin
from connectors.errors import AccessError, NotFound
from connectors.huggingface import parse as huggingface_parse
from connectors.query import Query
from connectors.record import CLAIMED_FIELDS, NSFW_LEVELS, Lora
from connectors.ref import Ref
from connectors.replicate import parse as replicate_parse
from tests.connectors.building import COMMIT, NOW
from tests.connectors.test_record import KEYS
from tests.corpus import RESPONSES, or_skip, rows_of
from tests.faulty_hubs import running_hubs

# Marked, for their inputs or words have to do with LoRAs: what writes text, and a checkpoint that has one built in.
NO_LORA = (
    "replicate_model_moinnadeem__codellama-34b-instruct-vllm_2025.json",
    "replicate_model_uwulewd__airoboros-llama-2-70b_2025.json",
    "replicate_model_lucataco__realvisxl2-lcm.json",
)
# What claims hold beside the fields of a record.
EXTRA_FIELDS = (
    "access", "base_license", "is_lora", "license_terms", "minor", "nsfw", "real_person", "scan", "sfw_only",
    "weight_high", "weights_url",
)  # fmt: skip


def _recorded(*patterns: str) -> Sequence[Any]:
    return or_skip(sorted(path.name for pattern in patterns for path in RESPONSES.glob(pattern)))


def _json(recordings: Path, name: str) -> Any:
    return json.loads((recordings / name).read_text(encoding="utf-8"))


def _is_complete(lora: Lora) -> None:
    """All keys of the contract, plain JSON, and a ref that can be read back, for every file of every version."""
    for version in (None, *lora.versions):
        for file in (None, *(version.files if version else ())):
            data = flatten(lora, version, file).to_json()
            assert json.loads(json.dumps(data)) == data
            assert list(data) == KEYS
            assert str(Ref.parse(data["ref"])) == data["ref"]
            assert data["title"]
            assert data["nsfw"] in (None, *NSFW_LEVELS)
            assert {claim["field"] for claim in data["claims"]} <= {*CLAIMED_FIELDS, *EXTRA_FIELDS}
            assert all(claim["where"] for claim in data["claims"])


@pytest.mark.usefixtures("recordings")
def test_every_recorded_lora_becomes_a_complete_record() -> None:
    for _, lora in recorded():
        _is_complete(lora)


def _is_listed(model: dict[str, Any]) -> bool:
    """As a LoRA or a runner."""
    lora = replicate_parse.lora(model)
    return lora is not None and best(lora.claims, "is_lora") is not False


def _kind(model: dict[str, Any]) -> str | None:
    lora = replicate_parse.lora(model)
    return flatten(lora).kind if lora else None


def test_every_replicate_model_that_was_marked_a_lora_is_listed(recordings: Path) -> None:
    marked = {row["file"] for row in rows_of(recordings / "SOURCES.tsv") if row["lora"] == "yes"}
    for name in _recorded("replicate_model_*.json"):
        expected = name in marked and name not in NO_LORA
        assert _is_listed(_json(recordings, name)) is expected, name


@pytest.fixture(scope="module")
def recorded_hubs(recordings: Path) -> Iterator[tuple[Connector, ...]]:
    with running_hubs(recordings) as hubs:
        yield connectors.build(hubs.by_name, {"replicate": "any"})


def _listed_by_hub(recordings: Path) -> dict[str, set[str]]:
    """The LoRAs that the hubs' own lists can show: types and inputs, and on Hugging Face the tag."""
    models = [_json(recordings, name) for name in _recorded("civitai_model_*.json")]
    replicate = [_json(recordings, name) for name in _recorded("replicate_model_*.json")]
    return {
        "civitai": {str(model["id"]) for model in models if model["type"] in parse.LORA_TYPES},
        "replicate": {f"{m['owner']}/{m['name']}" for m in replicate if _is_listed(m) and _kind(m) != "runner"},
    }


def test_an_empty_search_lists_every_recorded_lora(recorded_hubs: tuple[Connector, ...], recordings: Path) -> None:
    found = federation.collect(recorded_hubs, Query(limit=10_000, nsfw="explicit"))
    ids = {
        hub: {lora.ref.id for lora in found.loras if lora.hub == hub} for hub in ("civitai", "replicate", "huggingface")
    }
    assert found.failures == ()
    for hub, expected in _listed_by_hub(recordings).items():
        assert expected <= ids[hub]
    assert len(ids["huggingface"]) >= 20


def test_every_listed_lora_opens_pins_and_says_where_its_bytes_are(recorded_hubs: tuple[Connector, ...]) -> None:
    """The recordings hold no weights, so some downloads are refused, but always in our words."""
    by_name: dict[str, Connector] = {connector.name: connector for connector in recorded_hubs}
    found = federation.collect(recorded_hubs, Query(limit=10_000, nsfw="explicit"))
    for lora in found.loras:
        connector = by_name[lora.hub]
        _is_complete(connector.get(lora.ref))
        with suppress(AccessError, NotFound):
            pinned = pin(connector, lora.ref)
            assert pinned.is_pinned
            assert connector.download(pinned).ref == pinned


TABLE = Path(__file__).with_name("recordings_read.tsv")
PAGES = ("replicate_models_*.json", "replicate_collection_*.json")
Row = dict[str, str]


def _table() -> dict[str, Row]:
    return {row["recording"]: row for row in rows_of(TABLE)}


def _response(name: str) -> Any:
    return json.loads((RESPONSES / name).read_text(encoding="utf-8"))


def _of_card(name: str) -> Lora:
    repo = name.removeprefix("hf_readme_").removesuffix(".md").replace("__", "/", 1)
    info = ModelInfo(id=repo, sha=COMMIT)  # type: ignore[no-untyped-call]
    return huggingface_parse.lora(info, "https://huggingface.co", (RESPONSES / name).read_text(encoding="utf-8"))


def _of_repo(name: str) -> Lora:
    return huggingface_parse.lora(ModelInfo(**_response(name)), "https://huggingface.co")  # type: ignore[no-untyped-call]


READERS: dict[str, Callable[[str], Lora | None]] = {
    "civitai_model_*.json": lambda name: parse.lora(_response(name), "https://civitai.com", NOW),
    "civitai_version_*.json": lambda name: parse.lora_of_version(_response(name), "https://civitai.com", NOW),
    "civitai_info_sidecar_*.json": lambda name: parse.lora_of_version(_response(name), "https://civitai.com", NOW),
    "hf_readme_*.md": _of_card,
    "hf_model_*.json": _of_repo,
    "replicate_model_*.json": lambda name: replicate_parse.lora(_response(name)),
    "replicate_training*.json": lambda name: replicate_parse.lora_of_training(_response(name)),
}


def recorded() -> Iterator[tuple[str, Lora]]:
    """Every LoRA of every recording; a CivitAI checkpoint gives none, nor a training that isn't done."""
    for pattern, read in READERS.items():
        for path in sorted(RESPONSES.glob(pattern)):
            if (lora := read(path.name)) is not None:
                yield path.name, lora
    for path in sorted(found for pattern in PAGES for found in RESPONSES.glob(pattern)):
        page = _response(path.name)
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
