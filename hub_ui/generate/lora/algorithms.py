"""What each algorithm adds to a layer's weight at weight 1, out of its factors and, for some, the weight itself.

Everything is float32 and flat: a convolution's weight of [out, in, height, width] is a matrix [out, in * height *
width], since all of these see it as one. `W` is the layer's own weight, `D` what comes of it. Each formula is written
down from its source, which its function names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.weights.key_formats import Part

if TYPE_CHECKING:
    from torch import Tensor

Rows = tuple[tuple[int, int], ...]


class Inseparable(Exception):
    """A fused layer whose outputs were changed together, so that one part's share can't be told. `args[0]` says why,
    as a Missed does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Factors:
    """One layer of a file, its tensors in float32. `rows` are the outputs wanted of it, None for all.

    `keys` are the tensors' names in the file: PEFT and LyCORIS write some parts alike and mean them otherwise.
    `scale` is alpha / rank, `alpha` itself bounds a rotation, `on_input` is LyCORIS' word for the side of an IA3.
    """

    parts: Mapping[Part, Tensor]
    keys: Mapping[Part, str]
    scale: float = 1.0
    rows: Rows | None = None
    alpha: float | None = None
    on_input: bool = False

    def flat(self, part: Part) -> Tensor:
        """As a matrix, one row for each first index."""
        return self.parts[part].flatten(1)

    def cut(self, value: Tensor) -> Tensor:
        """The wanted rows of something that has one for each output of the file's layer."""
        return cut(value, self.rows)

    def has(self, part: Part) -> bool:
        return part in self.parts


def cut(value: Tensor, rows: Rows | None) -> Tensor:
    import torch

    if rows is None:
        return value
    pieces = [value[start:stop] for start, stop in rows]
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces)


def lora(factors: Factors, weight: Tensor) -> Tensor:
    """D = scale * up @ down (Hu et al. 2021, https://arxiv.org/abs/2106.09685).

    With a core tensor between them (LoCon's `lora_mid`, a Tucker decomposition as in https://arxiv.org/abs/2108.06098),
    D[o, i, ...] = sum over p and q of up[o, p] * mid[p, q, ...] * down[q, i].
    """
    up = factors.cut(factors.flat("up"))
    if factors.has("mid"):
        return factors.scale * _tucker(factors.parts["mid"], up, factors.flat("down").T)
    return factors.scale * up @ factors.flat("down")


def loha(factors: Factors, weight: Tensor) -> Tensor:
    """D = scale * (w1_a @ w1_b) * (w2_a @ w2_b), elementwise (FedPara, https://arxiv.org/abs/2108.06098).

    With cores `t1` and `t2`, each half is a Tucker product whose outer factors are written [rank, out], [rank, in].
    """
    if factors.has("hada_t1"):
        first = _tucker(factors.parts["hada_t1"], factors.flat("hada_w1_a").T, factors.flat("hada_w1_b").T)
        second = _tucker(factors.parts["hada_t2"], factors.flat("hada_w2_a").T, factors.flat("hada_w2_b").T)
    else:
        first = factors.flat("hada_w1_a") @ factors.flat("hada_w1_b")
        second = factors.flat("hada_w2_a") @ factors.flat("hada_w2_b")
    return factors.cut(factors.scale * first * second)


def lokr(factors: Factors, weight: Tensor) -> Tensor:
    """D = scale * w1 (x) w2, the Kronecker product, each whole or in two factors (KronA,
    https://arxiv.org/abs/2212.10650, as LyCORIS has it, https://arxiv.org/abs/2309.14859)."""
    import torch

    first = factors.flat("lokr_w1") if factors.has("lokr_w1") else factors.flat("lokr_w1_a") @ factors.flat("lokr_w1_b")
    if factors.has("lokr_w2"):
        second = factors.flat("lokr_w2")
    elif factors.has("lokr_t2"):
        second = _tucker(factors.parts["lokr_t2"], factors.flat("lokr_w2_a").T, factors.flat("lokr_w2_b").T)
    else:
        second = factors.flat("lokr_w2_a") @ factors.flat("lokr_w2_b")
    return factors.cut(factors.scale * torch.kron(first, second))


