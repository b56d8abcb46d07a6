"""ERNIE-Image: a Mistral 3 without its head reads its text, and its pictures go through FLUX.2's VAE."""

from typing import Any

from tests.hub_ui.generate.pipelines import flux2, language_models, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def _parts() -> dict[str, Any]:
    transformer = build(
        "ErnieImageTransformer2DModel", hidden_size=32, num_attention_heads=2, num_layers=1, ffn_hidden_size=64,
        in_channels=16, out_channels=16, text_in_dim=language_models.WIDTH, rope_axes_dim=(4, 6, 6),
    )  # fmt: skip
    return {
        "vae": flux2.vae(), "text_encoder": language_models.mistral3("Mistral3Model"), "tokenizer": tokens.qwen2(),
        "transformer": transformer, "scheduler": flow(), "pe": None, "pe_tokenizer": None,
    }  # fmt: skip


CALL = {"height": 32, "width": 32, "negative_prompt": "blur", "guidance_scale": 3.0}
ERNIE = Base(name="ernie", architecture="ernie", pipeline="ErnieImagePipeline", parts=_parts, call=CALL)
