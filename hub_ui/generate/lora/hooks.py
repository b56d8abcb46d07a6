"""Forward hooks that add patches to a module's outputs, one hook per module for all LoRAs.

A hook adds the patches of structured.py, then all low-rank patches together: y + weight * (up(down(x)) + shift).

Each row of a batch may have its own weights. In most modules the first axis of an input is the batch. Some modules get
the tokens of all images one after another; for these, `TokenRows` stores the row of each token.
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
    """The batch row of each token.

    `rows` has one entry per token, or per position on the axes before the channels. `batch` is the number of rows.
    """

    rows: Tensor
    batch: int


# The keys are modules and all of their submodules.
RowsByModule = dict["nn.Module", TokenRows]


@contextmanager
def follow_tokens(parts: Iterable[nn.Module], rows_by_module: RowsByModule) -> Iterator[None]:
    """Fill `rows_by_module` while the networks run, and clear it at the end."""
    with ExitStack() as stack:
        stack.callback(rows_by_module.clear)
        for module in (module for part in parts for module in part.modules()):
            follow = _FOLLOWERS.get(type(module).__name__)
            if follow is not None:
                stack.callback(follow(module, rows_by_module))
        yield


def _follow_krea2(module: Any, rows_by_module: RowsByModule) -> Callable[[], None]:
    """Follow Krea 2, which fuses the text encoder's layers token by token."""

    def before(_: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        states: Tensor = args[0] if args else kwargs["encoder_hidden_states"]
        _store(rows_by_module, module.layerwise_blocks, _concatenated_rows([states.shape[1]] * len(states), states))

    return module.register_forward_pre_hook(before, with_kwargs=True).remove  # type: ignore[no-any-return]


def _follow_z_image(module: Any, rows_by_module: RowsByModule) -> Callable[[], None]:
    """Follow Z-Image, which embeds the tokens of all images at once, and of all prompts, whose lengths differ."""
    patchify = module.patchify_and_embed

    def follow(*args: Any, **kwargs: Any) -> Any:
        result = patchify(*args, **kwargs)
        for embedder, values in zip((module.all_x_embedder, module.cap_embedder), result, strict=False):
            _store(rows_by_module, [embedder], _concatenated_rows([len(value) for value in values], values[0]))
        return result

    module.patchify_and_embed = follow
    return lambda: delattr(module, "patchify_and_embed")


def _follow_hidream(module: Any, rows_by_module: RowsByModule) -> Callable[[], None]:
    """Follow HiDream, which sorts tokens by the expert that its gate chooses for each token."""

    def after(_: Any, args: tuple[Any, ...], result: Any) -> None:
        batch, length, _width = args[0].shape
        choices = result[0].view(-1)
        rows = choices.argsort() // module.num_activated_experts // length
        counts = choices.bincount(minlength=len(module.experts)).tolist()
        for expert, piece in zip(module.experts, rows.split(counts), strict=True):
            _store(rows_by_module, [expert], TokenRows(rows=piece, batch=batch))

    return module.gate.register_forward_hook(after).remove  # type: ignore[no-any-return]


def _follow_ernie_image(module: Any, rows_by_module: RowsByModule) -> Callable[[], None]:
    """Follow ERNIE-Image, which has tokens on the first axis and images on the second, except in attention."""

    def before(_: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        import torch

        states: Tensor = args[0] if args else kwargs["hidden_states"]
        rows = TokenRows(rows=torch.arange(len(states), device=states.device)[None], batch=len(states))
        _store(rows_by_module, [*(layer.mlp for layer in module.layers), module.final_linear], rows)

    return module.register_forward_pre_hook(before, with_kwargs=True).remove  # type: ignore[no-any-return]


_FOLLOWERS: Mapping[str, Callable[[Any, RowsByModule], Callable[[], None]]] = {
    "ErnieImageTransformer2DModel": _follow_ernie_image,
    "Krea2TextFusion": _follow_krea2,
    "MOEFeedForwardSwiGLU": _follow_hidream,
    "ZImageTransformer2DModel": _follow_z_image,
}


def _concatenated_rows(lengths: Sequence[int], like: Tensor) -> TokenRows:
    import torch

    rows = torch.arange(len(lengths), device=like.device)
    return TokenRows(rows=rows.repeat_interleave(torch.tensor(lengths, device=like.device)), batch=len(lengths))


def _store(rows_by_module: RowsByModule, modules: Iterable[nn.Module], rows: TokenRows) -> None:
    rows_by_module.update((submodule, rows) for module in modules for submodule in module.modules())


# The index of a patch's weight in `AdapterWeights`, and the patch.
IndexedPatch = tuple[int, Patch]


class NotPerRow(PreviewError):
    """LoRAs or a base that can't have different weights in one batch: generate the images one by one."""


@dataclass(kw_only=True)
class AdapterWeights:
    """The weights that all hooks of a pipeline read, either the same for all images or one row for each image.

    `version` counts changes. `tokens` contains the modules whose first axis is not the batch.
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
    # Sort patches with a core to the end, because the factors of all other patches are concatenated.
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
    """The weights for each row of a batch, or one row for all.

    `ranks` has the weight of every rank [rows, ranks] in float32, or is None if the `up` factors include the weights.
    `shift` is the sum of the shifts [rows, outputs]. `amounts` has the weight [rows] of each structured patch.
    """

    ranks: Tensor | None
    shift: Tensor | None
    amounts: tuple[Tensor, ...]


@dataclass(kw_only=True)
class Hook:
    """A forward hook that adds all patches of one module to its outputs.

    It caches tensors on the module's device until the device or the type changes, because offloading moves modules. It
    then calls `read`, which yields the module's weight some inputs at a time, and reads `bias` by its handle, because
    offloading may have emptied the module's parameter. `channels_second` means that the channels of the outputs are
    axis 1, not the last axis. `_downs` has pairs of `down` and `mid`; its first pair joins all patches without a core.
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
        # accelerate and diffusers move an offloaded module's inputs inside `forward`; a hook gets the unmoved inputs.
        x = inputs.to(y.device)
        if self._device_and_types != (y.device, x.dtype, y.dtype):
            self._move(module, x, y)
        if self._version != self.weights.version:
            self._apply_weights()
        ranks, shift, amounts = self._weights_of(module, x)
        base_outputs = y
        for addition, amount in zip(self._additions, amounts, strict=True):
            y = y + addition(module, x.to(y.dtype), base_outputs, amount)
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
        # Guidance runs each image's row twice in a batch.
        if batch not in (len(rows), 2 * len(rows)):
            raise NotPerRow("These LoRAs can't take several weights in one batch. Generate the images one by one.")
        if batch not in self._by_batch:
            # Copy the weights to the GPU once, not in each call, because the copy waits for the GPU.
            self._by_batch[batch] = self._per_row([*rows] * (batch // len(rows)))
        by_row = self._by_batch[batch]
        if tokens is None:
            return by_row
        token_rows = tokens.rows.to(x.device)
        ranks, shift = (None if value is None else value[token_rows] for value in (by_row.ranks, by_row.shift))
        return _RowWeights(ranks, shift, tuple(amount[token_rows] for amount in by_row.amounts))

    def _move(self, module: Any, x: Tensor, y: Tensor) -> None:
        """Copy `down` and `mid` to the module's device in its compute type, and prepare the structured patches."""
        import torch

        patches = [patch.factors for _, patch in self.factors]
        downs = [factors.parts["down"].to(x.device, x.dtype) for factors in patches]
        mids = [factors.parts["mid"].to(x.device, x.dtype) for factors in patches if factors.has("mid")]
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
        """Multiply `up` by the weights and by the files' scales once, not again for every token.

        This copies `up` to the device each time, because there it would need memory for both versions.
        """
        import torch

        assert self._device_and_types is not None
        device, dtype, _ = self._device_and_types
        self._by_batch.clear()
        scales = [patch.factors.scale for _, patch in self.factors for _ in range(patch.rank)]
        columns, self._up = torch.tensor([scales], device=device, dtype=torch.float32), None
        if self.weights.rows is None:
            for_all = self._per_row([self.weights.weights])
            assert for_all.ranks is not None
            columns, self._by_batch[1] = columns * for_all.ranks, for_all._replace(ranks=None)
        ups = [patch.factors.parts["up"].to(device) for _, patch in self.factors]
        self._up = (_concatenate(ups, 1).float() * columns).to(dtype) if ups else None
        self._version = self.weights.version

    def _per_row(self, rows: Sequence[Sequence[float]]) -> _RowWeights:
        import torch

        assert self._device_and_types is not None
        device, dtype, _ = self._device_and_types
        ranks = [[row[index] for index, patch in self.factors for _ in range(patch.rank)] for row in rows]
        shift = None
        if self.shifts:
            weights = torch.tensor([[row[index] for index, _ in self.shifts] for row in rows], device=device)
            shifts = torch.stack([patch.factors.parts["diff_b"] for _, patch in self.shifts]).to(device)
            shift = (weights @ shifts).to(dtype)
        return _RowWeights(
            ranks=torch.tensor(ranks, device=device, dtype=torch.float32),
            shift=shift,
            amounts=tuple(torch.tensor([row[index] for row in rows], device=device) for index, _ in self.structured),
        )

    def _add(self, inner: Tensor, up: Tensor, y: Tensor) -> Tensor:
        """Return y + up(inner), in place if y is contiguous, because y is a new tensor and the largest of all."""
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
