"""HiDream-I1: two CLIPs, a T5 and a Llama read its text, and two of four experts answer."""

from typing import Any

from tests.hub_ui.generate.pipelines import encoders, language_models, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def _parts() -> dict[str, Any]:
    transformer = build(
        "HiDreamImageTransformer2DModel", patch_size=2, in_channels=4, out_channels=4, num_layers=1,
        num_single_layers=1, attention_head_dim=16, num_attention_heads=2, num_routed_experts=4,
        caption_channels=[encoders.WIDTH, language_models.WIDTH], text_emb_dim=2 * encoders.WIDTH,
        num_activated_experts=2, axes_dims_rope=(8, 4, 4), max_resolution=(128, 128), llama_layers=(0, 1),
    )  # fmt: skip
    clips = {
        name: encoders.clip(projection=True, max_position_embeddings=248) for name in ("text_encoder", "text_encoder_2")
    }
    return {
        **clips, "tokenizer": tokens.clip(248), "tokenizer_2": tokens.clip(248), "text_encoder_3": encoders.t5(),
        "tokenizer_3": tokens.t5(), "text_encoder_4": language_models.llama(writes=True), "tokenizer_4": tokens.llama(),
        "vae": encoders.vae(shift_factor=0.1), "transformer": transformer, "scheduler": flow(),
    }  # fmt: skip


# It brings every picture to its own area, whatever size is asked for.
HIDREAM = Base(
    name="hidream",
    architecture="hidream",
    pipeline="HiDreamImagePipeline",
    parts=_parts,
    call={"height": 32, "width": 32, "negative_prompt": "blur", "guidance_scale": 3.0, "max_sequence_length": 24},
    attributes={"default_sample_size": 16},
)
