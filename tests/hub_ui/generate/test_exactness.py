"""The same request gives the same bytes, the first time as later. Pipelines leave hooks and caches behind."""

from itertools import product
from pathlib import Path

import pytest
import torch

from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from tests.hub_ui.generate.building import adapter
from tests.hub_ui.generate.pipelines import format_rows, transformer_rows
from tests.hub_ui.generate.pipelines.frame import draw, load
from tests.hub_ui.generate.pipelines.rows import Row
from tests.hub_ui.generate.pipelines.short_form import every_third

# These mark their network in the first call, for caches of diffusers that are off.
MARKED = (
    "FluxPipeline", "ChromaPipeline", "Flux2Pipeline", "Flux2KleinPipeline", "QwenImagePipeline", "CogView4Pipeline",
    "WanPipeline", "LTXPipeline", "HunyuanVideoPipeline",
)  # fmt: skip
ALL = [*format_rows.FLUXES, *format_rows.OTHERS, *transformer_rows.ROWS]
ROWS = list({row.base.pipeline: row for row in reversed(ALL) if row.base.pipeline in MARKED}.values())
CASES = list(product(ROWS, (torch.float32, torch.bfloat16)))


@pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated")
@pytest.mark.parametrize(("row", "dtype"), every_third(CASES, 0), ids=str)
def test_the_second_and_third_image_are_the_first_one(row: Row, dtype: torch.dtype, tmp_path: Path) -> None:
    pipe = load(row.base, row.base.save(tmp_path / "base")).to(dtype)
    manager = AdapterManager(pipe, row.base.architecture, LoraCache(2**28))
    manager.set_adapters([adapter(row.make(pipe, 1).save(tmp_path / "lora.safetensors"), weight=0.8)])
    drawn = []
    for _ in range(3):
        with manager.merge(steps=20):
            assert not any(module._forward_hooks for module in pipe.transformer.modules())
            drawn.append(draw(pipe, row.base))
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0], drawn[2])


def test_every_marked_pipeline_is_here() -> None:
    assert sorted(row.base.pipeline for row in ROWS) == sorted(MARKED)
