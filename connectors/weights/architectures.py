"""The network that a LoRA's layers belong to: the first of the rules of connectors/architectures.toml that holds.

Its published sizes, in connectors/base_models.toml, have to fit too. A file with a network's layer names but not its
size is for another one, maybe a newer one unknown here.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from connectors.claims import read_tables
from connectors.claims.base_models import BASE_MODELS, TABLES, Network
from connectors.weights.key_formats import LayerShapes

_FILE = read_tables("architectures.toml")
_STREAMS: str = _FILE["layers"]["streams"]["last"]
_LAYERS: Mapping[str, Mapping[str, str]] = {
    kind: {**names, "last": names.get("last", "").replace("{streams}", _STREAMS)}
    for kind, names in _FILE["layers"].items()
}


class Conditions(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"has_any": "any", "has_all": "all", "has_none": "none"},
):
    """Those of a row of the table, which explains them."""

    has_any: tuple[str, ...] = ()
    has_all: tuple[str, ...] = ()
    has_none: tuple[str, ...] = ()
    matches: str = ""
    width: Mapping[str, frozenset[int]] = {}
    not_width: Mapping[str, frozenset[int]] = {}
    other_width: Mapping[str, frozenset[int]] = {}
    no_width: tuple[str, ...] = ()
    output: Mapping[str, frozenset[int]] = {}
    not_output: Mapping[str, frozenset[int]] = {}
    other_output: Mapping[str, frozenset[int]] = {}
    no_output: tuple[str, ...] = ()
    convolution: bool | None = None
    blocks: Mapping[str, int] = {}
    last_is: Mapping[str, int] = {}
    last_block: Mapping[str, int] = {}
    without: frozenset[str] = frozenset()
    encoder: Mapping[str, int] = {}
    begins: str = ""
    writes: tuple[str, ...] = ()
    by_trainer: bool | None = None
    either: "tuple[Conditions, ...]" = ()

    def hold(self, seen: LayerShapes) -> bool:
        return (
            (not self.has_any or any(map(seen.has, self.has_any)))
            and all(map(seen.has, self.has_all))
            and not any(map(seen.has, self.has_none))
            and (not self.matches or seen.matches(self.matches))
            and all(not widths.isdisjoint(_widths(seen, kind)) for kind, widths in self.width.items())
            and all(widths.isdisjoint(_widths(seen, kind)) for kind, widths in self.not_width.items())
            and all(not _widths(seen, kind) <= widths for kind, widths in self.other_width.items())
            and not any(_widths(seen, kind) for kind in self.no_width)
            and all(not widths.isdisjoint(_outputs(seen, kind)) for kind, widths in self.output.items())
            and all(widths.isdisjoint(_outputs(seen, kind)) for kind, widths in self.not_output.items())
            and all(not _outputs(seen, kind) <= widths for kind, widths in self.other_output.items())
            and not any(_outputs(seen, kind) for kind in self.no_output)
            and (self.convolution is None or seen.is_convolution("proj_in") is self.convolution)
            and all(seen.blocks(container) == set(range(number)) for container, number in self.blocks.items())
            and all(seen.last(container) == number for container, number in self.last_is.items())
            and all(seen.last(container) >= number for container, number in self.last_block.items())
            and self.without.isdisjoint(seen.containers)
            and all(width in seen.encoder_widths(word) for word, width in self.encoder.items())
            and (not self.begins or seen.encoders_begin(self.begins))
            and (not self.writes or seen.writes(*self.writes))
            and (self.by_trainer is None or self.by_trainer == _is_by_trainer(seen))
            and (not self.either or any(each.hold(seen) for each in self.either))
        )


class Rule(Conditions, frozen=True, kw_only=True, rename={"architectures": "is"}):
    """A row of the table.

    Several `architectures` remain where names can't decide, and the `usual` one is then what most files are for, if
    there is such a one. None remains where the network is known to be unsupported. Without `is_proof`, a network that
    generates no images may have the same layers.
    """

    architectures: tuple[str, ...]
    within: frozenset[str]
    usual: str | None = None
    is_proof: bool = True

    def fits(self, seen: LayerShapes) -> bool:
        if self.within.isdisjoint(seen.containers) if self.within else seen.containers:
            return False
        return self.hold(seen)


def _widths(seen: LayerShapes, kind: str) -> set[int]:
    return seen.widths(**_LAYERS[kind])


def _outputs(seen: LayerShapes, kind: str) -> set[int]:
    return seen.outputs(_LAYERS[kind]["last"])


def _is_by_trainer(seen: LayerShapes) -> bool:
    return not seen.formats.isdisjoint(("kohya", "ai-toolkit", "lycoris", "onetrainer"))


def _read_rule(row: Mapping[str, Any]) -> Rule:
    architectures = _names(row["is"], "networks")
    usual = architectures[0] if row.get("usual") else None
    full = {**_read_conditions(row), "is": architectures, "usual": usual}
    return msgspec.convert(full, Rule)


def _read_conditions(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """With the lists that they name."""
    words = {key: _FILE["words"][row[key]] for key in ("any", "all", "none") if isinstance(row.get(key), str)}
    containers = {key: _names(row[key], "containers") for key in ("within", "without") if key in row}
    ways = _FILE["either"].get(row["either"]) if isinstance(row.get("either"), str) else row.get("either", [])
    return {**row, **words, **containers, "either": [_read_conditions(way) for way in ways]}


def _names(text: str, lists: str) -> list[str]:
    return [name for word in text.split() for name in _FILE[lists].get(word, word).split()]


RULES: tuple[Rule, ...] = tuple(map(_read_rule, _FILE["rules"]["table"]))


def rule_for(seen: LayerShapes) -> Rule | None:
    """The first matching rule, with those of its architectures that have the right size; None for unknown layers."""
    rule = next((rule for rule in RULES if rule.fits(seen)), None)
    if rule is None:
        return None
    likely = possible(rule.architectures, seen)
    # What has blocks of one stream alone is a selection, so it may be one of a larger network's.
    is_selection = bool(likely) and not is_whole(likely, seen)
    left = possible(rule.architectures, seen, is_selection=True) if is_selection else likely
    usual = left[0] if len(left) == 1 else rule.usual if rule.usual in likely else None
    return msgspec.structs.replace(rule, architectures=left, usual=usual)


# Fewer blocks are a selection, or an example.
_FEWEST = 4


def possible(architectures: tuple[str, ...], seen: LayerShapes, *, is_selection: bool = False) -> tuple[str, ...]:
    """The architectures with a published size that the layers don't contradict.

    `is_selection`: blocks may be missing, so that a network may have more of them.
    """
    is_selection = is_selection or seen.is_excerpt
    by_name = {name: _networks(name) for name in architectures}
    return tuple(
        name
        for name, networks in by_name.items()
        if not networks or any(_fits(each, seen, is_selection) for each in networks)
    )


def _networks(architecture: str) -> tuple[Network, ...]:
    """Its published sizes; none for an architecture whose sizes are not known."""
    known = TABLES.architectures.get(architecture)
    return known.network if known else ()


def is_whole(architectures: tuple[str, ...], seen: LayerShapes) -> bool:
    """Whether one of them has no other kind of blocks, double or single, than those that are here."""
    by_name = [_networks(name) for name in architectures]
    return not all(by_name) or any(
        _kinds(each.blocks) == _kinds(filter(seen.blocks, each.blocks)) for networks in by_name for each in networks
    )


def _kinds(containers: Iterable[str]) -> set[bool]:
    return {container.startswith("single") for container in containers}


def _fits(network: Network, seen: LayerShapes, is_selection: bool) -> bool:
    texts = seen.widths(last="context_embedder,txt_in") if network.text else set()
    if texts and network.text not in texts:
        return False
    for container, count in network.blocks.items():
        numbers = seen.blocks(container)
        widths = seen.block_widths.get(container, set()) if numbers else set()
        if widths and network.width not in widths:
            return False
        # All blocks of a smaller network rule this one out. A few of them, or some from here and there, tell nothing.
        highest = max(numbers, default=-1)
        is_smaller = _FEWEST <= highest + 1 == len(numbers) < count and not is_selection
        if count and (highest >= count or is_smaller):
            return False
    return True


def size_of(architecture: str | None, seen: LayerShapes) -> str | None:
    """The base model with the width of the attention, where models of the architecture differ in width."""
    sizes = {model.width: model.id for model in BASE_MODELS if model.width and model.architecture == architecture}
    widths = sizes.keys() & _widths(seen, "attention") if sizes else set()
    return sizes[max(widths)] if widths else None
