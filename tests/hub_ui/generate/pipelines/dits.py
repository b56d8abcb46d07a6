"""PixArt, AuraFlow and CogView4: transformers with one text encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusers import (
    AuraFlowPipeline,
    AuraFlowTransformer2DModel,
    CogView4Pipeline,
    CogView4Transformer2DModel,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
)
from transformers import GlmConfig, GlmModel

from tests.hub_ui.generate.pipelines import encoders, tokens
from tests.hub_ui.generate.pipelines.frame import Base, save

# One step: what a second one would add is compared with FLUX and Stable Diffusion 1.
SIZE = {"height": 32, "width": 32, "guidance_scale": 4.0, "num_inference_steps": 1}


def save_pixart(folder: Path) -> Path:
    network: Any = PixArtTransformer2DModel
    kind: Any = PixArtSigmaPipeline
    scheduler: Any = DDIMScheduler
    transformer = network(
        sample_size=16, num_layers=2, patch_size=2, attention_head_dim=8, num_attention_heads=4, caption_channels=32,
        in_channels=4, cross_attention_dim=32, out_channels=8,
    )  # fmt: skip
    pipe = kind(
        transformer=transformer, vae=encoders.vae(), text_encoder=encoders.t5(), tokenizer=tokens.t5(),
        scheduler=scheduler(clip_sample=False),
    )  # fmt: skip
    return save(pipe, folder)


def save_auraflow(folder: Path) -> Path:
    network: Any = AuraFlowTransformer2DModel
    kind: Any = AuraFlowPipeline
    scheduler: Any = FlowMatchEulerDiscreteScheduler
    transformer = network(
        sample_size=16, patch_size=2, in_channels=4, num_mmdit_layers=2, num_single_dit_layers=2, out_channels=4,
        attention_head_dim=8, num_attention_heads=4, caption_projection_dim=32, joint_attention_dim=32,
        pos_embed_max_size=64,
    )  # fmt: skip
    pipe = kind(
        transformer=transformer, vae=encoders.vae(), text_encoder=encoders.umt5(), tokenizer=tokens.t5(),
        scheduler=scheduler(),
    )  # fmt: skip
    return save(pipe, folder)


def save_cogview4(folder: Path) -> Path:
    network: Any = CogView4Transformer2DModel
    kind: Any = CogView4Pipeline
    scheduler: Any = FlowMatchEulerDiscreteScheduler
    config: Any = GlmConfig
    transformer = network(
        patch_size=2, in_channels=4, num_layers=2, attention_head_dim=8, num_attention_heads=4, out_channels=4,
        text_embed_dim=32, time_embed_dim=16, condition_dim=8,
    )  # fmt: skip
    glm = config(
        hidden_size=32, intermediate_size=16, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        head_dim=8, vocab_size=tokens.VOCABULARY, pad_token_id=0, eos_token_id=0,
    )  # fmt: skip
    pipe = kind(
        transformer=transformer, vae=encoders.vae(), text_encoder=GlmModel(glm),
        tokenizer=tokens.letters(padding_side="left"),
        scheduler=scheduler(
            base_shift=0.25, max_shift=0.75, base_image_seq_len=256, use_dynamic_shifting=True, time_shift_type="linear"
        ),
    )  # fmt: skip
    return save(pipe, folder)


PIXART = Base(
    architecture="pixart",
    pipeline="PixArtSigmaPipeline",
    save=save_pixart,
    call={
        **SIZE,
        "num_inference_steps": 2,
        "use_resolution_binning": False,
        "max_sequence_length": 24,
        "clean_caption": False,
    },
)
AURAFLOW = Base(
    architecture="auraflow", pipeline="AuraFlowPipeline", save=save_auraflow, call={**SIZE, "max_sequence_length": 24}
)
COGVIEW4 = Base(
    architecture="cogview4",
    pipeline="CogView4Pipeline",
    save=save_cogview4,
    call={**SIZE, "max_sequence_length": 32, "negative_prompt": "a dog"},
)
