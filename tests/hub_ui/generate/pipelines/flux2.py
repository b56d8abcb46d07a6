"""FLUX.2 dev (Mistral 3 reads its text) and klein (Qwen3)."""

from typing import Any

from transformers import PixtralImageProcessor, PixtralProcessor

from tests.hub_ui.generate.pipelines import language_models, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def _dev() -> dict[str, Any]:
    """Its tokenizer is one of pictures and words; the words come through a chat template of its own."""
    processor: Any = PixtralProcessor
    words = tokens.qwen2()
    words.add_special_tokens({"additional_special_tokens": ["[IMG]", "[IMG_BREAK]", "[IMG_END]"]})
    tokenizer = processor(image_processor=PixtralImageProcessor(), tokenizer=words, chat_template=tokens.TURNS)
    return {**_parts(guided=True), "tokenizer": tokenizer, "text_encoder": language_models.mistral3()}


def _klein() -> dict[str, Any]:
    text_encoder = language_models.qwen3(writes=True)
    return {**_parts(guided=False), "tokenizer": tokens.qwen2(), "text_encoder": text_encoder}


def _parts(*, guided: bool) -> dict[str, Any]:
    transformer = build(
        "Flux2Transformer2DModel", patch_size=1, in_channels=16, num_layers=1, num_single_layers=1,
        attention_head_dim=16, num_attention_heads=2, joint_attention_dim=2 * language_models.WIDTH,
        timestep_guidance_channels=32, axes_dims_rope=(4, 4, 4, 4), guidance_embeds=guided,
    )  # fmt: skip
    return {"vae": vae(), "transformer": transformer, "scheduler": flow()}


def vae() -> Any:
    return build(
        "AutoencoderKLFlux2", sample_size=32, down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2, block_out_channels=(8, 8), layers_per_block=1, latent_channels=4,
        norm_num_groups=4,
    )  # fmt: skip


CALL = {"height": 16, "width": 16, "guidance_scale": 4.0, "max_sequence_length": 48, "text_encoder_out_layers": (1, 2)}
DEV = Base(name="flux2_dev", architecture="flux2", pipeline="Flux2Pipeline", parts=_dev, call=CALL)
KLEIN = Base(name="flux2_klein", architecture="flux2", pipeline="Flux2KleinPipeline", parts=_klein, call=CALL)
