"""The formulas of LoRA, LoHa, LoKr, OFT and other algorithms: the change of a layer's weight at strength 1.

All tensors are float32 matrices: a convolution's weight [out, in, height, width] is [out, in * height * width].
In the docstrings, W is the base's weight, W' the patched weight, D = W' - W, and (x) the Kronecker product.
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
    """A fused layer that can't be split, because its outputs depend on each other.

    `args[0]` completes "48 tensors ...".
    """


_MIXED_ROWS = "that turn the outputs of several layers into each other, which this model keeps apart"


@dataclass(frozen=True, kw_only=True, slots=True)
class Factors:
    """The tensors of one layer of a file, in float32.

    `keys` are the tensors' names in the file, because PEFT and LyCORIS give some parts different meanings. `rows` are
    the ranges of outputs to keep; None keeps all. `scale` is alpha / rank; `alpha` also limits a rotation. If
    `on_input` is set, an IA3 of LyCORIS scales the inputs.
    """

    parts: Mapping[Part, Tensor]
    keys: Mapping[Part, str]
    scale: float = 1.0
    rows: Rows | None = None
    alpha: float | None = None
    on_input: bool = False

    def flat(self, part: Part) -> Tensor:
        return self.parts[part].flatten(1)

    def cut(self, value: Tensor) -> Tensor:
        """Return the rows to keep of a tensor with one row per output."""
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
    """Return D = scale * up @ down (Hu et al. 2021, https://arxiv.org/abs/2106.09685).

    If the file has a core tensor (LoCon's `lora_mid`, a Tucker decomposition, https://arxiv.org/abs/2108.06098),
    D[o, i, ...] = scale * sum over p and q of up[o, p] * mid[p, q, ...] * down[q, i].
    """
    up = factors.cut(factors.flat("up"))
    if factors.has("mid"):
        return factors.scale * _tucker(factors.parts["mid"], up, factors.flat("down").T)
    return factors.scale * up @ factors.flat("down")


def loha(factors: Factors, weight: Tensor) -> Tensor:
    """Return D = scale * (w1_a @ w1_b) * (w2_a @ w2_b), elementwise (FedPara, https://arxiv.org/abs/2108.06098).

    If the file has the cores `t1` and `t2`, each half is a Tucker product with outer factors [rank, out], [rank, in].
    """
    if factors.has("hada_t1"):
        first = _tucker(factors.parts["hada_t1"], factors.flat("hada_w1_a").T, factors.flat("hada_w1_b").T)
        second = _tucker(factors.parts["hada_t2"], factors.flat("hada_w2_a").T, factors.flat("hada_w2_b").T)
        return factors.cut(factors.scale * first * second)
    first = factors.cut(factors.flat("hada_w1_a")) @ factors.flat("hada_w1_b")
    second = factors.cut(factors.flat("hada_w2_a")) @ factors.flat("hada_w2_b")
    return factors.scale * first * second


def lokr(factors: Factors, weight: Tensor) -> Tensor:
    """Return D = scale * w1 (x) w2 (KronA, https://arxiv.org/abs/2212.10650).

    As in LyCORIS (https://arxiv.org/abs/2309.14859), w1 and w2 may be stored as a whole or decomposed.
    """
    import torch

    first, second = kronecker_factors(factors)
    if factors.rows is None:
        return factors.scale * torch.kron(first, second)
    # Multiply only the rows of w1 that produce the rows to keep.
    height, pieces = len(second), []
    for start, stop in factors.rows:
        above = start // height
        product = torch.kron(first[above : -(-stop // height)], second)
        pieces.append(product[start - above * height : stop - above * height])
    return factors.scale * torch.cat(pieces)


def kronecker_factors(factors: Factors) -> tuple[Tensor, Tensor]:
    """Return w1 and w2 of a LoKr as matrices; the columns of w2 include a convolution's window."""
    first = factors.flat("lokr_w1") if factors.has("lokr_w1") else factors.flat("lokr_w1_a") @ factors.flat("lokr_w1_b")
    if factors.has("lokr_w2"):
        second = factors.flat("lokr_w2")
    elif factors.has("lokr_t2"):
        second = _tucker(factors.parts["lokr_t2"], factors.flat("lokr_w2_a").T, factors.flat("lokr_w2_b").T)
    else:
        second = factors.flat("lokr_w2_a") @ factors.flat("lokr_w2_b")
    return first, second


def _tucker(core: Tensor, out: Tensor, inside: Tensor) -> Tensor:
    """Return the sum over p and q of out[o, p] * core[p, q, ...] * inside[i, q] as a matrix [o, i * ...]."""
    import torch

    product: Tensor = torch.einsum("op,pqk,iq->oik", out, core.flatten(2), inside)
    return product.flatten(1)


def glora(factors: Factors, weight: Tensor) -> Tensor:
    """Return D = scale * (W A + B), with A = a1 @ a2 and B = b1 @ b2 (https://arxiv.org/abs/2306.07967).

    Like LyCORIS, leave out the paper's terms for the bias.
    """
    inner = factors.flat("a1") @ factors.flat("a2")
    added = factors.cut(factors.flat("b1")) @ factors.flat("b2")
    # Apply A to the input channels at each position of a convolution's window.
    spread = weight.view(weight.shape[0], inner.shape[0], -1).transpose(1, 2) @ inner
    return factors.scale * (spread.transpose(1, 2).flatten(1) + added)


def ia3(factors: Factors, weight: Tensor) -> Tensor:
    """Return D for W' = l * W; l scales outputs or inputs (Liu et al. 2022, https://arxiv.org/abs/2205.05638).

    PEFT stores l as [out, 1] or [1, in]. LyCORIS stores l - 1, and `on_input` selects the scaled side.
    """
    values = _gain(factors)
    if _over_inputs(factors, weight.shape[0]):
        return (weight.view(weight.shape[0], len(values), -1) * values[None, :, None]).flatten(1)
    return weight * factors.cut(values)[:, None]


def ia3_bias(factors: Factors, bias: Tensor) -> Tensor | None:
    """Return the change of the bias, or None.

    An IA3 of PEFT scales the layer's outputs, and so the bias; LyCORIS scales only the weight.
    """
    if not is_peft(factors.keys, "ia3") or _over_inputs(factors, len(bias)):
        return None
    return bias * factors.cut(_gain(factors))


def _gain(factors: Factors) -> Tensor:
    """Return l - 1."""
    values = factors.parts["ia3"].flatten()
    return values - 1 if is_peft(factors.keys, "ia3") else values


def _over_inputs(factors: Factors, outputs: int) -> bool:
    """Return whether an IA3 scales the inputs.

    PEFT stores a convolution's l as [1, n, 1, 1]. If both sides have n channels, assume the outputs.
    """
    values = factors.parts["ia3"]
    if not is_peft(factors.keys, "ia3"):
        return factors.on_input
    if values.dim() == 2:
        return values.shape[0] == 1 < values.shape[1]
    return factors.rows is None and values.numel() != outputs


def is_peft(keys: Mapping[Part, str], part: Part) -> bool:
    """Return whether PEFT wrote this part of a layer, judging by the part's name in the file."""
    key = keys.get(part, "")
    return any(mark in key for mark in (".ia3_l", ".oft_R", ".boft_R", ".lora_magnitude_vector"))


def formula_of(algorithm: str, keys: Mapping[Part, str]) -> str:
    """Return the key of the layer's formula in `DELTAS`.

    PEFT's OFT and BOFT have formulas of their own: they rotate the inputs, all other trainers rotate the outputs.
    """
    return f"{algorithm} of PEFT" if algorithm in ("oft", "boft") and is_peft(keys, "oft") else algorithm


def oft(factors: Factors, weight: Tensor) -> Tensor:
    """Return D for W' = R W; R rotates blocks of neighbouring outputs (https://arxiv.org/abs/2306.07280).

    kohya and LyCORIS store OFT like this. Raises Inseparable if a block spans two parts of a fused layer.
    """
    blocks, size = _rotation(factors), factors.parts["oft"].shape[-1]
    if factors.rows is not None:
        if any(start % size or stop % size for start, stop in factors.rows):
            raise Inseparable(_MIXED_ROWS)
        blocks = cut(blocks, tuple((start // size, stop // size) for start, stop in factors.rows))
    turned = blocks.transpose(1, 2) @ weight.view(*blocks.shape[:2], -1)
    return turned.reshape(weight.shape) * _rescale(factors) - weight


def _rotation(factors: Factors) -> Tensor:
    """Return the Cayley transform R = (1 + Q)(1 - Q)^-1 of Q = B - B^T, which is a rotation for every B.

    Limit the norm of Q over all blocks to `alpha` times the number of outputs, unless alpha is 0 or None.
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


def _rescale(factors: Factors) -> Tensor | float:
    """Return the factor per output that LyCORIS (`rescale`) and PEFT's BOFT (`boft_s`) train with the rotation."""
    return factors.cut(factors.parts["scale"].reshape(-1, 1)) if factors.has("scale") else 1.0


# PEFT's default. With 5 terms, the series is close to a rotation only for a small Q.
_NEUMANN_TERMS = 5


def oft_of_peft(factors: Factors, weight: Tensor) -> Tensor:
    """Return D for W' = W R^T; R rotates blocks of neighbouring inputs.

    PEFT stores each block as the upper triangle of a skew-symmetric Q. R = (1 + Q)(1 - Q)^-1 is approximated by its
    Neumann series 1 + 2 Q + 2 Q^2 + 2 Q^3 + Q^4 (OFTv2, https://arxiv.org/abs/2506.19847). A single block is shared by
    all inputs.
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
    """Return D for W' = R_m ... R_1 R_0 W; R_i rotates outputs that are 2^i half blocks apart.

    LyCORIS stores BOFT like this (Liu et al. 2023, https://arxiv.org/abs/2311.06243). Raises Inseparable for a part of
    a fused layer.
    """
    import torch

    if factors.rows is not None:
        raise Inseparable(_MIXED_ROWS)
    turned, size = weight, factors.parts["oft"].shape[-1]
    for i, blocks in enumerate(_rotation(factors)):
        # Interleave each pair of neighbouring runs of outputs.
        order = torch.arange(len(weight), device=weight.device).view(-1, 2, 2**i * size // 2).transpose(1, 2).flatten()
        mixed = (blocks @ turned[order].view(*blocks.shape[:2], -1)).reshape(weight.shape)
        turned = mixed[order.argsort()]
    return turned * _rescale(factors) - weight


def boft_of_peft(factors: Factors, weight: Tensor) -> Tensor:
    """Return D for W' = s * W (R_m ... R_1)^T, with R = P blocks P^T.

    The blocks are (1 - Q)(1 + Q)^-1 with Q = (B - B^T) / 2, and P is a permutation of the inputs.
    """
    import torch

    raw = factors.parts["oft"]
    size, skew, one = raw.shape[-1], (raw - raw.transpose(-1, -2)) / 2, torch.eye(raw.shape[-1], device=raw.device)
    turned = weight
    for i, blocks in enumerate(torch.linalg.solve(one + skew, one - skew, left=False)):
        order = torch.arange(weight.shape[1], device=weight.device)
        if len(raw) > 1:
            # Split each group into half blocks, and put the even half blocks before the odd half blocks.
            runs = order.view(raw.shape[1] // 2**i, -1, size // 2)
            order = torch.cat([runs[:, 0::2], runs[:, 1::2]], dim=1).flatten()
        mixed = torch.einsum("onb,ncb->onc", turned[:, order.argsort()].view(weight.shape[0], -1, size), blocks)
        turned = mixed.reshape(weight.shape)[:, order]
    return turned * _rescale(factors) - weight


def diff(factors: Factors, weight: Tensor) -> Tensor:
    """Return D itself, which LyCORIS stores for full training and for norms."""
    return factors.cut(factors.parts["diff"].reshape(factors.parts["diff"].shape[0], -1))


def replace_weight(factors: Factors, weight: Tensor) -> Tensor:
    """Return D for a W' that the file stores: a norm in a control LoRA, or ComfyUI's `set_weight`."""
    value = next(iter(factors.parts.values()))
    return factors.cut(value.reshape(value.shape[0], -1)) - weight


# LyCORIS adds float32's machine epsilon to the norm.
_EPSILON = 2.0**-23
# PEFT divides by zero if all weights of an output are zero. This term keeps such an output at zero.
_TINY = 1e-30


def dora(factors: Factors, weight: Tensor, delta: Tensor) -> Tensor:
    """Return W' - W for W' = m * (W + D) / ||W + D|| (Liu et al. 2024, https://arxiv.org/abs/2402.09353).

    The norm is taken per output if the magnitudes m have the shape [out, 1], and per input for [1, in]; PEFT's are
    always per output. Raises Inseparable for a part of a fused layer with magnitudes per input.
    """
    moved, magnitude = weight + delta, factors.parts["magnitude"]
    if over_inputs(factors):
        if factors.rows is not None:
            raise Inseparable("of a DoRA that measures several layers together, which this model keeps apart")
        inputs = magnitude.numel()
        cells = moved.view(weight.shape[0], inputs, -1)
        length = cells.norm(dim=(0, 2), keepdim=True) + _EPSILON
        scaled: Tensor = (cells * (magnitude.view(1, inputs, 1) / length)).flatten(1)
        return scaled - weight
    length = moved.norm(dim=1, keepdim=True) + dora_epsilon(factors)
    stretch: Tensor = factors.cut(magnitude.reshape(-1, 1)) / length
    return moved * stretch - weight


def dora_epsilon(factors: Factors) -> float:
    """Return the number to add to a norm before dividing by it."""
    return _TINY if is_peft(factors.keys, "magnitude") else _EPSILON


# A plain LoRA, not a DoRA, on a module whose outputs low-rank factors can be added to (see patch.py).
LOW_RANK = "low rank"
DELTAS: Mapping[str, Callable[[Factors, Tensor], Tensor]] = {
    LOW_RANK: lora, "lora": lora, "loha": loha, "lokr": lokr, "glora": glora, "ia3": ia3, "oft": oft, "boft": boft,
    "oft of PEFT": oft_of_peft, "boft of PEFT": boft_of_peft, "diff": diff, "norm": diff, "set": replace_weight,
}  # fmt: skip
# Formulas that compute each output independently of the other outputs.
_BY_ROWS = (LOW_RANK, "lora", "loha", "lokr", "glora", "diff", "norm", "set", "oft of PEFT", "boft of PEFT")


def rows_together(algorithm: str, factors: Factors) -> int | None:
    """Return how many neighbouring outputs have to be computed together, or None for all outputs."""
    if factors.has("magnitude") and over_inputs(factors):
        return None
    formula = formula_of(algorithm, factors.keys)
    if formula == "oft":
        return factors.parts["oft"].shape[-1]
    return 1 if formula in _BY_ROWS else None


def over_inputs(factors: Factors) -> bool:
    """Return whether a DoRA has a magnitude per input rather than per output."""
    magnitude = factors.parts["magnitude"]
    by_input = magnitude.dim() > 1 and magnitude.shape[0] == 1 < magnitude.numel()
    return by_input and not is_peft(factors.keys, "magnitude")


def rows_within(rows: Rows | None, wanted: slice) -> Rows:
    """Return the rows of a file's layer for a slice of a module's outputs; `rows` are the rows for all outputs."""
    if rows is None:
        return ((wanted.start, wanted.stop),)
    kept, offset = [], 0
    for start, stop in rows:
        first, last = max(start, start + wanted.start - offset), min(stop, start + wanted.stop - offset)
        if first < last:
            kept.append((first, last))
        offset += stop - start
    return tuple(kept)


def delta_of(algorithm: str, factors: Factors, weight: Tensor) -> Tensor:
    """Return W' - W at strength 1, in the shape of `weight`."""
    flat = weight.reshape(weight.shape[0], -1)
    delta = DELTAS[formula_of(algorithm, factors.keys)](factors, flat)
    if factors.has("magnitude"):
        delta = dora(factors, flat, delta.reshape(flat.shape))
    return delta.reshape(weight.shape)


def rank_of(factors: Factors) -> int | None:
    """Return the rank that alpha is divided by, or None if the algorithm has no rank."""
    # A LoKr with two whole factors has no rank. If both factors are decomposed, LyCORIS uses the rank of w2.
    ranked: tuple[Part, ...] = ("down", "hada_t1", "hada_w1_b", "lokr_w2_b", "lokr_w1_b", "a2")
    return next((len(factors.parts[part]) for part in ranked if factors.has(part)), None)
