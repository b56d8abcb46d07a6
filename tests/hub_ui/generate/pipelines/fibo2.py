"""FIBO 2: a Perceiver condenses a Qwen3-VL's layers, and some blocks read three of them themselves."""

from typing import Any

from tests.hub_ui.generate.pipelines import flux2, flux3, language_models
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def _parts() -> dict[str, Any]:
    transformer = build(
        "BriaFibo2Transformer2DModel", in_channels=4, dim=32, n_layers=2, n_refiner_layers=1, n_heads=2,
        cap_feat_dim=3 * language_models.WIDTH, injection_layer_ids=(1,), perceiver_num_layers=1,
        min_num_gist_tokens=4, max_num_gist_tokens=8, gist_step=4, gist_min_text_len=4, gist_max_text_len=16,
        axes_dims=(4, 6, 6), axes_lens=(16, 16, 16),
    )  # fmt: skip
    return {
        "vae": flux2.vae(), "text_encoder": language_models.qwen3_vl("Qwen3VLForConditionalGeneration", layers=36),
        "processor": flux3.processor(), "transformer": transformer, "scheduler": flow(use_dynamic_shifting=True),
    }  # fmt: skip


CALL = {"height": 32, "width": 32, "negative_prompt": "blur", "guidance_scale": 3.0}
FIBO_2 = Base(name="fibo2", architecture="bria-fibo2", pipeline="BriaFibo2Pipeline", parts=_parts, call=CALL)
