"""Layers of LyCORIS' and kohya's algorithms: what a trainer writes for one weight, and what the weight becomes.

It is worked out here by index arithmetic (einsum).
"""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from tests.hub_ui.generate.pipelines.files import Deltas, Spelled, put, weights
from tests.hub_ui.generate.pipelines.frame import File

Noise = Callable[..., Tensor]
# A weight and a source of random numbers -> the tensors by their ending, and the new weight.
Algorithm = Callable[[Tensor, Noise], tuple[dict[str, Tensor], Tensor]]
RANK, ALPHA = 4, 2.0


def lycoris(pipe: Any, layers: Iterable[Spelled], algorithm: Algorithm, seed: int = 1, factor: float = 1.0) -> File:
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape: int, size: float = 1.0) -> Tensor:
        return torch.randn(shape, generator=generator) * size * factor

    tensors: dict[str, Tensor] = {}
    deltas: Deltas = {}
    for layer in layers:
        weight = torch.cat(weights(pipe, layer))
        parts, becomes = algorithm(weight, noise)
        tensors |= {layer.name + ending: tensor for ending, tensor in parts.items()}
        put(deltas, layer, becomes - weight)
    return File(tensors=tensors, deltas=deltas)


def _sizes(weight: Tensor) -> tuple[int, int, int]:
    """Outputs, inputs, places of the window."""
    return weight.shape[0], weight.shape[1], math.prod(weight.shape[2:])


def _size(weight: Tensor) -> float:
    """A third of the weight's own, for an entry of the difference."""
    return float(weight.std()) / 3


def loha(weight: Tensor, noise: Noise) -> tuple[dict[str, Tensor], Tensor]:
    out, inside, window = _sizes(weight)
    a1, a2 = noise(out, RANK), noise(out, RANK)
    b1, b2 = noise(RANK, inside * window, size=_size(weight) / RANK), noise(RANK, inside * window)
    product = torch.einsum("or,ri,os,si->oi", a1, b1, a2, b2) * ALPHA / RANK
    parts = {".hada_w1_a": a1, ".hada_w1_b": b1, ".hada_w2_a": a2, ".hada_w2_b": b2, ".alpha": torch.tensor(ALPHA)}
    return parts, weight + product.view_as(weight)


def loha_tucker(weight: Tensor, noise: Noise) -> tuple[dict[str, Tensor], Tensor]:
    """With a core for the window; the outer factors lie the other way then. Without a window it is plain LoHa."""
    if weight.dim() == 2 or weight.shape[-1] == 1:
        return loha(weight, noise)
    out, inside, _ = _sizes(weight)
    parts: dict[str, Tensor] = {}
    halves = []
    for half in ("1", "2"):
        core = noise(RANK, RANK, *weight.shape[2:])
        a, b = noise(RANK, out, size=0.3), noise(RANK, inside, size=math.sqrt(_size(weight)))
        parts |= {f".hada_t{half}": core, f".hada_w{half}_a": a, f".hada_w{half}_b": b}
        halves.append(torch.einsum("pqhw,po,qi->oihw", core, a, b))
    return {**parts, ".alpha": torch.tensor(ALPHA)}, weight + halves[0] * halves[1] * ALPHA / RANK


