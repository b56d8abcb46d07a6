"""LoRAs on the processor: what tests/tools/gpu/speed.py measures of a GPU, and what switching takes of memory.

The UNet has Stable Diffusion 1.5's size and random weights, and draws 256 x 256 pixels: at full size a step takes half
a minute. Memory is measured on the tiny base of the demo.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline

from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from tests.hub_ui.generate.building import adapter, drawn, load_base
from tests.programs import python
from tests.tools.benchmarks.figures import Figure, peak_memory
from tests.tools.gpu import networks, speed
from tests.tools.gpu.card import cpu
from tests.tools.gpu.results import Budget, Line

TINY = Path(__file__).resolve().parents[3] / "hub_ui" / "demo" / "data" / "weights" / "base"
SIZE = 256
LORAS, SWITCHES, KEPT = 20, 200, 5


def figures() -> Iterator[Figure | Line]:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    with tempfile.TemporaryDirectory() as name:
        yield from memory(Path(name))
        yield from timed(Path(name))


def timed(folder: Path) -> Iterator[Line]:
    torch.set_num_threads(1)
    pipe = _large()
    paths = [networks.lora(folder / f"{rank}.safetensors", pipe, rank=rank) for rank in (16, 64)]
    measured = speed.Measured(
        card=cpu(), name=f"large UNet, {SIZE} pixels", pipe=pipe, paths=(paths[0], paths[1]),
        draw=draw, steps=6, runs=1,
    )  # fmt: skip
    return speed.lines(measured, Budget(seconds=3600))


def draw(pipe: Any, images: int, steps: int) -> None:
    width = pipe.unet.config.cross_attention_dim
    with torch.inference_mode():
        pipe(
            prompt_embeds=torch.ones(images, 24, width),
            negative_prompt_embeds=torch.zeros(images, 24, width),
            generator=[torch.Generator().manual_seed(7) for _ in range(images)],
            height=SIZE, width=SIZE, num_inference_steps=steps, output_type="latent",
        )  # fmt: skip


def memory(folder: Path, *, loras: int = LORAS, switches: int = SWITCHES) -> list[Figure]:
    """The most a process ever had, after every LoRA was on once and after all switches."""
    done = python("-m", __name__, str(folder), str(loras), str(switches))
    told = json.loads(done.stdout.splitlines()[-1])
    name = f"peak memory after {switches} switches among {loras} LoRAs, {KEPT} of them kept"
    return [Figure(name=name, ours=told["end"], other=told["start"], against=f"after {loras}", target=1.03, unit="MB")]


def _switch_often(folder: Path, loras: int, switches: int) -> None:
    pipe = load_base(TINY).to(torch.float32)
    # Of very different sizes, as real ones are.
    ranks = [16 * (1 + i % 5) for i in range(loras)]
    paths = [
        networks.lora(folder / f"m{i}.safetensors", pipe, rank=rank, seed=i, convolutions=True)
        for i, rank in enumerate(ranks)
    ]
    budget = KEPT * max(path.stat().st_size for path in paths)
    manager = AdapterManager(pipe, "sd1", LoraCache(budget))
    start = 0.0
    for turn in range(switches):
        manager.set_adapters([adapter(paths[turn * 7 % loras], weight=0.8)])
        with manager.merge() if turn % 2 else nullcontext():
            drawn(pipe, side=64)
        if turn == loras - 1:
            start = peak_memory() / 2**20
    print(json.dumps({"start": start, "end": peak_memory() / 2**20}))


def _large() -> Any:
    """Without a text encoder and a VAE: it takes embeddings and gives latents."""
    kind: Any = StableDiffusionPipeline
    scheduler: Any = DDIMScheduler
    config = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
    unet = networks.materialised("UNet2DConditionModel", config, "cpu", torch.float32)
    steps = scheduler(steps_offset=1, clip_sample=False)
    pipe = kind(None, None, None, unet, steps, None, None, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


if __name__ == "__main__":
    _switch_often(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
