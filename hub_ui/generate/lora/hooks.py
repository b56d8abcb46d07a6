"""Low-rank patches added to what a module gives, while it runs: y + weight * (up(down(x)) + shift).

One hook serves a module, however many LoRAs are on it: their factors are joined into one `down` and one `up`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from connectors.errors import PreviewError
from hub_ui.generate.lora.patch import LowRankPatch, rank_of

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.utils.hooks import RemovableHandle

Numbered = tuple[int, LowRankPatch]


class NotPerRow(PreviewError):
    """Something here can't take a weight of its own for each picture of a batch: draw them one by one."""


@dataclass(kw_only=True)
class AdapterWeights:
    """The weights that all hooks of a pipeline look at: one for each LoRA, or a row of them for each picture.

    `turn` counts the changes, so that a hook knows when what it has made of them is old.
    """

    weights: tuple[float, ...] = ()
    rows: tuple[tuple[float, ...], ...] | None = None
    turn: int = 0

    def set(self, weights: Sequence[float], rows: Sequence[Sequence[float]] | None = None) -> None:
        self.weights = tuple(weights)
        self.rows = None if rows is None else tuple(tuple(row) for row in rows)
        self.turn += 1


def attach(module: nn.Module, patches: Sequence[Numbered], dial: AdapterWeights) -> RemovableHandle:
    """The patches of one module, each with the number of its LoRA on the dial."""
    factored = [(number, live) for number, live in patches if live.down is not None]
    # Those with a core last: the ranks of the others are joined into one product.
    factored.sort(key=lambda pair: pair[1].mid is not None)
    shifts = [(number, live) for number, live in patches if live.shift is not None]
    return module.register_forward_hook(
        Hook(factored=tuple(factored), shifts=tuple(shifts), dial=dial, spatial=_is_spatial(module)), with_kwargs=True
    )


def _is_spatial(module: nn.Module) -> bool:
    """Whether channels are the second axis of what it gives, not the last one."""
    from torch import nn

    return isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.GroupNorm)


