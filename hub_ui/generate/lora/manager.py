"""The LoRAs of a loaded pipeline: hooks add patches while modules run, or patches are merged (see merge.py)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from connectors.errors import DoesNotFit
from hub_ui.base.i18n import _
from hub_ui.generate.lora.algorithms import is_peft
from hub_ui.generate.lora.blocks import module_factors
from hub_ui.generate.lora.hooks import AdapterWeights, NotPerRow, attach, follow_tokens
from hub_ui.generate.lora.load import LoraCache, LoraPatches, check_halves, identity, load_patches
from hub_ui.generate.lora.merge import ModuleChange, Originals, choose_merged, expand_input
from hub_ui.generate.lora.module_names import names_of
from hub_ui.generate.lora.modules import ModuleKey, components, model_of
from hub_ui.generate.lora.parameters import ParamHandle, is_quantised, param_handles
from hub_ui.generate.lora.patch import Patch, takes_factors
from hub_ui.generate.lora.structured import columns, dequantise, form_of
from hub_ui.generate.request import LoraInput
from hub_ui.generate.result import Coverage

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle


class AdapterManager:
    """The adapters of one pipeline. `disable` restores all changes bit for bit.

    `device` is the device that the pipeline computes on. Weights are merged there even if they are offloaded.
    """

    def __init__(self, pipe: Any, architecture: str, cache: LoraCache, device: str | None = None) -> None:
        self._parts = components(pipe)
        model = model_of(pipe)
        self._names = names_of(model, architecture)
        self._architecture = architecture
        self._kind = architecture, hash(tuple((name, frozenset(shapes.items())) for name, shapes in model.items()))
        self._cache = cache
        self._handles: dict[ModuleKey, Mapping[str, ParamHandle]] = {}
        self._quantised: dict[ModuleKey, bool] = {}
        self._weights = AdapterWeights()
        self._on: tuple[LoraPatches, ...] = ()
        # The weights of `AdapterWeights`: each is an adapter's weight times a factor, stored as (adapter, factor).
        self._slots: tuple[tuple[int, float], ...] = ()
        self._patches: dict[ModuleKey, tuple[tuple[int, Patch], ...]] = {}
        self._hooks: list[tuple[ModuleKey, RemovableHandle]] = []
        self._hooked: tuple[tuple[int, ...], frozenset[ModuleKey]] = (), frozenset()
        # The steps of the next images, while merging may be faster. 0 means: merge only if hooks are not possible.
        self._merge_steps: float = 0
        self._merged: frozenset[ModuleKey] = frozenset()
        self._originals = Originals(device)
        self._input_restorers: list[Callable[[], None]] = []

    def set_adapters(self, adapters: Sequence[LoraInput]) -> tuple[Coverage, ...]:
        """Replace all adapters, and return the coverage of each, in order.

        Raises DoesNotFit for a file without any effect, and then keeps the previous adapters.
        """
        check_halves(adapters, self._architecture, self._names.sizes)
        files = []
        factors = [module_factors(adapter, self._names.sizes, self._architecture) for adapter in adapters]
        for adapter in adapters:
            key = (identity(adapter), self._kind)
            if key not in self._cache:
                self._cache[key] = load_patches(adapter, self._parts, self._names)
            files.append(self._cache[key])
        self.disable()
        with self._disable_on_error():
            self._add(files, factors)
            self.set_weights([adapter.weight for adapter in adapters])
        return tuple(replace(file.coverage, title=adapter.title) for adapter, file in zip(adapters, files, strict=True))

    def set_weights(self, weights: Sequence[float]) -> None:
        """Set the weights of the current adapters. If all weights are 0, the pipeline is the base alone."""
        self._set(self._spread(weights))

    def disable(self) -> None:
        """Remove all adapters and restore the base."""
        self._remove_hooks()
        self._originals.restore_all()
        for restore in reversed(self._input_restorers):
            restore()
        self._input_restorers.clear()
        self._on, self._slots, self._patches, self._merged = (), (), {}, frozenset()
        self._weights.set(())

    @property
    def needs_control_image(self) -> bool:
        """Whether a control LoRA has expanded the network's input."""
        return bool(self._input_restorers)

    @property
    def components(self) -> frozenset[str]:
        """The components that these adapters change."""
        return frozenset(component for component, _ in self._patches)

    @property
    def hooked_components(self) -> frozenset[str]:
        """The components that have hooks now."""
        return frozenset(component for (component, _), _ in self._hooks)

    @property
    def supports_row_weights(self) -> bool:
        """Whether each image of a batch can have its own weights."""
        return all(self._can_hook(at, patch) for at, patches in self._patches.items() for _, patch in patches)

    @property
    def application(self) -> frozenset[str]:
        """How the active adapters are applied: "merged", "hooked" or both. Empty for the base alone."""
        return frozenset(way for way, modules in (("merged", self._merged), ("hooked", self._hooks)) if modules)

    @contextmanager
    def row_weights(self, weights: Sequence[Sequence[float]]) -> Iterator[None]:
        """Give image i of a batch weights[i], with one weight per adapter, until the end of the context.

        Raises NotPerRow if the adapters don't support this. The pipeline may raise NotPerRow as well.
        """
        if not self.supports_row_weights:
            raise NotPerRow(_("These LoRAs change weights as a whole. Generate the images one by one."))
        rows = [self._spread(row) for row in weights]
        before, outer = self._weights.weights, self._weights.rows
        try:
            self._set_rows(before, rows)
            with follow_tokens(self._parts.values(), self._weights.tokens) if outer is None else nullcontext():
                yield
        finally:
            # Contexts may be nested, because a text encoder may run for a single row within a batch.
            self._set_rows(before, outer) if outer is not None else self._set(before)

    @contextmanager
    def merge(self, steps: int | None = None) -> Iterator[None]:
        """Merge patches until the end of the context if that is faster for images of `steps` steps.

        None stands for any number of steps. This also applies to weights that are set within the context.
        """
        self._merge_steps = math.inf if steps is None else steps
        try:
            self._apply()
            yield
        finally:
            self._merge_steps = 0
            self._apply()

    def _set(self, weights: Sequence[float]) -> None:
        self._weights.set(weights)
        self._apply()

    def _set_rows(self, before: Sequence[float], rows: Sequence[Sequence[float]]) -> None:
        with self._disable_on_error():
            self._merged = frozenset()
            self._originals.restore_all()
            if len({tuple(row) for row in rows}) == 1:
                # Compute the same bits as in a separate call, because the outputs of text encoders are cached.
                self._weights.set(rows[0])
            else:
                self._weights.set(before, rows)
            self._hook(tuple(number for number in range(len(self._slots)) if any(row[number] != 0 for row in rows)))

    def _choose_merged(self) -> frozenset[ModuleKey]:
        """Return the modules to merge. All patches of a module are merged, so that hooks read its original weight."""
        required: dict[ModuleKey, ModuleChange] = {}
        optional: dict[ModuleKey, ModuleChange] = {}
        for at, patches in self._patches.items():
            active = [patch for number, patch in patches if self._weights.weights[number] != 0]
            if not active or self._is_quantised(at):
                continue
            # Use the shape from the time of loading, because a control LoRA may have expanded the module since.
            shape, itemsize = self._names.sizes[at[0]][at[1]], self._params(at)["weight"].parameter.element_size()
            change = ModuleChange(shape=shape, itemsize=int(itemsize), patches=active)
            if not all(self._can_hook(at, patch) for patch in active):
                required[at] = change
            # Don't merge into a text encoder: it runs once per prompt, and batches use its cached outputs too.
            elif not at[0].startswith("text_encoder") and not all(self._has_to_hook(at, patch) for patch in active):
                optional[at] = change
        chosen = choose_merged(required, optional, self._merge_steps) if self._merge_steps else frozenset()
        return frozenset(required) | chosen

    def _spread(self, weights: Sequence[float]) -> tuple[float, ...]:
        """Return the weights of all slots for one weight per adapter."""
        if len(weights) != len(self._on):
            raise ValueError(f"{len(weights)} weights for {len(self._on)} adapters")
        return tuple(weights[number] * factor for number, factor in self._slots)

    def _add(self, files: Sequence[LoraPatches], factors: Sequence[Mapping[ModuleKey, float]]) -> None:
        inputs = {at: width for file in files for at, width in file.inputs.items()}
        for at, width in inputs.items():
            self._input_restorers.append(expand_input(self._parts, at, width))
        patches: defaultdict[ModuleKey, list[tuple[int, Patch]]] = defaultdict(list)
        slots = {(number, 1.0): number for number in range(len(files))}
        for number, file in enumerate(files):
            for at, module_patches in file.patches.items():
                factor = factors[number].get(at, 1.0)
                slot = slots.setdefault((number, factor), len(slots))
                for patch in module_patches if factor else ():
                    if self._is_quantised(at) and not self._can_hook(at, patch):
                        text = _(
                            "One of these LoRAs changes weights in a way that a quantised base can't take. "
                            "Choose the base in full precision (--quality full)."
                        )
                        raise DoesNotFit(text)
                    if at in inputs:
                        # Other LoRAs have no factors for the new inputs of a control LoRA.
                        if not patch.is_low_rank:
                            text = _(
                                "One of these LoRAs can't be put on together with a control LoRA. Choose one of them."
                            )
                            raise DoesNotFit(text)
                        patch = patch.wider(inputs[at])
                    patches[at].append((slot, patch))
        self._on, self._slots = tuple(files), tuple(slots)
        self._patches = {at: tuple(module_patches) for at, module_patches in patches.items()}

    def _apply(self) -> None:
        with self._disable_on_error():
            self._merged = self._choose_merged()
            self._hook(tuple(number for number, weight in enumerate(self._weights.weights) if weight != 0))
            for at, patches in self._patches.items():
                merged = [
                    (patch, self._weights.weights[number])
                    for number, patch in patches
                    if at in self._merged and not self._has_to_hook(at, patch)
                ]
                if merged or len(self._originals):
                    self._originals.merge(self._params(at), merged)

    def _can_hook(self, at: ModuleKey, patch: Patch) -> bool:
        """Return whether a patch can be added to its module's outputs instead of being merged into its weight."""
        if patch.is_low_rank:
            return True
        shape, param = self._names.sizes[at[0]][at[1]], self._params(at)["weight"]
        if not takes_factors(param.module):
            return False
        if form_of(patch, shape) is not None:
            return True
        # A DoRA of PEFT is not linear in the weight, so its matrix at weight 1 can't be scaled.
        return self._is_quantised(at) and len(shape) == 2 and not is_peft(patch.factors.keys, "magnitude")

    def _has_to_hook(self, at: ModuleKey, patch: Patch) -> bool:
        return patch.is_low_rank and patch.factors.has("diff_b") and "bias" not in self._params(at)

    def _hook(self, wanted: tuple[int, ...]) -> None:
        """Attach hooks for these slots only, so that a slot with weight 0 costs no time and adds no rounding."""
        if (wanted, self._merged) == self._hooked:
            return
        self._remove_hooks()
        for at, patches in self._patches.items():
            active = [
                (number, patch)
                for number, patch in patches
                if number in wanted and (at not in self._merged or self._has_to_hook(at, patch))
            ]
            if active:
                params = self._params(at)
                read = dequantise if self._is_quantised(at) else partial(columns, params["weight"])
                hook = attach(params["weight"].module, active, self._weights, read, params.get("bias"))
                self._hooks.append((at, hook))
        self._hooked = wanted, self._merged

    def _remove_hooks(self) -> None:
        for _module, handle in self._hooks:
            handle.remove()
        self._hooks.clear()
        self._hooked = (), frozenset()

    def _is_quantised(self, at: ModuleKey) -> bool:
        if at not in self._quantised:
            weight = self._params(at)["weight"]
            self._quantised[at] = is_quantised(weight.module, weight.name)
        return self._quantised[at]

    def _params(self, at: ModuleKey) -> Mapping[str, ParamHandle]:
        if at not in self._handles:
            self._handles[at] = param_handles(self._parts[at[0]], at[1])
        return self._handles[at]

    @contextmanager
    def _disable_on_error(self) -> Iterator[None]:
        """Disable all adapters if an error occurs, because a partial change would give a wrong image."""
        with ExitStack() as undo:
            undo.callback(self.disable)
            yield
            undo.pop_all()
