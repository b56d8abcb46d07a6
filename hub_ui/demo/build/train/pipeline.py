"""The parts put together as a StableDiffusionPipeline: saved as it ships, loaded as anyone would load it."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from connectors.ref import Ref
from hub_ui.demo.build.train.model import Pipeline, Vae
from hub_ui.demo.build.train.unet import Denoiser
from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.generate.request import LoraInput

BASE_NAME = "tiny-shapes"

STEPS = 20
GUIDANCE = 4.0


def save_base(folder: Path, vae: Vae, model: Denoiser) -> None:
    """The folder that `StableDiffusionPipeline.from_pretrained` reads, in half precision."""
    halved, unet = deepcopy(vae).half(), deepcopy(model.unet).half()
    for part in (halved, unet):
        part.register_to_config(_name_or_path="")  # else the folder it was trained in ships too
    pipe: Pipeline = StableDiffusionPipeline(  # type: ignore[no-untyped-call]
        vae=halved,
        text_encoder=deepcopy(model.text_encoder).half(),  # type: ignore[no-untyped-call]
        tokenizer=model.tokenizer,
        unet=unet,
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


def wear(pipe: Pipeline, path: Path) -> AdapterManager:
    """Put the LoRA file on the pipeline, as the app does; `set_weights` turns it up or down."""
    lora = LoraInput(ref=Ref.parse("demo/lora"), path=path, title=path.stem, architecture=BASE_NAME)
    manager = AdapterManager(pipe, BASE_NAME, LoraCache(0))
    manager.set_adapters([lora])
    return manager


def sample(pipe: Pipeline, prompts: Sequence[str], seed: int | Sequence[int]) -> list[Image.Image]:
    """One picture a prompt, each from the same seed or from one of its own."""
    seeds = [seed] * len(prompts) if isinstance(seed, int) else seed
    generators = [torch.Generator().manual_seed(each) for each in seeds]
    output = pipe(prompt=list(prompts), num_inference_steps=STEPS, guidance_scale=GUIDANCE, generator=generators)
    return list(output.images)
