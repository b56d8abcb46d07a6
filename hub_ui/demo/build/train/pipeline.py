"""The parts put together as a StableDiffusionPipeline: saved as it ships, loaded as anyone would load it."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from hub_ui.demo.build.train.model import Pipeline, Vae
from hub_ui.demo.build.train.unet import Denoiser

STEPS = 20
GUIDANCE = 4.0


def save_base(folder: Path, vae: Vae, model: Denoiser) -> None:
    """The folder that `StableDiffusionPipeline.from_pretrained` reads, in half precision."""
    halved: Vae = deepcopy(vae).half()
    halved.register_to_config(_name_or_path="")  # else the folder it was trained in ships too
    pipe: Pipeline = StableDiffusionPipeline(  # type: ignore[no-untyped-call]
        vae=halved,
        text_encoder=deepcopy(model.text_encoder).half(),  # type: ignore[no-untyped-call]
        tokenizer=model.tokenizer,
        unet=deepcopy(model.unet).half(),
        scheduler=model.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(folder, safe_serialization=True)


def load_base(folder: Path) -> Pipeline:
    """On the CPU, in single precision, laid out for speed."""
    load = StableDiffusionPipeline.from_pretrained
    pipe: Pipeline = load(folder, safety_checker=None, dtype=torch.float32)  # type: ignore[no-untyped-call]
    pipe.unet.to(memory_format=torch.channels_last)
    pipe.vae.to(memory_format=torch.channels_last)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def denoiser_of(pipe: Pipeline) -> Denoiser:
    """The pipeline's own networks, to train further."""
    return Denoiser(tokenizer=pipe.tokenizer, text_encoder=pipe.text_encoder, unet=pipe.unet, scheduler=pipe.scheduler)


def sample(pipe: Pipeline, prompts: Sequence[str], seed: int, *, scale: float | None = None) -> list[Image.Image]:
    """One picture a prompt, each from the same seed. `scale` is the weight of the LoRA that is loaded."""
    generators = [torch.Generator().manual_seed(seed) for _ in prompts]
    kwargs = {} if scale is None else {"cross_attention_kwargs": {"scale": scale}}
    output = pipe(
        prompt=list(prompts), num_inference_steps=STEPS, guidance_scale=GUIDANCE, generator=generators, **kwargs
    )
    return list(output.images)
