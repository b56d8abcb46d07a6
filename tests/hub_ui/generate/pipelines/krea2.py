"""Krea 2: three layers of a Qwen3-VL are its text, its pictures go through Qwen-Image's VAE."""

from typing import Any

from tests.hub_ui.generate.pipelines import language_models, qwen_image, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def _parts() -> dict[str, Any]:
    transformer = build(
        "Krea2Transformer2DModel", in_channels=16, num_layers=1, attention_head_dim=16, num_attention_heads=2,
        num_key_value_heads=1, intermediate_size=32, timestep_embed_dim=16, text_hidden_dim=language_models.WIDTH,
        num_text_layers=3, text_num_attention_heads=2, text_num_key_value_heads=1, text_intermediate_size=16,
        num_layerwise_text_blocks=1, num_refiner_text_blocks=1, axes_dims_rope=(8, 4, 4),
    )  # fmt: skip
    return {
        "vae": qwen_image.vae(), "text_encoder": language_models.qwen3_vl(), "tokenizer": tokens.qwen2(),
        "transformer": transformer, "text_encoder_select_layers": (0, 1, 2),
        "scheduler": flow(use_dynamic_shifting=True),
    }  # fmt: skip


CALL = {"height": 32, "width": 32, "negative_prompt": "blur", "guidance_scale": 3.0, "max_sequence_length": 192}
KREA2 = Base(name="krea2", architecture="krea2", pipeline="Krea2Pipeline", parts=_parts, call=CALL)
