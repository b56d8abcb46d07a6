"""HunyuanVideo: a Llama and a CLIP read its text."""

from typing import Any

from tests.hub_ui.generate.pipelines import encoders, language_models, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def vae() -> Any:
    """Kandinsky 5 uses it too."""
    return build(
        "AutoencoderKLHunyuanVideo", latent_channels=4, block_out_channels=(8, 8, 8, 8), layers_per_block=1,
        norm_num_groups=4, down_block_types=("HunyuanVideoDownBlock3D",) * 4,
        up_block_types=("HunyuanVideoUpBlock3D",) * 4,
    )  # fmt: skip


def _parts() -> dict[str, Any]:
    transformer = build(
        "HunyuanVideoTransformer3DModel", in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=16,
        num_layers=1, num_single_layers=1, num_refiner_layers=1, patch_size=1, patch_size_t=1, guidance_embeds=True,
        rope_axes_dim=(4, 6, 6), text_embed_dim=language_models.WIDTH, pooled_projection_dim=encoders.WIDTH,
    )  # fmt: skip
    return {
        "vae": vae(), "text_encoder": language_models.llama(layers=3), "tokenizer": tokens.llama(),
        "text_encoder_2": encoders.clip(), "tokenizer_2": tokens.clip(), "transformer": transformer,
        "scheduler": flow(),
    }  # fmt: skip


CALL = {
    "height": 32, "width": 32, "num_frames": 5, "guidance_scale": 4.0, "max_sequence_length": 24,
    "prompt_template": {"template": "{}", "crop_start": 0},
}  # fmt: skip
HUNYUAN_VIDEO = Base(
    name="hunyuan_video", architecture="hunyuan-video", pipeline="HunyuanVideoPipeline", parts=_parts, call=CALL
)