def lokr(weight: Tensor, noise: Noise) -> tuple[dict[str, Tensor], Tensor]:
    """A small whole factor and a large one in two, of the sizes and the rank that PEFT would choose."""
    (out, inside, window), rank, alpha = _sizes(weight), 2, 3.0
    first = noise(4, 4)
    a, b = noise(out // 4, rank), noise(rank, inside // 4 * window, size=_size(weight) / rank)
    second = (a @ b).view(out // 4, inside // 4, window)
    product = torch.einsum("ab,cdk->acbdk", first, second).reshape(weight.shape) * alpha / rank
    parts = {".lokr_w1": first, ".lokr_w2_a": a, ".lokr_w2_b": b, ".alpha": torch.tensor(alpha)}
    return parts, weight + product


def lokr_whole(weight: Tensor, noise: Noise) -> tuple[dict[str, Tensor], Tensor]:
    """Both factors whole: there is no rank, and an alpha of any size scales nothing."""
    out, inside, _ = _sizes(weight)
    first = noise(4, 4)
    second = noise(out // 4, inside // 4, *weight.shape[2:], size=_size(weight))
    product = torch.einsum("ab,cd...->acbd...", first, second).reshape(weight.shape)
    return {".lokr_w1": first, ".lokr_w2": second, ".alpha": torch.tensor(1e10)}, weight + product


def lokr_tucker(weight: Tensor, noise: Noise) -> tuple[dict[str, Tensor], Tensor]:
    if weight.dim() == 2 or weight.shape[-1] == 1:
        return lokr(weight, noise)
    out, inside, _ = _sizes(weight)
    first, core = noise(2, 2), noise(RANK, RANK, *weight.shape[2:])
    a, b = noise(RANK, out // 2), noise(RANK, inside // 2, size=_size(weight) / RANK)
    second = torch.einsum("pqhw,po,qi->oihw", core, a, b)
    product = torch.einsum("ab,cdhw->acbdhw", first, second).reshape(weight.shape) * ALPHA / RANK
    parts = {".lokr_w1": first, ".lokr_t2": core, ".lokr_w2_a": a, ".lokr_w2_b": b, ".alpha": torch.tensor(ALPHA)}
    return parts, weight + product


def locon(weight: Tensor, noise: Noise) -> tuple[dict[str, Tensor], Tensor]:
    out, inside, window = _sizes(weight)
    down, up = noise(RANK, inside * window, size=_size(weight) / 2), noise(out, RANK)
    tail = (1,) * (weight.dim() - 2)
    parts = {".lora_down.weight": down.view(RANK, *weight.shape[1:]), ".lora_up.weight": up.view(out, RANK, *tail)}
    return {**parts, ".alpha": torch.tensor(ALPHA)}, weight + (up @ down).view_as(weight) * ALPHA / RANK


def tucker(weight: Tensor, noise: Noise) -> tuple[dict[str, Tensor], Tensor]:
    if weight.dim() == 2 or weight.shape[-1] == 1:
        return locon(weight, noise)
    out, inside, _ = _sizes(weight)
    down, up = noise(RANK, inside, 1, 1, size=_size(weight) / RANK), noise(out, RANK, 1, 1)
    middle = noise(RANK, RANK, *weight.shape[2:])
    product = torch.einsum("opxy,pqhw,qixy->oihw", up, middle, down) * ALPHA / RANK
    parts = {".lora_down.weight": down, ".lora_mid.weight": middle, ".lora_up.weight": up}
    return {**parts, ".alpha": torch.tensor(ALPHA)}, weight + product


def dora(weight: Tensor, noise: Noise, axis: int = 0) -> tuple[dict[str, Tensor], Tensor]:
    """A length for each output, LyCORIS' default, or for each input (axis 1), which is OneTrainer's."""
    parts, moved = locon(weight, noise)
    others = tuple(at for at in range(weight.dim()) if at != axis)
    lengths = torch.linalg.vector_norm(moved, dim=others, keepdim=True)
    own = torch.linalg.vector_norm(weight, dim=others, keepdim=True)
    magnitude = own * (1 + 0.2 * noise(*lengths.shape))
    return {**parts, ".dora_scale": magnitude}, moved / lengths * magnitude


def oft(weight: Tensor, noise: Noise, alpha: float = 0.0) -> tuple[dict[str, Tensor], Tensor]:
    """Rotations of four neighbouring outputs each, from any matrix by Cayley's formula.

    alpha times the outputs is the longest that the skew matrices may be, all blocks together; 0 holds nothing back.
    """
    blocks = noise(weight.shape[0] // 4, 4, 4, size=0.2)
    skew, one = blocks - blocks.mT, torch.eye(4)
    skew = skew * (min(1.0, alpha * weight.shape[0] / float(skew.norm())) if alpha else 1.0)
    turns = (one + skew) @ torch.linalg.inv(one - skew)
    turned = torch.einsum("knm,kn...->km...", turns, weight.reshape(-1, 4, *weight.shape[1:]))
    return {".oft_blocks": blocks, ".alpha": torch.tensor(alpha)}, turned.reshape(weight.shape)


def ia3(weight: Tensor, noise: Noise, axis: int = 0) -> tuple[dict[str, Tensor], Tensor]:
    """A gain for each output, or for each input (axis 1)."""
    size, window = weight.shape[axis], (1,) * (weight.dim() - 2)
    gain = noise(size, size=0.3)
    becomes = weight * (1 + gain).view(*(1,) * axis, -1, *(1,) * (1 - axis), *window)
    shape = (1, size, *window) if window else (size,)
    return {".weight": gain.view(shape), ".on_input": torch.tensor(axis)}, becomes


def full(weight: Tensor, noise: Noise) -> tuple[dict[str, Tensor], Tensor]:
    diff = noise(*weight.shape, size=_size(weight))
    return {".diff": diff}, weight + diff


def glora(weight: Tensor, noise: Noise) -> tuple[dict[str, Tensor], Tensor]:
    """W (1 + A) + B, both of low rank."""
    out, inside, _ = _sizes(weight)
    tail = (1,) * (weight.dim() - 2)
    a1, a2 = noise(inside, RANK, *tail, size=0.2), noise(RANK, inside, *tail, size=0.2)
    b1, b2 = noise(out, RANK, *tail), noise(RANK, *weight.shape[1:], size=_size(weight) / 2)
    turned = torch.einsum("oj...,ji->oi...", weight, a1.flatten(1) @ a2.flatten(1))
    added = (b1.flatten(1) @ b2.flatten(1)).view_as(weight)
    parts = {".a1.weight": a1, ".a2.weight": a2, ".b1.weight": b1, ".b2.weight": b2}
    return {**parts, ".alpha": torch.tensor(ALPHA)}, weight + (turned + added) * ALPHA / RANK


LYCORIS: Mapping[str, Algorithm] = {
    "LoHa": loha, "LoHa with a core": loha_tucker, "LoKr": lokr, "LoKr whole": lokr_whole,
    "LoKr with a core": lokr_tucker, "LoCon": locon, "LoCon with a core": tucker, "DoRA": dora,
    "DoRA by input": partial(dora, axis=1), "OFT": oft, "OFT held back": partial(oft, alpha=0.1), "IA3": ia3,
    "IA3 on inputs": partial(ia3, axis=1), "full": full, "GLoRA": glora,
}  # fmt: skip
