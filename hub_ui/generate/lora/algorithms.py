"""The formulas of LoRA, LoHa, LoKr, OFT and the others: what each adds to a layer's weight at weight 1.

All tensors are float32 matrices: a convolution's weight [out, in, height, width] is [out, in * height * width].
In the docstrings, W is the layer's own weight, W' the new one, D = W' - W, and (x) the Kronecker product.
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
    """A fused layer changes its outputs together, so it can't be split. `args[0]` completes "48 tensors ..."."""


_MIXED_ROWS = "that turn the outputs of several layers into each other, which this model keeps apart"


@dataclass(frozen=True, kw_only=True, slots=True)
class Factors:
    """The tensors of one layer of a file, in float32.

    `keys` are their names in the file: PEFT and LyCORIS use some parts with different meanings. `rows` are the outputs
    to keep (None: all). `scale` is alpha / rank; `alpha` also bounds a rotation. `on_input` is the side an IA3 of
    LyCORIS scales.
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
        """The wanted rows of a tensor that has one row for each output."""
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

    With cores `t1`, `t2`, each half is a Tucker product with outer factors [rank, out], [rank, in].
    """
    if factors.has("hada_t1"):
        first = _tucker(factors.parts["hada_t1"], factors.flat("hada_w1_a").T, factors.flat("hada_w1_b").T)
        second = _tucker(factors.parts["hada_t2"], factors.flat("hada_w2_a").T, factors.flat("hada_w2_b").T)
        return factors.cut(factors.scale * first * second)
    first = factors.cut(factors.flat("hada_w1_a")) @ factors.flat("hada_w1_b")
    second = factors.cut(factors.flat("hada_w2_a")) @ factors.flat("hada_w2_b")
    return factors.scale * first * second