def _tucker(core: Tensor, out: Tensor, inside: Tensor) -> Tensor:
    """sum over p and q of out[o, p] * core[p, q, ...] * inside[i, q], as a matrix [o, i * ...]."""
    import torch

    product: Tensor = torch.einsum("op,pqk,iq->oik", out, core.flatten(2), inside)
    return product.flatten(1)


def glora(factors: Factors, weight: Tensor) -> Tensor:
    """D = scale * (W A + B), A = a1 @ a2 over the inputs, B = b1 @ b2 (Chavan et al. 2023,
    https://arxiv.org/abs/2306.07967, without the terms for the bias, as in LyCORIS)."""
    inner = factors.flat("a1") @ factors.flat("a2")
    added = factors.cut(factors.flat("b1")) @ factors.flat("b2")
    # A goes over the inputs at each place of a convolution's window.
    spread = weight.view(weight.shape[0], inner.shape[0], -1).transpose(1, 2) @ inner
    return factors.scale * (spread.transpose(1, 2).flatten(1) + added)


def ia3(factors: Factors, weight: Tensor) -> Tensor:
    """W' = l * W, over outputs or inputs (Liu et al. 2022, https://arxiv.org/abs/2205.05638).

    PEFT writes l, as [out, 1] or [1, in]; LyCORIS writes l - 1 and says with `on_input` which side it means.
    """
    values = _gain(factors)
    if _over_inputs(factors, weight.shape[0]):
        return (weight.view(weight.shape[0], len(values), -1) * values[None, :, None]).flatten(1)
    return weight * factors.cut(values)[:, None]


def ia3_bias(factors: Factors, bias: Tensor) -> Tensor | None:
    """PEFT multiplies the layer's outputs, its bias with them; LyCORIS multiplies the weight alone."""
    if not is_peft(factors, "ia3") or _over_inputs(factors, len(bias)):
        return None
    return bias * factors.cut(_gain(factors))


def _gain(factors: Factors) -> Tensor:
    """l - 1"""
    values = factors.parts["ia3"].flatten()
    return values - 1 if is_peft(factors, "ia3") else values


def _over_inputs(factors: Factors, outputs: int) -> bool:
    """For convolutions PEFT writes both sides as [1, n, 1, 1]; where n is both, it is taken for the outputs."""
    values = factors.parts["ia3"]
    if not is_peft(factors, "ia3"):
        return factors.on_input
    if values.dim() == 2:
        return values.shape[0] == 1 < values.shape[1]
    return factors.rows is None and values.numel() != outputs


def is_peft(factors: Factors, part: Part) -> bool:
    key = factors.keys.get(part, "")
    return any(mark in key for mark in (".ia3_l", ".oft_R", ".boft_R", ".lora_magnitude_vector"))


def oft(factors: Factors, weight: Tensor) -> Tensor:
    """W' = R W, R of blocks along the diagonal that rotate neighbouring outputs (Qiu et al. 2023,
    https://arxiv.org/abs/2306.07280), as kohya's networks.oft and LyCORIS write it: see `_by_cayley`.

    PEFT rotates the inputs: see `_of_peft`.
    """
    if is_peft(factors, "oft"):
        return _of_peft(factors, weight)
    blocks = _cut_blocks(factors, _by_cayley(factors), factors.parts["oft"].shape[-1])
    turned = blocks.transpose(1, 2) @ weight.view(*blocks.shape[:2], -1)
    return turned.reshape(weight.shape) * _rescale(factors) - weight


def _by_cayley(factors: Factors) -> Tensor:
    """R = (1 + Q)(1 - Q)^-1 of Q = B - B^T, which is a rotation for every B.

    `alpha` times the number of outputs is the longest Q may be, taken over all blocks; 0 or none leaves it free.
    """
    import torch

    raw = factors.parts["oft"]
    skew = raw - raw.transpose(-1, -2)
    if factors.alpha:
        longest = factors.alpha * raw.shape[-3] * raw.shape[-1]
        skew = skew * (longest / (skew.norm() + 1e-8)).clamp(max=1.0)
    one = torch.eye(raw.shape[-1], device=raw.device)
    rotation: Tensor = torch.linalg.solve(one - skew, one + skew, left=False)
    return rotation


