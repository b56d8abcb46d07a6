"""The weights that ship with the demo: the base generates, and each LoRA shows."""

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from hub_ui.generate import comparison
from hub_ui.generate.base_models import PACKAGED
from hub_ui.generate.engine import Engine
from hub_ui.generate.request import GenerationRequest
from tests.hub_ui.generate.building import adapter

LORAS = PACKAGED.parent / "loras"

pytestmark = pytest.mark.skipif(
    not (PACKAGED / "model_index.json").is_file() or not LORAS.is_dir(), reason="the demo's weights are not trained yet"
)


@pytest.mark.parametrize("path", sorted(LORAS.glob("*.safetensors")), ids=lambda path: path.stem)
def test_each_lora_fits_the_base_and_shows(studio: Engine, path: Path) -> None:
    with safe_open(path, framework="np") as file:
        trigger = (file.metadata() or {}).get("modelspec.trigger_phrase", "")
    lora = adapter(path, architecture="tiny-shapes", base_model="tiny-shapes", trigger_words=tuple(trigger.split(", ")))
    job = GenerationRequest(adapters=(lora,), prompt="a red circle on white background", seed=1, steps=4)
    made = studio.generate(job, comparison.before_after(job))
    without, with_lora = (np.asarray(picture.image, dtype=float) for picture in made.images)
    assert (made.report.base, [coverage.whole for coverage in made.report.coverage]) == ("Tiny Shapes", [True])
    assert without.std() > 10
    assert np.abs(without - with_lora).mean() > 1
