"""A file's tensors as the layers they patch: which parts make one, by which algorithm, and what is left over."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from connectors.facts.suffixes import Part, sort
from hub_ui.preview.adapters.model import Layer, Shape
from hub_ui.preview.coverage import Missed

EMBEDDING = "an embedding bundled with the LoRA, which the preview does not use"
HALF = "of layers whose other half is missing in the file"
STRAY = "that no LoRA algorithm has"
EXPERT = "of a mixture of LoRAs, which the preview can't weigh"
# Control LoRAs of FLUX bring the norms of attention whole, in the names of Black Forest Labs or of diffusers.
_NORM = re.compile(r"\.(?:(?:query|key)_norm(?=\.scale$)|norm_(?:added_)?[qk](?=\.weight$))")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kind:
    """`parts` are those of the algorithm; of each group in `needs` one set has to be complete."""

    algorithm: str
    parts: frozenset[Part]
    needs: tuple[tuple[frozenset[Part], ...], ...]


def _kind(algorithm: str, parts: tuple[Part, ...], *needs: tuple[tuple[Part, ...], ...]) -> _Kind:
    groups = tuple(tuple(frozenset(some) for some in group) for group in needs)
    return _Kind(algorithm=algorithm, parts=frozenset(parts), needs=groups)


_KINDS: tuple[_Kind, ...] = (
    _kind("lora", ("down", "up", "mid", "up_bias"), (("down", "up"),)),
    _kind(
        "loha",
        ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"),
        (("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"),),
    ),
    _kind(
        "lokr",
        ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"),
        (("lokr_w1",), ("lokr_w1_a", "lokr_w1_b")),
        (("lokr_w2",), ("lokr_w2_a", "lokr_w2_b")),
    ),
    _kind("oft", ("oft", "scale"), (("oft",),)),
    _kind("glora", ("a1", "a2", "b1", "b2"), (("a1", "a2", "b1", "b2"),)),
    _kind("ia3", ("ia3", "on_input"), (("ia3",),)),
    _kind("diff", ("diff", "diff_b"), (("diff",), ("diff_b",))),
    _kind("norm", ("w_norm", "b_norm"), (("w_norm",), ("b_norm",))),
    _kind("set", ("set",), (("set",),)),
)
# They say something about a layer, and come with the first algorithm that patches it.
_SHARED: frozenset[Part] = frozenset(("alpha", "magnitude", "reshape"))
_Keys = dict[Part, str]


@dataclass(kw_only=True, slots=True)
class _Leftovers:
    """Names of tensors by the reason why they are of no use."""

    by_reason: dict[str, list[str]] = field(default_factory=dict)

    def put(self, reason: str, *keys: str) -> None:
        if keys:
            self.by_reason.setdefault(reason, []).extend(keys)

    def missed(self) -> tuple[Missed, ...]:
        return tuple(Missed(reason=reason, keys=tuple(keys)) for reason, keys in self.by_reason.items())


def layers_of(shapes: Mapping[str, Shape]) -> tuple[tuple[Layer, ...], tuple[Missed, ...]]:
    """The layers of a file, and the tensors that belong to none. Together they are all of the file."""
    sorted_names = sort({name: name for name in shapes})
    by_layer: dict[str, _Keys] = {}
    for part, names in sorted_names.parts.items():
        for layer, key in names.items():
            by_layer.setdefault(layer, {})[part] = key
    layers: list[Layer] = []
    left = _Leftovers()
    for name, keys in by_layer.items():
        layers.extend(_layers(name, keys, shapes, left))
    known = {key for keys in by_layer.values() for key in keys.values()}
    layers.extend(_beside((key for key in shapes if key not in known), set(sorted_names.others), left))
    return tuple(layers), left.missed()


def _layers(name: str, keys: _Keys, shapes: Mapping[str, Shape], left: _Leftovers) -> Iterator[Layer]:
    shared = {part: key for part, key in keys.items() if part in _SHARED}
    for kind in _KINDS:
        own = {part: key for part, key in keys.items() if part in kind.parts}
        if not own:
            continue
        if not _is_whole(kind, own):
            left.put(HALF, *own.values())
            continue
        # A difference is stored as it is: it has no strength of its own.
        taken = {} if kind.algorithm in ("diff", "norm", "set") and len(keys) > len(own) + len(shared) else shared
        shared = {} if taken is shared else shared
        yield _layer(name, kind.algorithm, {**own, **taken}, shapes)
    left.put(HALF, *shared.values())
    left.put(STRAY, *(key for part, key in keys.items() if part == "vision"))
    left.put(EXPERT, *(key for part, key in keys.items() if part == "expert"))


def _is_whole(kind: _Kind, own: _Keys) -> bool:
    present = own.keys()
    if kind.algorithm in ("diff", "norm"):
        return True
    return all(any(some <= present for some in group) for group in kind.needs)


def _layer(name: str, algorithm: str, keys: _Keys, shapes: Mapping[str, Shape]) -> Layer:
    if algorithm == "oft" and len(shapes[keys["oft"]]) == 4:
        algorithm = "boft"
    return Layer(name=name, algorithm=algorithm, keys=keys, dora="magnitude" in keys)


def _beside(keys: Iterator[str], strays: set[str], left: _Leftovers) -> Iterator[Layer]:
    """What comes with a LoRA without being one. A norm's new values are a layer too."""
    for key in keys:
        if _NORM.search(key):
            yield Layer(name=key.rpartition(".")[0], algorithm="set", keys={"set": key})
        elif key in strays:
            left.put(STRAY, key)
        else:
            left.put(EMBEDDING, key)