def lokr(factors: Factors, weight: Tensor) -> Tensor:
    """D = scale * w1 (x) w2, the Kronecker product, each whole or in two factors (KronA,
    https://arxiv.org/abs/2212.10650, as LyCORIS has it, https://arxiv.org/abs/2309.14859)."""
    import torch

    first, second = kronecker_factors(factors)
    if factors.rows is None:
        return factors.scale * torch.kron(first, second)
    # Only those rows of the first factor that the wanted rows come from.
    height, pieces = len(second), []
    for start, stop in factors.rows:
        above = start // height
        product = torch.kron(first[above : -(-stop // height)], second)
        pieces.append(product[start - above * height : stop - above * height])
    return factors.scale * torch.cat(pieces)


def kronecker_factors(factors: Factors) -> tuple[Tensor, Tensor]:
    """w1 and w2 of a LoKr as matrices; a convolution's window is in the columns of w2."""
    first = factors.flat("lokr_w1") if factors.has("lokr_w1") else factors.flat("lokr_w1_a") @ factors.flat("lokr_w1_b")
    if factors.has("lokr_w2"):
        second = factors.flat("lokr_w2")
    elif factors.has("lokr_t2"):
        second = _tucker(factors.parts["lokr_t2"], factors.flat("lokr_w2_a").T, factors.flat("lokr_w2_b").T)
    else:
        second = factors.flat("lokr_w2_a") @ factors.flat("lokr_w2_b")
    return first, second


def _tucker(core: Tensor, out: Tensor, inside: Tensor) -> Tensor:
    """The sum over p and q of out[o, p] * core[p, q, ...] * inside[i, q], as a matrix [o, i * ...]."""
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

    PEFT stores l, as [out, 1] or [1, in]; LyCORIS stores l - 1, and `on_input` says which side it scales.
    """
    values = _gain(factors)
    if _over_inputs(factors, weight.shape[0]):
        return (weight.view(weight.shape[0], len(values), -1) * values[None, :, None]).flatten(1)
    return weight * factors.cut(values)[:, None]


def ia3_bias(factors: Factors, bias: Tensor) -> Tensor | None:
    """PEFT multiplies the layer's outputs and so its bias; LyCORIS multiplies the weight alone."""
    if not is_peft(factors.keys, "ia3") or _over_inputs(factors, len(bias)):
        return None
    return bias * factors.cut(_gain(factors))


def _gain(factors: Factors) -> Tensor:
    """l - 1"""
    values = factors.parts["ia3"].flatten()
    return values - 1 if is_peft(factors.keys, "ia3") else values


def _over_inputs(factors: Factors, outputs: int) -> bool:
    """Whether an IA3 scales the inputs. PEFT stores convolutions as [1, n, 1, 1]; if both sides are n, outputs."""
    values = factors.parts["ia3"]
    if not is_peft(factors.keys, "ia3"):
        return factors.on_input
    if values.dim() == 2:
        return values.shape[0] == 1 < values.shape[1]
    return factors.rows is None and values.numel() != outputs


def is_peft(keys: Mapping[Part, str], part: Part) -> bool:
    """Whether PEFT wrote this part of a layer, by its name in the file."""
    key = keys.get(part, "")
    return any(mark in key for mark in (".ia3_l", ".oft_R", ".boft_R", ".lora_magnitude_vector"))


def formula_of(algorithm: str, keys: Mapping[Part, str]) -> str:
    """The algorithm, or its variant in PEFT: PEFT's OFT and BOFT rotate the inputs, all others the outputs."""
    return f"{algorithm} of PEFT" if algorithm in ("oft", "boft") and is_peft(keys, "oft") else algorithm


def oft(factors: Factors, weight: Tensor) -> Tensor:
    """W' = R W, where R rotates blocks of neighbouring outputs (Qiu et al. 2023, https://arxiv.org/abs/2306.07280), as
    kohya and LyCORIS store it. Raises Inseparable where a block spans two parts of a fused layer.
    """
    blocks, size = _rotation(factors), factors.parts["oft"].shape[-1]
    if factors.rows is not None:
        if any(start % size or stop % size for start, stop in factors.rows):
            raise Inseparable(_MIXED_ROWS)
        blocks = cut(blocks, tuple((start // size, stop // size) for start, stop in factors.rows))
    turned = blocks.transpose(1, 2) @ weight.view(*blocks.shape[:2], -1)
    return turned.reshape(weight.shape) * _rescale(factors) - weight


def _rotation(factors: Factors) -> Tensor:
    """The Cayley transform R = (1 + Q)(1 - Q)^-1 of Q = B - B^T, which is a rotation for every B.

    The norm of Q over all blocks is at most `alpha` times the number of outputs; an alpha of 0 or None sets no limit.
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
    """The factor for each output that LyCORIS (`rescale`) and PEFT's BOFT (`boft_s`) train with the rotation."""
    return factors.cut(factors.parts["scale"].reshape(-1, 1)) if factors.has("scale") else 1.0


# PEFT's default. With so few terms the series is close to a rotation only for small Q.
_NEUMANN_TERMS = 5


def oft_of_peft(factors: Factors, weight: Tensor) -> Tensor:
    """W' = W R^T, where R rotates blocks of neighbouring inputs. Each block is the upper triangle of a skew Q.

    R = (1 + Q)(1 - Q)^-1 is approximated by its Neumann series 1 + 2 Q + 2 Q^2 + 2 Q^3 + Q^4 (OFTv2,
    https://arxiv.org/abs/2506.19847). A single block is used for all inputs.
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
    """W' = R_m ... R_2 R_1 W, where R_i rotates outputs 2^i half blocks apart (Liu et al. 2023,
    https://arxiv.org/abs/2311.06243), as LyCORIS stores it. Raises Inseparable for a part of a fused layer.
    """
    import torch

    if factors.rows is not None:
        raise Inseparable(_MIXED_ROWS)
    turned, size = weight, factors.parts["oft"].shape[-1]
    for i, blocks in enumerate(_rotation(factors)):
        # Of each two runs of outputs, one output each in turn.
        order = torch.arange(len(weight), device=weight.device).view(-1, 2, 2**i * size // 2).transpose(1, 2).flatten()
        mixed = (blocks @ turned[order].view(*blocks.shape[:2], -1)).reshape(weight.shape)
        turned = mixed[order.argsort()]
    return turned * _rescale(factors) - weight


def boft_of_peft(factors: Factors, weight: Tensor) -> Tensor:
    """W' = s * W (R_m ... R_1)^T, each R = P blocks P^T, blocks = (1 - Q)(1 + Q)^-1 with Q = (B - B^T) / 2."""
    import torch

    raw = factors.parts["oft"]
    size, skew, one = raw.shape[-1], (raw - raw.transpose(-1, -2)) / 2, torch.eye(raw.shape[-1], device=raw.device)
    turned = weight
    for i, blocks in enumerate(torch.linalg.solve(one + skew, one - skew, left=False)):
        order = torch.arange(weight.shape[1], device=weight.device)
        if len(raw) > 1:
            # In each group, the runs of half a block with an even number come before those with an odd one.
            runs = order.view(raw.shape[1] // 2**i, -1, size // 2)
            order = torch.cat([runs[:, 0::2], runs[:, 1::2]], dim=1).flatten()
        mixed = torch.einsum("onb,ncb->onc", turned[:, order.argsort()].view(weight.shape[0], -1, size), blocks)
        turned = mixed.reshape(weight.shape)[:, order]
    return turned * _rescale(factors) - weight


def diff(factors: Factors, weight: Tensor) -> Tensor:
    """The difference itself, as LyCORIS stores full training and norms."""
    return factors.cut(factors.parts["diff"].reshape(factors.parts["diff"].shape[0], -1))


def replace_weight(factors: Factors, weight: Tensor) -> Tensor:
    """A new value in place of the model's own: norms in control LoRAs, ComfyUI's `set_weight`."""
    value = next(iter(factors.parts.values()))
    return factors.cut(value.reshape(value.shape[0], -1)) - weight


# LyCORIS adds float32's smallest step to the norm.
_EPSILON = 2.0**-23
# PEFT divides by zero where an output has no weight at all; here the output stays zero.
_TINY = 1e-30


def dora(factors: Factors, weight: Tensor, delta: Tensor) -> Tensor:
    """W' = m * (W + D) / ||W + D||, for each output or each input (Liu et al. 2024, https://arxiv.org/abs/2402.09353).

    The shape of the magnitudes says which: [out, 1] or [1, in]; PEFT's are for outputs. Raises Inseparable for a part
    of a fused layer that is measured by input.
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
    """What is added to a norm."""
    return _TINY if is_peft(factors.keys, "magnitude") else _EPSILON


# A LoRA that is no DoRA, of a module that factors can be added to (see patch.py).
LOW_RANK = "low rank"
DELTAS: Mapping[str, Callable[[Factors, Tensor], Tensor]] = {
    LOW_RANK: lora, "lora": lora, "loha": loha, "lokr": lokr, "glora": glora, "ia3": ia3, "oft": oft, "boft": boft,
    "oft of PEFT": oft_of_peft, "boft of PEFT": boft_of_peft, "diff": diff, "norm": diff, "set": replace_weight,
}  # fmt: skip
# Formulas in which an output's new weights depend on no other output's; OFT's depend on those of the same block.
_BY_ROWS = (LOW_RANK, "lora", "loha", "lokr", "glora", "diff", "norm", "set", "oft of PEFT", "boft of PEFT")


def rows_together(algorithm: str, factors: Factors) -> int | None:
    """How many neighbouring outputs have to be computed together; None for all of them."""
    if factors.has("magnitude") and over_inputs(factors):
        return None
    formula = formula_of(algorithm, factors.keys)
    if formula == "oft":
        return factors.parts["oft"].shape[-1]
    return 1 if formula in _BY_ROWS else None


def over_inputs(factors: Factors) -> bool:
    """Whether a DoRA's magnitudes are those of inputs."""
    magnitude = factors.parts["magnitude"]
    by_input = magnitude.dim() > 1 and magnitude.shape[0] == 1 < magnitude.numel()
    return by_input and not is_peft(factors.keys, "magnitude")


def rows_within(rows: Rows | None, wanted: slice) -> Rows:
    """Those of a file's rows that are the wanted outputs of a module, of which `rows` are all."""
    if rows is None:
        return ((wanted.start, wanted.stop),)
    found, passed = [], 0
    for start, stop in rows:
        first, last = max(start, start + wanted.start - passed), min(stop, start + wanted.stop - passed)
        if first < last:
            found.append((first, last))
        passed += stop - start
    return tuple(found)


def delta_of(algorithm: str, factors: Factors, weight: Tensor) -> Tensor:
    """W' - W at weight 1, in the shape of `weight`."""
    flat = weight.reshape(weight.shape[0], -1)
    delta = DELTAS[formula_of(algorithm, factors.keys)](factors, flat)
    if factors.has("magnitude"):
        delta = dora(factors, flat, delta.reshape(flat.shape))
    return delta.reshape(weight.shape)


def rank_of(factors: Factors) -> int | None:
    """What alpha is divided by; None where the algorithm has no rank."""
    # LoKr with two whole factors has no rank. Where both are decomposed, LyCORIS counts the rank of the second.
    ranked: tuple[Part, ...] = ("down", "hada_t1", "hada_w1_b", "lokr_w2_b", "lokr_w1_b", "a2")
    return next((len(factors.parts[part]) for part in ranked if factors.has(part)), None)
