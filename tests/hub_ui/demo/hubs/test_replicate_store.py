import json
from pathlib import Path
from typing import Any

import pytest

from connectors.replicate.runs import TRAINER, TRAINER_VERSION
from hub_ui.demo.hubs import replicate_store
from hub_ui.demo.hubs.replicate_store import ReplicateStore, load_replicate, loads, official, problems, read_inputs
from tests.connectors.cases import read_cases
from tests.hub_ui.demo.hubs.conftest import folder

READ = read_cases(__file__)


def load(path: Path, **files: Any) -> ReplicateStore:
    for name, data in files.items():
        (path / f"{name}.json").write_text(json.dumps(data))
    return load_replicate(folder(path))


def model(version: str, **more: Any) -> dict[str, Any]:
    return {"owner": "o", "name": "n", "latest_version": {"id": version, "created_at": version}, **more}


def test_the_last_recording_of_a_model_counts_and_all_its_versions_are_kept(tmp_path: Path) -> None:
    store = load(tmp_path, replicate_model_o__n_2024=model("1"), replicate_model_o__n_2025=model("2"))
    assert store.models["o/n"]["latest_version"]["id"] == "2"
    assert sorted(store.versions["o/n"]) == ["1", "2"]


def test_the_trainer_is_the_one_that_is_asked_for() -> None:
    assert replicate_store.TRAINER == TRAINER
    assert official()[TRAINER]["latest_version"]["id"] == TRAINER_VERSION


@pytest.mark.parametrize("address", READ["a runner loads what it knows the form of"])
def test_a_runner_loads_what_it_knows_the_form_of(address: str) -> None:
    assert loads(address)


@pytest.mark.parametrize("address", ["", "ink", 7, None, "https://civitai.red/models/1001", "https://x.org/ink.ckpt"])
def test_a_runner_loads_nothing_else(address: object) -> None:
    assert not loads(address)


SCHEMAS = {
    "Input": {
        "required": ["prompt"],
        "properties": {
            "prompt": {"type": "string"},
            "steps": {"type": "integer", "minimum": 1, "maximum": 50, "default": 28},
            "scale": {"type": "number"},
            "fast": {"type": "boolean"},
            "ratio": {"allOf": [{"$ref": "#/components/schemas/ratio"}]},
            "seed": {"type": "integer", "nullable": True},
        },
    },
    "ratio": {"type": "string", "enum": ["1:1", "2:3"]},
}
VERSION = {"openapi_schema": {"components": {"schemas": SCHEMAS}}}


@pytest.mark.parametrize(("inputs", "text"), READ["an input is held against its schema"])
def test_an_input_is_held_against_its_schema(inputs: dict[str, Any], text: str | None) -> None:
    found = problems(VERSION, {"prompt": "x", **inputs})
    assert [words for _, words in found] == ([text] if text else [])


def test_the_inputs_together_must_be_an_object() -> None:
    assert problems(VERSION, ["x"]) == [("input", "Invalid type. Expected: object, given: array")]


def test_a_model_reads_what_its_schema_knows_and_all_without_one() -> None:
    told = {"prompt": "x", "num_outputs": "many", "seed": None}
    assert read_inputs(VERSION, told) == {"prompt": "x", "steps": 28}
    assert read_inputs({"openapi_schema": None}, told) == {"prompt": "x", "num_outputs": "many"}
