"""Ideogram 4: thirteen layers of a Qwen3-VL are its text, and a second network, which reads none, is its guidance."""

from typing import Any

from tests.hub_ui.generate.pipelines import flux2, language_models, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def _transformer() -> Any:
    return build(
        "Ideogram4Transformer2DModel", in_channels=16, num_layers=1, attention_head_dim=16, num_attention_heads=2,
        intermediate_size=32, adaln_dim=16, llm_features_dim=13 * language_models.WIDTH, mrope_section=(4, 2, 2),
    )  # fmt: skip


def _parts() -> dict[str, Any]:
    return {
        "vae": flux2.vae(), "text_encoder": language_models.qwen3_vl(layers=36), "tokenizer": tokens.qwen2(),
        "transformer": _transformer(), "unconditional_transformer": _transformer(), "scheduler": flow(),
    }  # fmt: skip


CALL = {
    "height": 32, "width": 32, "guidance_scale": 3.0, "guidance_schedule": None, "max_sequence_length": 96,
}  # fmt: skip
IDEOGRAM_4 = Base(name="ideogram4", architecture="ideogram4", pipeline="Ideogram4Pipeline", parts=_parts, call=CALL)
