"""A base model is one block: of a program with one more, nothing but connectors/base_models.toml differs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import connectors
from connectors.claims.base_models import FILE

BLOCK = Path(__file__).with_name("halcyon.toml").read_text(encoding="utf-8")
ASK = """
import json
from connectors.claims import base_models
from connectors.weights.training_metadata import base_of
from hub_ui.generate.base_models import choose_base
from tests.tools.base_tables.__main__ import memory_table, table, table_of_files
from hub_ui.generate.plan import plan_on_card

base = choose_base("halcyon", None, None)
spec, plan = plan_on_card(base, "balanced", 8 * 2**30)
print(json.dumps({
    "choice": [base.id, base.source, base.license, base.memory, base.width],
    "plan": [spec.precision, spec.checkpoint.file, plan.level],
    "names": [
        base_models.identify("halcyon-labs/Halcyon-2-fp8").id,
        base_models.find_base_name("A Halcyon 2 LoRA")[0],
        base_of("ss_base_model_version", "hlc2"),
        base_models.architecture_label("halcyon"),
        *base_models.spellings("halcyon", "civitai"),
    ],
    "rows": [printed.count("`halcyon-2`") for printed in (table(), memory_table(), table_of_files())],
}))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Of a program that has the block beside all others."""
    folder, sources = tmp_path_factory.mktemp("program"), Path(connectors.__file__).parent
    (folder / "connectors").mkdir()
    for name in ("hub_ui", "tests"):
        (folder / name).symlink_to(sources.with_name(name))
    for path in sources.iterdir():
        if path != FILE:
            (folder / "connectors" / path.name).symlink_to(path)
    text = FILE.read_text(encoding="utf-8").replace("[checkpoints]", BLOCK + "[checkpoints]")
    (folder / "connectors" / FILE.name).write_text(text, encoding="utf-8")
    asked = [sys.executable, "-c", ASK]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return json.loads(subprocess.run(asked, cwd=folder, env=environment, check=True, capture_output=True).stdout)


def test_it_is_chosen_for_loras_of_its_architecture(answers: Any) -> None:
    assert answers["choice"] == ["halcyon-2", "halcyon-labs/Halcyon-2", "Halcyon License", 15.0, 1024]


def test_its_memory_is_planned_and_its_files_are_found(answers: Any) -> None:
    assert answers["plan"] == ["gguf-q8_0", "halcyon-2-Q8_0.gguf", "model_offload"]


def test_it_is_known_by_the_names_that_hubs_authors_and_trainers_write(answers: Any) -> None:
    assert answers["names"] == ["halcyon-2", "halcyon-2", "halcyon-2", "Halcyon 2", "Halcyon 2.0"]


def test_it_is_a_row_of_each_table_of_the_documentation(answers: Any) -> None:
    assert answers["rows"] == [1, 1, 1]
