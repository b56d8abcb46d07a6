"""LoRA files on a loaded pipeline: read once, switched by weight, and every tensor accounted for.

Low-rank patches are added while the modules run, so that a weight is changed by turning a dial, and each picture of a
batch can have its own. Everything else is merged: the module gets a new weight, and its own is kept aside.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.errors import DoesNotFit
from hub_ui.generate import memory
from hub_ui.generate.coverage import Coverage
from hub_ui.generate.lora.cache import Cache, Converted, Place, identity
from hub_ui.generate.lora.conversion import converted
from hub_ui.generate.lora.hooks import AdapterWeights, NotPerRow, Numbered, attach
from hub_ui.generate.lora.input_expansion import ExpandedInput, widen
from hub_ui.generate.lora.merge import Originals, pays
from hub_ui.generate.lora.modules import ParamHandle, components, model_of, slots_of, travels
from hub_ui.generate.lora.patch import LowRankPatch, Patch, rank_of
from hub_ui.generate.request import LoraInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch.utils.hooks import RemovableHandle


@dataclass(frozen=True, kw_only=True, slots=True)
class AdapterSwitch:
    """`coverage` has one entry for each adapter, in their order. `control`: the base wants a picture to steer by."""

    coverage: tuple[Coverage, ...]
    seconds: float
    control: bool = False


class AdapterManager:
    """The adapters of one pipeline. Nothing of the pipeline is changed that `off` does not put back bit for bit."""

    def __init__(self, pipe: Any, architecture: str, cache: Cache) -> None:
        self._parts = components(pipe)
        self._model = model_of(pipe)
        self._architecture = architecture
        self._cache = cache
        self._kind = hash(tuple((name, frozenset(shapes.items())) for name, shapes in self._model.items()))
        self._slots: dict[Place, Mapping[str, ParamHandle]] = {}
        self._dial = AdapterWeights()
        self._on: tuple[Converted, ...] = ()
        self._places: dict[Place, tuple[tuple[int, Patch], ...]] = {}
        self._handles: list[RemovableHandle] = []
        self._hooked: tuple[tuple[int, ...], frozenset[Place]] = (), frozenset()
        self._merging: frozenset[Place] = frozenset()
        self._originals = Originals()
        self._widened: list[ExpandedInput] = []

    def switch(self, adapters: Sequence[LoraInput]) -> AdapterSwitch:
        """Makes exactly these take effect, with their weights. The base itself is not loaded anew.

        Raises DoesNotFit for a file of which nothing would; then the ones before stay on.
        """
        start = time.perf_counter()
        files = tuple(self._converted(adapter) for adapter in adapters)
        self.off()
        with self._or_off():
            self._put_on(files)
            self.weigh([adapter.weight for adapter in adapters])
        coverage = tuple(_coverage(adapter, file) for adapter, file in zip(adapters, files, strict=True))
        return AdapterSwitch(coverage=coverage, seconds=time.perf_counter() - start, control=self.control)

    def weigh(self, weights: Sequence[float]) -> None:
        """Other weights for the same adapters. Without any weight, the base draws as if there were no adapters."""
        self._check(weights)
        with self._or_off():
            self._dial.set(weights)
            self._apply()

    def off(self) -> None:
        """The base alone, until the next switch."""
        self._unhook()
        self._originals.restore_all()
        for widened in reversed(self._widened):
            widened.restore()
        self._widened.clear()
        self._on, self._places, self._merging = (), {}, frozenset()
        self._dial.set(())

    def close(self) -> None:
        self.off()

    @property
    def control(self) -> bool:
        """Whether the network's input is widened, so that it draws with a picture to steer by only."""
        return bool(self._widened)

    @property
    def touched(self) -> frozenset[str]:
        """The components of which these adapters change anything."""
        return frozenset(component for component, _ in self._places)

    @property
    def per_row(self) -> bool:
        """Whether each picture of a batch can have weights of its own."""
        live = all(isinstance(patch, LowRankPatch) for patches in self._places.values() for _, patch in patches)
        return live and not self._merging

    @contextmanager
    def rows(self, weights: Sequence[Sequence[float]]) -> Iterator[None]:
        """Within it, picture i of a batch has weights[i], one for each adapter. Drawing, too, may raise NotPerRow."""
        if not self.per_row:
            raise NotPerRow("These LoRAs change weights as a whole. Draw the pictures one by one.")
        for row in weights:
            self._check(row)
        before, outer = self._dial.weights, self._dial.rows
        try:
            self._turn(before, weights)
            yield
        finally:
            # A text encoder may be run for one row alone, in the middle of a batch.
            self._turn(before, outer) if outer is not None else self.weigh(before)

    @contextmanager
    def merged(self, steps: int | None = None) -> Iterator[None]:
        """Within it, what could be added while drawing is merged too, where that is faster for so many steps."""
        try:
            with self._or_off():
                self._merging = self._worth_merging(steps)
                self._apply()
            yield
        finally:
            self._merging = frozenset()
            with self._or_off():
                self._apply()

    def _turn(self, before: Sequence[float], rows: Sequence[Sequence[float]]) -> None:
        self._dial.set(before, rows)
        self._hook(tuple(number for number in range(len(self._on)) if any(row[number] != 0 for row in rows)))

    def _worth_merging(self, steps: int | None) -> frozenset[Place]:
        """Where it saves time, as long as there is room for the weights that are kept aside meanwhile.

        Offloaded weights lie where merging them is slow.
        """
        chosen: set[Place] = set()
        rooms: dict[str, int] = {}
        here = {name for name, part in self._parts.items() if not travels(part)}
        for at, patches in self._places.items():
            if at[0] not in here:
                continue
            weight = self._slots_at(at)["weight"].read()
            rank = sum(rank_of(patch) for number, patch in patches if self._dial.weights[number] != 0)
            kind, size = weight.device.type, weight.numel() * weight.element_size()
            if kind not in rooms:
                rooms[kind] = memory.free_memory(kind) // 2
            if pays(tuple(weight.shape), rank, steps) and size <= rooms[kind]:
                chosen.add(at)
                rooms[kind] -= size
        return frozenset(chosen)

    def _check(self, weights: Sequence[float]) -> None:
        if len(weights) != len(self._on):
            raise ValueError(f"{len(weights)} weights for {len(self._on)} adapters")

    def _converted(self, adapter: LoraInput) -> Converted:
        key = (identity(adapter), self._architecture, self._kind)
        found = self._cache.get(key)
        if found is None:
            found = converted(adapter, self._parts, self._model, self._architecture)
            self._cache.put(key, found)
        return found

    def _put_on(self, files: tuple[Converted, ...]) -> None:
        inputs = {at: width for file in files for at, width in file.inputs.items()}
        for at, width in inputs.items():
            self._widened.append(widen(self._parts, at, width))
        places: defaultdict[Place, list[tuple[int, Patch]]] = defaultdict(list)
        for number, file in enumerate(files):
            for at, patches in file.patches.items():
                places[at] += ((number, _fitted(patch, inputs.get(at))) for patch in patches)
        self._on = files
        self._places = {at: tuple(patches) for at, patches in places.items()}

    def _apply(self) -> None:
        self._hook(tuple(number for number, weight in enumerate(self._dial.weights) if weight != 0))
        for at, patches in self._places.items():
            chosen = [(patch, self._dial.weights[number]) for number, patch in patches if not self._is_added(at, patch)]
            if chosen or len(self._originals):
                self._originals.merge(self._slots_at(at), chosen)

    def _is_added(self, at: Place, patch: Patch) -> bool:
        """Whether a patch is added to what its module gives, or else merged into its weights."""
        if not isinstance(patch, LowRankPatch):
            return False
        return at not in self._merging or (patch.shift is not None and "bias" not in self._slots_at(at))

    def _hook(self, wanted: tuple[int, ...]) -> None:
        """Hooks for these adapters and no others: what has no weight costs nothing, and adds no rounding."""
        if (wanted, self._merging) == self._hooked:
            return
        self._unhook()
        for at, patches in self._places.items():
            live: list[Numbered] = [
                (number, patch)
                for number, patch in patches
                if isinstance(patch, LowRankPatch) and number in wanted and self._is_added(at, patch)
            ]
            if live:
                self._handles.append(attach(self._slots_at(at)["weight"].module, live, self._dial))
        self._hooked = wanted, self._merging

    def _unhook(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._hooked = (), frozenset()

    def _slots_at(self, at: Place) -> Mapping[str, ParamHandle]:
        found = self._slots.get(at)
        if found is None:
            found = self._slots[at] = slots_of(self._parts[at[0]], at[1])
        return found

    @contextmanager
    def _or_off(self) -> Iterator[None]:
        """Half of the adapters on would be a picture that nobody asked for."""
        with ExitStack() as undo:
            undo.callback(self.off)
            yield
            undo.pop_all()


def _fitted(patch: Patch, inputs: int | None) -> Patch:
    """A LoRA beside a control LoRA knows nothing of the inputs that were added."""
    if inputs is None:
        return patch
    if isinstance(patch, LowRankPatch):
        return patch.wider(inputs)
    raise DoesNotFit("One of these LoRAs can't be put on together with a control LoRA. Choose one of them.")


def _coverage(adapter: LoraInput, file: Converted) -> Coverage:
    return Coverage(title=adapter.title, applied=file.applied, total=file.total, missed=file.missed)
