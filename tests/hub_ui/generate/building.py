"""A real Stable Diffusion pipeline of a few hundred kilobytes with random weights, its LoRAs, and runs of an engine."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from transformers import CLIPTokenizer

from hub_ui.generate.compare import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.memory.device import Device
from hub_ui.generate.request import NO_CALLBACKS, Callbacks, GenerationRequest, LoraInput
from hub_ui.generate.result import GeneratedImage, GenerationResult
from hub_ui.generate.settings import ResolvedRequest
from tests.hub_ui.generate import making
from tests.hub_ui.generate.pipelines.bases import part

CPU = Device(label="CPU", kind="cpu", dtype="float32")
WIDTH, TEXT_WIDTH = (32, 64), 32
# Attention projections of the UNet and their (in, out) sizes: what most files train.
LAYERS = {
    f"{block}.attentions.0.transformer_blocks.0.{attention}.{projection}": (
        TEXT_WIDTH if attention == "attn2" and projection in ("to_k", "to_v") else 64,
        64,
    )
    for block in ("down_blocks.1", "mid_block", "up_blocks.0")
    for attention in ("attn1", "attn2")
    for projection in ("to_q", "to_k", "to_v", "to_out.0")
}
TEXT_LAYERS = {
    f"text_model.encoder.layers.{i}.self_attn.{projection}": (TEXT_WIDTH, TEXT_WIDTH)
    for i in range(2)
    for projection in ("q_proj", "k_proj", "v_proj", "out_proj")
}


def save_base(folder: Path, seed: int = 0) -> Path:
    """In diffusers' layout, without a safety checker."""
    torch.manual_seed(seed)
    kind: Any = StableDiffusionPipeline
    pipe = kind(
        vae=part("vae", block_out_channels=(16, 16)),
        text_encoder=part("clip", vocab_size=60, max_position_embeddings=24),
        tokenizer=_tokenizer(folder),
        unet=part("unet", block_out_channels=WIDTH, norm_num_groups=8),
        scheduler=part("ddim"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(folder)
    return folder


def load_base(folder: Path | str) -> Any:
    pipe: Any = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)  # type: ignore[no-untyped-call]
    pipe.set_progress_bar_config(disable=True)
    return pipe


def drawn(pipe: Any, pictures: int = 1, side: int = 32) -> torch.Tensor:
    """Latents of one seed, once for each image."""
    with torch.inference_mode():
        latents: torch.Tensor = pipe(
            ["a red cat"] * pictures, num_inference_steps=1, width=side, height=side, output_type="latent",
            generator=[torch.Generator().manual_seed(7) for _ in range(pictures)],
        ).images  # fmt: skip
    return latents


def _tokenizer(folder: Path) -> Any:
    letters = "abcdefghijklmnopqrstuvwxyz,"
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=24)


def _pair(size: tuple[int, int], rank: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    down = torch.randn(rank, size[0], generator=generator) * 0.3
    return down, torch.randn(size[1], rank, generator=generator) * 0.3


def save_kohya(
    path: Path, *, seed: int = 1, rank: int = 4, alpha: float = 4.0, text: bool = False, width: int | None = None
) -> Path:
    """As kohya's scripts write it. `width` makes every tensor of another size, as for another architecture."""
    generator = torch.Generator().manual_seed(seed)
    named = {f"lora_unet_{name.replace('.', '_')}": size for name, size in LAYERS.items()}
    named |= {f"lora_te_{name.replace('.', '_')}": size for name, size in TEXT_LAYERS.items() if text}
    tensors: dict[str, torch.Tensor] = {}
    for name, size in named.items():
        down, up = _pair((width, width) if width else size, rank, generator)
        tensors |= {
            f"{name}.lora_down.weight": down,
            f"{name}.lora_up.weight": up,
            f"{name}.alpha": torch.tensor(alpha),
        }
    save_file(tensors, path, metadata={"ss_network_dim": str(rank)})
    return path


def save_dora(path: Path) -> Path:
    """The same with DoRA's lengths of rows."""
    tensors = load_file(save_kohya(path))
    for name, size in LAYERS.items():
        tensors[f"lora_unet_{name.replace('.', '_')}.dora_scale"] = torch.linspace(0.5, 1.5, size[1])[:, None]
    save_file(tensors, path)
    return path


def save_lokr(path: Path) -> Path:
    """One layer as a Kronecker product."""
    layer = "lora_unet_mid_block_attentions_0_proj_in.lokr_w"
    save_file({f"{layer}1": torch.eye(4), f"{layer}2": torch.ones(16, 16)}, path)
    return path


def save_peft(path: Path, *, seed: int = 1, rank: int = 4, prefix: str = "unet.", metadata: Any = None) -> Path:
    """As diffusers' training scripts write it."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    for name, size in LAYERS.items():
        down, up = _pair(size, rank, generator)
        tensors |= {f"{prefix}{name}.lora_A.weight": down, f"{prefix}{name}.lora_B.weight": up}
    save_file(tensors, path, metadata=metadata)
    return path


def adapter(path: Path, **fields: Any) -> LoraInput:
    return making.adapter(**{"path": path, "title": path.stem, "weight": 1.0, "trigger_words": (), **fields})


def job(*adapters: LoraInput, **fields: Any) -> GenerationRequest:
    values: dict[str, Any] = {"prompt": "a red cat", "seed": 7, "steps": 2, "width": 32, "height": 32}
    return GenerationRequest(adapters=adapters, **{**values, **fields})


def settings(width: int = 512, height: int = 512, **fields: Any) -> ResolvedRequest:
    values: dict[str, Any] = {"negative": "", "seed": 1, "steps": 20, "guidance": 7.5}
    return ResolvedRequest(width=width, height=height, **{**values, **fields})


def single(
    studio: Engine, *adapters: LoraInput, callbacks: Callbacks = NO_CALLBACKS, **fields: Any
) -> GenerationResult:
    asked = job(*adapters, **fields)
    return studio.generate(asked, comparison.single(asked), callbacks)


def one(studio: Engine, *adapters: LoraInput, **fields: Any) -> GeneratedImage:
    return single(studio, *adapters, **fields).images[0]


def pair(studio: Engine, *adapters: LoraInput, callbacks: Callbacks = NO_CALLBACKS, **fields: Any) -> GenerationResult:
    asked = job(*adapters, **fields)
    return studio.generate(asked, comparison.before_after(asked), callbacks)


def strip(
    studio: Engine, *adapters: LoraInput, weights: tuple[float, ...] = comparison.DEFAULT_SWEEP, **fields: Any
) -> GenerationResult:
    asked = job(*adapters, **fields)
    return studio.generate(asked, comparison.weight_sweep(asked, weights))


def pixels(picture: GeneratedImage) -> NDArray[np.int64]:
    return np.asarray(picture.image, dtype=np.int64)


def same(one: GeneratedImage, other: GeneratedImage) -> bool:
    return bool((pixels(one) == pixels(other)).all())


def alike(one: GeneratedImage, other: GeneratedImage) -> bool:
    """Rows of a batch are summed up in another order than an image alone: a shade of one colour at most."""
    return int(np.abs(pixels(one) - pixels(other)).max()) <= 1


def apart(one: GeneratedImage, other: GeneratedImage) -> float:
    return float(np.abs(pixels(one) - pixels(other)).mean())
