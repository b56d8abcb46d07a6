"""PixArt, AuraFlow and CogView4: transformers with one text encoder."""

from typing import Any

from tests.hub_ui.generate.pipelines import encoders, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow

# One step: what a second one would add is compared with FLUX and Stable Diffusion 1.
SIZE = {"height": 32, "width": 32, "guidance_scale": 4.0, "num_inference_steps": 1}


def _pixart() -> dict[str, Any]:
    transformer = build(
        "PixArtTransformer2DModel", sample_size=16, num_layers=2, patch_size=2, attention_head_dim=8,
        num_attention_heads=4, caption_channels=32, in_channels=4, cross_attention_dim=32, out_channels=8,
    )  # fmt: skip
    return {
        "transformer": transformer, "vae": encoders.vae(), "text_encoder": encoders.t5(), "tokenizer": tokens.t5(),
        "scheduler": build("DDIMScheduler", clip_sample=False),
    }  # fmt: skip


def _auraflow() -> dict[str, Any]:
    transformer = build(
        "AuraFlowTransformer2DModel", sample_size=16, patch_size=2, in_channels=4, num_mmdit_layers=2,
        num_single_dit_layers=2, out_channels=4, attention_head_dim=8, num_attention_heads=4, caption_projection_dim=32,
        joint_attention_dim=32, pos_embed_max_size=64,
    )  # fmt: skip
    return {
        "transformer": transformer, "vae": encoders.vae(), "text_encoder": encoders.umt5(), "tokenizer": tokens.t5(),
        "scheduler": flow(),
    }  # fmt: skip


def _cogview4() -> dict[str, Any]:
    transformer = build(
        "CogView4Transformer2DModel", patch_size=2, in_channels=4, num_layers=2, attention_head_dim=8,
        num_attention_heads=4, out_channels=4, text_embed_dim=32, time_embed_dim=16, condition_dim=8,
    )  # fmt: skip
    glm = encoders.of_transformers(
        "GlmModel", hidden_size=32, intermediate_size=16, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, vocab_size=tokens.VOCABULARY, pad_token_id=0, eos_token_id=0,
    )  # fmt: skip
    scheduler = flow(
        base_shift=0.25, max_shift=0.75, base_image_seq_len=256, use_dynamic_shifting=True, time_shift_type="linear"
    )
    return {
        "transformer": transformer, "vae": encoders.vae(), "text_encoder": glm, "scheduler": scheduler,
        "tokenizer": tokens.letters(padding_side="left"),
    }  # fmt: skip


PIXART = Base(
    name="pixart",
    architecture="pixart",
    pipeline="PixArtSigmaPipeline",
    parts=_pixart,
    call={
        **SIZE,
        "num_inference_steps": 2,
        "use_resolution_binning": False,
        "max_sequence_length": 24,
        "clean_caption": False,
    },
)
AURAFLOW = Base(
    name="auraflow",
    architecture="auraflow",
    pipeline="AuraFlowPipeline",
    parts=_auraflow,
    call={**SIZE, "max_sequence_length": 24},
)
COGVIEW4 = Base(
    name="cogview4",
    architecture="cogview4",
    pipeline="CogView4Pipeline",
    parts=_cogview4,
    call={**SIZE, "max_sequence_length": 32, "negative_prompt": "a dog"},
)