def _cut_blocks(factors: Factors, blocks: Tensor, size: int) -> Tensor:
    """The blocks of the wanted outputs, where no block turns outputs of two parts into each other."""
    if factors.rows is None:
        return blocks
    if any(start % size or stop % size for start, stop in factors.rows):
        raise Inseparable("that turn the outputs of several layers into each other, which this model keeps apart")
    return cut(blocks, tuple((start // size, stop // size) for start, stop in factors.rows))


def _rescale(factors: Factors) -> Tensor | float:
    """A factor for each output that LyCORIS (`rescale`) and PEFT's BOFT (`boft_s`) train beside the rotation."""
    return factors.cut(factors.parts["scale"].reshape(-1, 1)) if factors.has("scale") else 1.0


# PEFT's default: the series is cut off here, and is close to a rotation for small Q only.
_NEUMANN_TERMS = 5


def _of_peft(factors: Factors, weight: Tensor) -> Tensor:
    """W' = W R^T: PEFT's OFT rotates neighbouring inputs. Each block is the upper triangle of a skew Q, row by row.

    R = (1 + Q)(1 - Q)^-1 is approximated by its Neumann series 1 + 2 Q + 2 Q^2 + 2 Q^3 + Q^4 (OFTv2,
    https://arxiv.org/abs/2506.19847), the last term by itself. One block for all is shared by them.
    """
    import torch

    packed = factors.parts["oft"]
    size = (1 + math.isqrt(1 + 8 * packed.shape[1])) // 2
    skew = packed.new_zeros(packed.shape[0], size, size)
    above, right = torch.triu_indices(size, size, 1, device=packed.device)
    skew[:, above, right] = packed
    skew = skew - skew.transpose(1, 2)
    power, turn = skew, torch.eye(size, device=packed.device) + 2 * skew
    for term in range(2, _NEUMANN_TERMS):
        power = power @ skew
        turn = turn + (2 if term < _NEUMANN_TERMS - 1 else 1) * power
    turned = torch.einsum("onb,ncb->onc", weight.view(weight.shape[0], -1, size), turn.expand(-1, -1, -1))
    return turned.reshape(weight.shape) - weight


def boft(factors: Factors, weight: Tensor) -> Tensor:
    """W' = R_m ... R_2 R_1 W, each R of blocks that reach over outputs further apart (Liu et al. 2023,
    https://arxiv.org/abs/2311.06243), as LyCORIS writes it: factor i pairs outputs 2^i half blocks apart.

    PEFT rotates the inputs, with its own order of them: see `_boft_of_peft`.
    """
    if is_peft(factors, "oft"):
        return _boft_of_peft(factors, weight)
    if factors.rows is not None:
        raise Inseparable("that turn the outputs of several layers into each other, which this model keeps apart")
    turned, size = weight, factors.parts["oft"].shape[-1]
    for i, blocks in enumerate(_by_cayley(factors)):
        order = _butterfly(weight.shape[0], 2**i * size // 2).to(weight.device)
        mixed = (blocks @ turned[order].view(*blocks.shape[:2], -1)).reshape(weight.shape)
        turned = mixed[order.argsort()]
    return turned * _rescale(factors) - weight


def _butterfly(count: int, half: int) -> Tensor:
    """The outputs in the order in which factor i takes them: of each two runs of `half`, one each in turn."""
    import torch

    return torch.arange(count).view(-1, 2, half).transpose(1, 2).flatten()


def _boft_of_peft(factors: Factors, weight: Tensor) -> Tensor:
    """W' = s * W (R_m ... R_1)^T, each R = P blocks P^T, blocks = (1 - Q)(1 + Q)^-1 with Q = (B - B^T) / 2."""
    import torch

    raw = factors.parts["oft"]
    skew, one = (raw - raw.transpose(-1, -2)) / 2, torch.eye(raw.shape[-1], device=raw.device)
    rotations = torch.linalg.solve(one + skew, one - skew, left=False)
    turned = weight
    for i, blocks in enumerate(rotations):
        order = _paired(weight.shape[1], raw.shape[1] // 2**i, raw.shape[-1] // 2, len(rotations)).to(weight.device)
        mixed = torch.einsum(
            "onb,ncb->onc", turned[:, order.argsort()].view(weight.shape[0], -1, raw.shape[-1]), blocks
        )
        turned = mixed.reshape(weight.shape)[:, order]
    return turned * _rescale(factors) - weight


def _paired(count: int, groups: int, half: int, factors: int) -> Tensor:
    """Within each of `groups`, runs of `half`: first those with an even number, then those with an odd one."""
    import torch

    everything = torch.arange(count)
    if factors == 1:
        return everything
    runs = everything.view(groups, -1, half)
    return torch.cat([runs[:, 0::2], runs[:, 1::2]], dim=1).flatten()


def diff(factors: Factors, weight: Tensor) -> Tensor:
    """The difference itself, as LyCORIS' full training and norms write it."""
    return factors.cut(factors.parts["diff"].reshape(factors.parts["diff"].shape[0], -1))


def replacing(factors: Factors, weight: Tensor) -> Tensor:
    """The value that takes the place of the model's: norms in control LoRAs, ComfyUI's `set_weight`."""
    value = next(iter(factors.parts.values()))
    return factors.cut(value.reshape(value.shape[0], -1)) - weight


def dora(factors: Factors, weight: Tensor, delta: Tensor) -> Tensor:
    """W' = m * (W + D) / ||W + D||, each output or each input by itself (Liu et al. 2024,
    https://arxiv.org/abs/2402.09353). The magnitudes' shape says which: [out, 1] or [1, in]; PEFT's are by output.
    """
    moved, magnitude = weight + delta, factors.parts["magnitude"]
    if _by_input(factors, magnitude):
        if factors.rows is not None:
            raise Inseparable("of a DoRA that measures several layers together, which this model keeps apart")
        inputs = magnitude.numel()
        cells = moved.view(weight.shape[0], inputs, -1)
        length = cells.norm(dim=(0, 2), keepdim=True) + _EPSILON
        scaled: Tensor = (cells * (magnitude.view(1, inputs, 1) / length)).flatten(1)
        return scaled - weight
    length = moved.norm(dim=1, keepdim=True) + (_TINY if is_peft(factors, "magnitude") else _EPSILON)
    stretch: Tensor = factors.cut(magnitude.reshape(-1, 1)) / length
    return moved * stretch - weight


# LyCORIS adds float32's smallest step to the length.
_EPSILON = 2.0**-23
# An output without any weight stays one, where PEFT divides by zero.
_TINY = 1e-30


def _by_input(factors: Factors, magnitude: Tensor) -> bool:
    return not is_peft(factors, "magnitude") and magnitude.dim() > 1 and magnitude.shape[0] == 1 < magnitude.numel()


DELTAS: Mapping[str, Callable[[Factors, Tensor], Tensor]] = {
    "lora": lora, "loha": loha, "lokr": lokr, "glora": glora, "ia3": ia3, "oft": oft, "boft": boft, "diff": diff,
    "norm": diff, "set": replacing,
}  # fmt: skip


def delta_of(algorithm: str, factors: Factors, weight: Tensor) -> Tensor:
    """W' - W at weight 1, in the shape of `weight`."""
    flat = weight.reshape(weight.shape[0], -1)
    delta = DELTAS[algorithm](factors, flat)
    if factors.has("magnitude"):
        delta = dora(factors, flat, delta.reshape(flat.shape))
    return delta.reshape(weight.shape)


def rank_of(factors: Factors) -> int | None:
    """What alpha is divided by; None where there is no rank."""
    for part, axis in _RANKS:
        if factors.has(part):
            return factors.parts[part].shape[axis]
    return None


# LoKr with both factors whole has no rank. Of two that are split, LyCORIS counts the second.
_RANKS: tuple[tuple[Part, int], ...] = (
    ("down", 0), ("hada_t1", 0), ("hada_w1_b", 0), ("lokr_w2_b", 0), ("lokr_w1_b", 0), ("a2", 0),
)  # fmt: skip
