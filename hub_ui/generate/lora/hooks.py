"""Patches added to a module's outputs by one hook for all LoRAs: first those of structured.py, then all of low rank,
y + weight * (up(down(x)) + shift).

A hook tells the rows of a batch apart. Everywhere else the first axis of an input is the batch, but in the modules
whose inputs are the tokens of all images, one after another: there, each token is known by the image it is of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from connectors.errors import PreviewError
from hub_ui.generate.lora.parameters import ParamHandle
from hub_ui.generate.lora.patch import Patch
from hub_ui.generate.lora.structured import Addition, Read, addition_of, broadcast, product, times

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.utils.hooks import RemovableHandle


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenRows:
    """`rows` has the row of the batch for each token, or for each place of the axes before the channels; `batch` is how
    many rows the batch has.
    """

    rows: Tensor
    batch: int


# By module; of every module within one, too.
RowsByModule = dict["nn.Module", TokenRows]


@contextmanager
def follow_tokens(parts: Iterable[nn.Module], found: RowsByModule) -> Iterator[None]:
    """Within it, `found` has such modules once the networks run."""
    with ExitStack() as stack:
        stack.callback(found.clear)
        for module in (module for part in parts for module in part.modules()):
            follow = _FOLLOWERS.get(type(module).__name__)
            if follow is not None:
                stack.callback(follow(module, found))
        yield


def _of_equal_length(module: Any, found: RowsByModule) -> Callable[[], None]:
    """Krea 2 fuses the text encoder's layers token by token."""

    def before(_: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        states: Tensor = args[0] if args else kwargs["encoder_hidden_states"]
        _put(found, module.layerwise_blocks, _one_after_another([states.shape[1]] * len(states), states))

    return module.register_forward_pre_hook(before, with_kwargs=True).remove  # type: ignore[no-any-return]


def _of_lists(module: Any, found: RowsByModule) -> Callable[[], None]:
    """Z-Image embeds the tokens of all images, and those of all prompts, whose lengths differ."""
    patchify = module.patchify_and_embed

    def follow(*args: Any, **kwargs: Any) -> Any:
        result = patchify(*args, **kwargs)
        for embedder, values in zip((module.all_x_embedder, module.cap_embedder), result, strict=False):
            _put(found, [embedder], _one_after_another([len(value) for value in values], values[0]))
        return result

    module.patchify_and_embed = follow
    return lambda: delattr(module, "patchify_and_embed")


def _of_experts(module: Any, found: RowsByModule) -> Callable[[], None]:
    """HiDream sorts tokens by the expert that its gate chooses for them."""

    def after(_: Any, args: tuple[Any, ...], result: Any) -> None:
        batch, length, _width = args[0].shape
        choices = result[0].view(-1)
        rows = choices.argsort() // module.num_activated_experts // length
        counts = choices.bincount(minlength=len(module.experts)).tolist()
        for expert, piece in zip(module.experts, rows.split(counts), strict=True):
            _put(found, [expert], TokenRows(rows=piece, batch=batch))

    return module.gate.register_forward_hook(after).remove  # type: ignore[no-any-return]


def _of_second_axis(module: Any, found: RowsByModule) -> Callable[[], None]:
    """Tokens are ERNIE-Image's first axis, and images its second, but in attention."""

    def before(_: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        import torch

        states: Tensor = args[0] if args else kwargs["hidden_states"]
        rows = TokenRows(rows=torch.arange(len(states), device=states.device)[None], batch=len(states))
        _put(found, [*(layer.mlp for layer in module.layers), module.final_linear], rows)

    return module.register_forward_pre_hook(before, with_kwargs=True).remove  # type: ignore[no-any-return]


_FOLLOWERS: Mapping[str, Callable[[Any, RowsByModule], Callable[[], None]]] = {
    "ErnieImageTransformer2DModel": _of_second_axis,
    "Krea2TextFusion": _of_equal_length,
    "MOEFeedForwardSwiGLU": _of_experts,
    "ZImageTransformer2DModel": _of_lists,
}


def _one_after_another(lengths: Sequence[int], like: Tensor) -> TokenRows:
    import torch

    rows = torch.arange(len(lengths), device=like.device)
    return TokenRows(rows=rows.repeat_interleave(torch.tensor(lengths, device=like.device)), batch=len(lengths))


def _put(found: RowsByModule, modules: Iterable[nn.Module], rows: TokenRows) -> None:
    found.update((within, rows) for module in modules for within in module.modules())


# A patch and the position of its LoRA among the weights.
IndexedPatch = tuple[int, Patch]


class NotPerRow(PreviewError):
    """These LoRAs or this base can't have different weights in one batch: the images have to be made one by one."""


@dataclass(kw_only=True)
class AdapterWeights:
    """The weights that all hooks read: one for each LoRA, or one row for each image. `version` counts changes.

    `tokens` are the modules whose first axis is not the batch.
    """

    weights: tuple[float, ...] = ()
    rows: tuple[tuple[float, ...], ...] | None = None
    version: int = 0
    tokens: RowsByModule = field(default_factory=dict)

    def set(self, weights: Sequence[float], rows: Sequence[Sequence[float]] | None = None) -> None:
        self.weights = tuple(weights)
        self.rows = None if rows is None else tuple(tuple(row) for row in rows)
        self.version += 1


def attach(
    module: nn.Module, patches: Sequence[IndexedPatch], weights: AdapterWeights, read: Read, bias: ParamHandle | None
) -> RemovableHandle:
    from torch import nn

    low_rank = [(index, patch) for index, patch in patches if patch.is_low_rank]
    factors = [(index, patch) for index, patch in low_rank if patch.factors.has("down")]
    # Those with a core last: the factors of the others are concatenated.
    factors.sort(key=lambda pair: pair[1].factors.has("mid"))
    by_channels = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.GroupNorm)
    hook = Hook(
        structured=tuple((index, patch) for index, patch in patches if not patch.is_low_rank),
        factors=tuple(factors),
        shifts=tuple((index, patch) for index, patch in low_rank if patch.factors.has("diff_b")),
        weights=weights,
        read=read,
        bias=bias,
        channels_second=isinstance(module, by_channels),
    )
    return module.register_forward_hook(hook, with_kwargs=True)


class _RowWeights(NamedTuple):
    """One row for each of a batch, or one for all: the weight of every rank [rows, ranks] in float32, unless it is in
    the last factors; the sum of the shifts [rows, outputs]; and the weight of each structured patch [rows].
    """

    ranks: Tensor | None
    shift: Tensor | None
    amounts: tuple[Tensor, ...]


@dataclass(kw_only=True)
class Hook:
    """The tensors on the module's device are kept until its device or type changes: offloading moves modules.

    `read` gives the module's weight as matrices of some of its inputs; it is called once, when the module first runs.
    So is `bias` read: while hooks run, offloading may have emptied the module's own. `channels_second`: the channels of
    the outputs are axis 1, not the last one. `_downs` are the products to take one after the other, the first of which
    is for all patches without a core.
    """

    structured: tuple[IndexedPatch, ...]
    factors: tuple[IndexedPatch, ...]
    shifts: tuple[IndexedPatch, ...]
    weights: AdapterWeights
    read: Read
    bias: ParamHandle | None
    channels_second: bool
    _device_and_types: tuple[Any, Any, Any] | None = None
    _version: int = -1
    _additions: list[Addition] = field(default_factory=list)
    _downs: list[tuple[Tensor, Tensor | None]] = field(default_factory=list)
    _up: Tensor | None = None
    _by_batch: dict[int, _RowWeights] = field(default_factory=dict)

    def __call__(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], y: Tensor) -> Tensor:
        inputs: Tensor = args[0] if args else next(iter(kwargs.values()))
        # Where the module is offloaded, only the module itself has its first inputs on the right device.
        x = inputs.to(y.device)
        if self._device_and_types != (y.device, x.dtype, y.dtype):
            self._move(module, x, y)
        if self._version != self.weights.version:
            self._apply_weights()
        (ranks, shift, amounts), own = self._weights_of(module, x), y
        for addition, amount in zip(self._additions, amounts, strict=True):
            # Of the module's own outputs, whatever others have added.
            y = y + addition(module, x.to(y.dtype), own, amount)
        if self._up is not None:
            products = [product(module, x, down, mid, self.channels_second) for down, mid in self._downs]
            inner = _concatenate(products, 1 if self.channels_second else -1)
            if ranks is not None:
                inner = inner * broadcast(ranks, inner, self.channels_second)
            y = self._add(inner.to(y.dtype), self._up.to(y.dtype), y)
        return y if shift is None else y.add_(broadcast(shift, y, self.channels_second))

    def _weights_of(self, module: Any, x: Tensor) -> _RowWeights:
        rows = self.weights.rows
        if rows is None:
            return self._by_batch[1]
        tokens = self.weights.tokens.get(module)
        batch = tokens.batch if tokens is not None else len(x) if x.dim() > 1 else 0
        # With guidance, the batch has each image's row twice.
        if batch not in (len(rows), 2 * len(rows)):
            raise NotPerRow("These LoRAs can't take several weights in one batch. Generate the images one by one.")
        if batch not in self._by_batch:
            # A copy to a GPU waits for it, so that it is made once and not for each call.
            self._by_batch[batch] = self._per_row([*rows] * (batch // len(rows)))
        found = self._by_batch[batch]
        if tokens is None:
            return found
        at = tokens.rows.to(x.device)
        ranks, shift = (None if each is None else each[at] for each in (found.ranks, found.shift))
        return _RowWeights(ranks, shift, tuple(each[at] for each in found.amounts))

    def _move(self, module: Any, x: Tensor, y: Tensor) -> None:
        """Moves the first factors, in the type that the module computes in, and reads what additions need."""
        import torch

        factors = [live.factors for _, live in self.factors]
        downs = [each.parts["down"].to(x.device, x.dtype) for each in factors]
        mids = [each.parts["mid"].to(x.device, x.dtype) for each in factors if each.has("mid")]
        plain = len(downs) - len(mids)
        self._downs = [(_concatenate(downs[:plain], 0), None)] if plain else []
        self._downs += zip(downs[plain:], mids, strict=True)
        with torch.inference_mode(False), torch.no_grad():
            self._additions = [
                addition_of(patch, module, self.read, self.bias, y, self.channels_second)
                for _, patch in self.structured
            ]
        self._device_and_types, self._version = (x.device, x.dtype, y.dtype), -1

    def _apply_weights(self) -> None:
        """Multiplies the last factors by the weights and the files' own scales once, not again for every token. They
        are moved for that anew: a device has not room for both.
        """
        import torch

        assert self._device_and_types is not None
        device, dtype, _ = self._device_and_types
        self._by_batch.clear()
        scales = [live.factors.scale for _, live in self.factors for _ in range(live.rank)]
        columns, self._up = torch.tensor([scales], device=device, dtype=torch.float32), None
        if self.weights.rows is None:
            own = self._per_row([self.weights.weights])
            assert own.ranks is not None
            columns, self._by_batch[1] = columns * own.ranks, own._replace(ranks=None)
        ups = [live.factors.parts["up"].to(device) for _, live in self.factors]
        self._up = (_concatenate(ups, 1).float() * columns).to(dtype) if ups else None
        self._version = self.weights.version

    def _per_row(self, rows: Sequence[Sequence[float]]) -> _RowWeights:
        import torch

        assert self._device_and_types is not None
        device, dtype, _ = self._device_and_types
        ranks = [[row[index] for index, live in self.factors for _ in range(live.rank)] for row in rows]
        shift = None
        if self.shifts:
            weights = torch.tensor([[row[index] for index, _ in self.shifts] for row in rows], device=device)
            shifts = torch.stack([live.factors.parts["diff_b"] for _, live in self.shifts]).to(device)
            shift = (weights @ shifts).to(dtype)
        return _RowWeights(
            ranks=torch.tensor(ranks, device=device, dtype=torch.float32),
            shift=shift,
            amounts=tuple(torch.tensor([row[index] for row in rows], device=device) for index, _ in self.structured),
        )

    def _add(self, inner: Tensor, up: Tensor, y: Tensor) -> Tensor:
        """y + up(inner), in place where the memory of y allows it: y is a new tensor, and the largest one here."""
        if not y.is_contiguous():
            return y + times(up, inner, self.channels_second)
        if self.channels_second:
            y.view(*y.shape[:2], -1).baddbmm_(up.expand(len(y), -1, -1), inner.reshape(*inner.shape[:2], -1))
        else:
            y.view(-1, y.shape[-1]).addmm_(inner.reshape(-1, inner.shape[-1]), up.t())
        return y


def _concatenate(values: Sequence[Tensor], axis: int) -> Tensor:
    import torch

    return values[0] if len(values) == 1 else torch.cat(list(values), axis)
