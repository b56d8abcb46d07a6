import json
from pathlib import Path

import pytest

from hub_ui.demo.build.tensor_tables import fold_tensors, table_text
from hub_ui.demo.hubs.folder import SAMPLES, expand_tensors

TABLES = sorted((SAMPLES / "tensors").glob("*.json"))


def test_blocks_that_repeat_are_written_once() -> None:
    table = {"in": ["F16", [1]], **{f"blocks.{n}.{name}": ["F16", [4]] for n in (0, 1, 2) for name in ("a", "b")}}
    assert list(fold_tensors(table)) == [
        {"tensors": {"in": ["F16", [1]]}},
        {"repeat": [0, 3], "tensors": {"blocks.{}.a": ["F16", [4]], "blocks.{}.b": ["F16", [4]]}},
    ]


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_a_table_of_the_samples_is_as_it_would_be_printed(path: Path) -> None:
    tensors = expand_tensors(json.loads(path.read_bytes()))
    assert table_text(fold_tensors(tensors)) == path.read_text(encoding="utf-8")