@dataclass(kw_only=True)
class Hook:
    """What is made of the patches for a device and a type stays until either changes: offloading moves modules.

    `_downs` are products to take one after the other, the first one of all patches without a core.
    """

    factored: tuple[Numbered, ...]
    shifts: tuple[Numbered, ...]
    dial: AdapterWeights
    spatial: bool
    _place: tuple[Any, Any] | None = None
    _turn: int = -1
    _downs: list[tuple[Tensor, Tensor | None]] = field(default_factory=list)
    _ups: Tensor | None = None
    _up: Tensor | None = None
    _shift: Tensor | None = None
    _rows: dict[int, tuple[Tensor, Tensor | None]] = field(default_factory=dict)

    def __call__(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], y: Tensor) -> Tensor:
        given: Tensor = args[0] if args else next(iter(kwargs.values()))
        # Offloading brings the first inputs to the module itself.
        x = given.to(y.device)
        if self._place != (x.device, x.dtype):
            self._move(x)
        if self._turn != self.dial.turn:
            self._weigh()
        columns = shift = None
        if self.dial.rows is not None:
            columns, shift = self._of_rows(len(x) if x.dim() > 1 else 0)
        if self._up is not None:
            y = self._added(self._inner(module, x), columns, self._up, y)
        shift = self._shift if columns is None else shift
        return y if shift is None else y.add_(self._beside(shift, y))

    def _move(self, x: Tensor) -> None:
        """The factors on the module's device: `down` in the type it computes in, `up` in its own till weighed."""

        def there(value: Tensor) -> Tensor:
            return value.to(x.device, x.dtype)

        plain = [there(live.down) for _, live in self.factored if live.mid is None]  # type: ignore[arg-type]
        cored = [(there(live.down), there(live.mid)) for _, live in self.factored if live.mid is not None]  # type: ignore[arg-type]
        self._downs = [*([(_joined(plain, 0), None)] if plain else []), *cored]
        ups = [live.up.to(x.device) for _, live in self.factored]  # type: ignore[union-attr]
        self._ups = _joined(ups, 1) if ups else None
        self._place, self._turn = (x.device, x.dtype), -1

    def _weigh(self) -> None:
        """What the dial says now, and the files' own scales, worked into the factors: not again for every token."""
        import torch

        assert self._place is not None
        self._rows.clear()
        scales = [live.scale for _, live in self.factored for _ in range(rank_of(live))]
        columns, self._shift = torch.tensor([scales], device=self._place[0], dtype=torch.float32), None
        if self.dial.rows is None:
            weights, self._shift = self._of([self.dial.weights])
            columns = columns * weights
        self._up = None if self._ups is None else (self._ups.float() * columns).to(self._place[1])
        self._turn = self.dial.turn

    def _of(self, rows: Sequence[Sequence[float]]) -> tuple[Tensor, Tensor | None]:
        """[rows, ranks], the weight of every rank in float32; and the shift, [rows, outputs]."""
        import torch

        device, dtype = self._place or ("cpu", torch.float32)
        values = [[row[number] for number, live in self.factored for _ in range(rank_of(live))] for row in rows]
        columns = torch.tensor(values, device=device, dtype=torch.float32)
        if not self.shifts:
            return columns, None
        weights = torch.tensor([[row[number] for number, _ in self.shifts] for row in rows], device=device)
        shifts = torch.stack([live.shift for _, live in self.shifts]).to(device)  # type: ignore[misc]
        return columns, (weights @ shifts).to(dtype)

    def _of_rows(self, batch: int) -> tuple[Tensor, Tensor | None]:
        """The same for each row that the module sees: guidance puts the pictures' rows there twice."""
        found = self._rows.get(batch)
        if found is None:
            rows = self.dial.rows or ()
            if batch not in (len(rows), 2 * len(rows)):
                raise NotPerRow("These LoRAs can't take several weights in one batch. Draw the pictures one by one.")
            found = self._rows[batch] = self._of([*rows] * (batch // len(rows)))
        return found

    def _inner(self, module: Any, x: Tensor) -> Tensor:
        """The inputs in the ranks of all patches."""
        return _joined(
            [_product(module, x, down, mid, self.spatial) for down, mid in self._downs], 1 if self.spatial else -1
        )

    def _added(self, inner: Tensor, columns: Tensor | None, up: Tensor, y: Tensor) -> Tensor:
        """y + up(inner), into y itself where its memory allows: it is fresh, and the largest thing here."""
        import torch

        if columns is not None:
            inner = inner * self._beside(columns, inner)
        inner = inner.to(y.dtype)
        if not self.spatial:
            flat = y.view(-1, y.shape[-1]) if y.is_contiguous() else None
            if flat is None:
                return y + torch.nn.functional.linear(inner, up.to(y.dtype))
            flat.addmm_(inner.reshape(-1, inner.shape[-1]), up.to(y.dtype).t())
            return y
        if y.is_contiguous():
            y.view(*y.shape[:2], -1).baddbmm_(
                up.to(y.dtype).expand(len(y), -1, -1), inner.reshape(*inner.shape[:2], -1)
            )
            return y
        return y + torch.einsum("or,br...->bo...", up.to(y.dtype), inner)

    def _beside(self, rows: Tensor, value: Tensor) -> Tensor:
        """[rows, channels] shaped so that it multiplies or adds to `value`."""
        between = (1,) * (value.dim() - 2)
        return rows.view(len(rows), -1, *between) if self.spatial else rows.view(len(rows), *between, -1)


def _product(module: Any, x: Tensor, down: Tensor, mid: Tensor | None, spatial: bool) -> Tensor:
    """Convolutions keep the module's own stride, padding and way to pad, at whichever of the two has its window."""
    import torch

    if not spatial:
        return torch.nn.functional.linear(x, down)
    if mid is None:
        inner: Tensor = module._conv_forward(x, down, None)
        return inner
    narrow = torch.einsum("ri,bi...->br...", down.flatten(1), x)
    cored: Tensor = module._conv_forward(narrow, mid, None)
    return cored


def _joined(values: Sequence[Tensor], axis: int) -> Tensor:
    import torch

    return values[0] if len(values) == 1 else torch.cat(list(values), axis)
