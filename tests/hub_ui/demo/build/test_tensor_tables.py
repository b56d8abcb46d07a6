import json
from pathlib import Path

import pytest

from hub_ui.demo.build.tensor_tables import fold_tensors, table_text, tensors_of
from hub_ui.demo.hubs.folder import SAMPLES, expand_tensors, generate_safetensors

TABLES = sorted((SAMPLES / "tensors").glob("*.json"))


def test_blocks_that_repeat_are_written_once() -> None:
    table = {"in": ["F16", [1]], **{f"blocks.{n}.{name}": ["F16", [4]] for n in (0, 1, 2) for name in ("a", "b")}}
    assert list(fold_tensors(table)) == [
        {"tensors": {"in": ["F16", [1]]}},
        {"repeat": [0, 3], "tensors": {"blocks.{}.a": ["F16", [4]], "blocks.{}.b": ["F16", [4]]}},
    ]


def test_blocks_of_different_shapes_stand_for_themselves() -> None:
    table = {"blocks.0.a": ["F16", [4]], "blocks.1.a": ["F16", [8]]}
    assert list(fold_tensors(table)) == [{"tensors": table}]


def test_a_file_gives_its_tensors_without_its_metadata() -> None:
    table = {"b.lora_A.weight": ["BF16", [4, 8]], "a.alpha": ["F32", []]}
    assert tensors_of(generate_safetensors({"tensors": table, "metadata": {"format": "pt"}})) == table


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_a_table_of_the_samples_is_as_it_would_be_printed(path: Path) -> None:
    tensors = expand_tensors(json.loads(path.read_bytes()))
    assert table_text(fold_tensors(tensors)) == path.read_text(encoding="utf-8")
