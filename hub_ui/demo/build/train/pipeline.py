"""The base saved as it ships, and loaded as anyone would load it."""

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from connectors.ref import Ref
from hub_ui.demo.build.train.model import Pipeline
from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.generate.request import LoraInput

BASE_NAME = "tiny-shapes"

STEPS = 20
GUIDANCE = 4.0


def save_base(folder: Path, pipe: Pipeline) -> None:
    """The folder that `StableDiffusionPipeline.from_pretrained` reads. Leaves the pipeline in half precision."""
    for part in (pipe.vae, pipe.unet):
        part.register_to_config(_name_or_path="")  # else the folder it was trained in ships too
    pipe.to(dtype=torch.float16).save_pretrained(folder)


def load_base(folder: Path) -> Pipeline:
    """On the CPU, in single precision, laid out for speed."""
    load = StableDiffusionPipeline.from_pretrained
    pipe: Pipeline = load(folder, safety_checker=None, dtype=torch.float32)  # type: ignore[no-untyped-call]
    pipe.unet.to(memory_format=torch.channels_last)
    pipe.vae.to(memory_format=torch.channels_last)
    pipe.set_progress_bar_config(disable=True)
    return pipe


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
