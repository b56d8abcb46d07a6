"""Anima is a modular pipeline: its folder holds `modular_model_index.json`, its parts are loaded by a second call."""

from typing import Any

from tests.hub_ui.generate.pipelines import language_models, qwen_image, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def _parts() -> dict[str, Any]:
    transformer = build(
        "CosmosTransformer3DModel", in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=16,
        num_layers=1, mlp_ratio=2.0, text_embed_dim=language_models.WIDTH, adaln_lora_dim=8, max_size=(4, 32, 32),
        patch_size=(1, 2, 2), rope_scale=(1.0, 1.0, 1.0), concat_padding_mask=True, extra_pos_embed_type=None,
    )  # fmt: skip
    conditioner = build(
        "AnimaTextConditioner", source_dim=language_models.WIDTH, target_dim=language_models.WIDTH,
        model_dim=language_models.WIDTH, num_layers=1, num_attention_heads=2, target_vocab_size=tokens.VOCABULARY,
        min_sequence_length=24,
    )  # fmt: skip
    return {
        "text_encoder": language_models.qwen3(), "tokenizer": tokens.qwen2(), "t5_tokenizer": tokens.t5(),
        "vae": qwen_image.vae(), "transformer": transformer, "text_conditioner": conditioner,
        "scheduler": flow(shift=3.0),
    }  # fmt: skip


CALL = {
    "height": 32, "width": 32, "negative_prompt": "blur", "max_sequence_length": 24, "output": "latents",
    "output_type": "pt",
}  # fmt: skip
ANIMA = Base(name="anima", architecture="anima", pipeline="AnimaModularPipeline", parts=_parts, call=CALL)
