"""The network that a LoRA's layers belong to: the first matching rule of connectors/architectures.toml.

The published sizes in connectors/base_models.toml must fit too. A file with a network's layer names but another size is
for another network, maybe a newer one that is unknown here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from connectors.claims import read_tables
from connectors.claims.base_models import BASE_MODELS, TABLES, Network
from connectors.weights.key_formats import LayerShapes

_FILE = read_tables("architectures.toml")
_STREAMS: str = _FILE["layers"]["streams"]["last"]
_LAYERS: Mapping[str, Mapping[str, str]] = {
    kind: {**names, "last": names.get("last", "").replace("{streams}", _STREAMS)}
    for kind, names in _FILE["layers"].items()
}


_TRAINERS = ("kohya", "ai-toolkit", "lycoris", "onetrainer")
# A function that checks a condition of a row, with the row's value for it.
_Holds = Callable[[LayerShapes, Any], bool]


def _of_sizes(key: str, measure: Callable[[LayerShapes, str], set[int]]) -> Mapping[str, _Holds]:
    """Return the conditions about widths or outputs, by kinds of layers."""
    return {
        key: lambda shapes, kinds: all(not measure(shapes, kind).isdisjoint(sizes) for kind, sizes in kinds.items()),
        f"not_{key}": lambda shapes, kinds: all(
            measure(shapes, kind).isdisjoint(sizes) for kind, sizes in kinds.items()
        ),
        f"other_{key}": lambda shapes, kinds: all(
            measure(shapes, kind).difference(sizes) for kind, sizes in kinds.items()
        ),
        f"no_{key}": lambda shapes, kinds: not any(measure(shapes, kind) for kind in kinds),
    }


# The conditions by their keys in the table, which explains them.
_CONDITIONS: Mapping[str, _Holds] = {
    "any": lambda shapes, words: any(map(shapes.has, words)),
    "all": lambda shapes, words: all(map(shapes.has, words)),
    "none": lambda shapes, words: not any(map(shapes.has, words)),
    "matches": lambda shapes, pattern: shapes.matches(pattern),
    **_of_sizes("width", lambda shapes, kind: shapes.widths(**_LAYERS[kind])),
    **_of_sizes("output", lambda shapes, kind: shapes.outputs(_LAYERS[kind]["last"])),
    "convolution": lambda shapes, is_one: shapes.is_convolution("proj_in") is is_one,
    "blocks": lambda shapes, counts: all(shapes.blocks(name) == set(range(count)) for name, count in counts.items()),
    "last_is": lambda shapes, numbers: all(shapes.last(name) == number for name, number in numbers.items()),
    "last_block": lambda shapes, numbers: all(shapes.last(name) >= number for name, number in numbers.items()),
    "without": lambda shapes, containers: shapes.containers.isdisjoint(containers),
    "encoder": lambda shapes, widths: all(width in shapes.encoder_widths(word) for word, width in widths.items()),
    "begins": lambda shapes, words: shapes.encoders_begin(words),
    "writes": lambda shapes, words: shapes.writes(*words),
    "by_trainer": lambda shapes, is_one: is_one is not shapes.formats.isdisjoint(_TRAINERS),
    "either": lambda shapes, ways: any(_hold(way, shapes) for way in ways),
}


def _hold(conditions: Mapping[str, Any], shapes: LayerShapes) -> bool:
    return all(_CONDITIONS[key](shapes, value) for key, value in conditions.items())


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A row of the table.

    A rule has several `architectures` if names can't decide between them; `usual` is then the architecture of most
    files, if there is one. It has no architectures if the network is unsupported. Without `is_proof`, a network that
    doesn't generate images may have the same layers.
    """

    architectures: tuple[str, ...]
    within: frozenset[str]
    conditions: Mapping[str, Any]
    usual: str | None = None
    is_proof: bool = True

    def fits(self, shapes: LayerShapes) -> bool:
        if self.within.isdisjoint(shapes.containers) if self.within else shapes.containers:
            return False
        return _hold(self.conditions, shapes)


def _read_rule(row: Mapping[str, Any]) -> Rule:
    architectures = _names(row["is"], "networks")
    other_keys = ("is", "within", "usual", "is_proof")
    return Rule(
        architectures=architectures,
        within=frozenset(_names(row["within"], "containers")),
        conditions=_read_conditions({key: value for key, value in row.items() if key not in other_keys}),
        usual=architectures[0] if row.get("usual") else None,
        is_proof=row.get("is_proof", True),
    )


def _read_conditions(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the conditions with the lists that they name. Raises ValueError for an unknown condition."""
    if unknown := row.keys() - _CONDITIONS.keys():
        raise ValueError(f"architectures.toml: there is no condition `{min(unknown)}`. Mend the row.")
    conditions = dict(row)
    for key in row:
        if key in ("any", "all", "none") and isinstance(row[key], str):
            conditions[key] = _FILE["words"][row[key]]
        elif key == "without":
            conditions[key] = _names(row[key], "containers")
        elif key == "either":
            alternatives = _FILE["either"][row[key]] if isinstance(row[key], str) else row[key]
            conditions[key] = tuple(map(_read_conditions, alternatives))
    return conditions


def _names(text: str, lists: str) -> tuple[str, ...]:
    return tuple(name for word in text.split() for name in _FILE[lists].get(word, word).split())


RULES: tuple[Rule, ...] = tuple(map(_read_rule, _FILE["rules"]["table"]))


def rule_for(shapes: LayerShapes) -> Rule | None:
    """Return the first matching rule with only the architectures of the right size. Return None for unknown layers."""
    rule = next((rule for rule in RULES if rule.fits(shapes)), None)
    if rule is None:
        return None
    likely = possible(rule.architectures, shapes)
    # A file with blocks of one stream only is a selection of blocks, perhaps from a larger network.
    is_selection = bool(likely) and not is_whole(likely, shapes)
    remaining = possible(rule.architectures, shapes, is_selection=True) if is_selection else likely
    usual = remaining[0] if len(remaining) == 1 else rule.usual if rule.usual in likely else None
    return replace(rule, architectures=remaining, usual=usual)


# Fewer blocks are a selection, or an example.
_FEWEST = 4


def possible(architectures: tuple[str, ...], shapes: LayerShapes, *, is_selection: bool = False) -> tuple[str, ...]:
    """Return the architectures with a published size that the layers don't contradict.

    `is_selection`: blocks may be missing, so a network may have more blocks than the file.
    """
    is_selection = is_selection or shapes.is_excerpt
    by_name = {name: _networks(name) for name in architectures}
    return tuple(
        name
        for name, networks in by_name.items()
        if not networks or any(_fits(network, shapes, is_selection) for network in networks)
    )


def _networks(architecture: str) -> tuple[Network, ...]:
    """Return the published sizes of an architecture, or () if they are unknown."""
    known_architecture = TABLES.architectures.get(architecture)
    return known_architecture.network if known_architecture else ()


def is_whole(architectures: tuple[str, ...], shapes: LayerShapes) -> bool:
    """Return whether the file has all kinds of blocks, double and single, of one of the `architectures`."""
    by_name = [_networks(name) for name in architectures]
    return not all(by_name) or any(
        _kinds(network.blocks) == _kinds(filter(shapes.blocks, network.blocks))
        for networks in by_name
        for network in networks
    )


def _kinds(containers: Iterable[str]) -> set[bool]:
    return {container.startswith("single") for container in containers}


def _fits(network: Network, shapes: LayerShapes, is_selection: bool) -> bool:
    texts = shapes.widths(last="context_embedder,txt_in") if network.text else set()
    if texts and network.text not in texts:
        return False
    for container, count in network.blocks.items():
        numbers = shapes.blocks(container)
        widths = shapes.block_widths.get(container, set()) if numbers else set()
        if widths and network.width not in widths:
            return False
        # If the file has all blocks of a smaller network, this one is ruled out. A few or scattered blocks rule out
        # nothing.
        highest = max(numbers, default=-1)
        is_smaller = _FEWEST <= highest + 1 == len(numbers) < count and not is_selection
        if count and (highest >= count or is_smaller):
            return False
    return True


def size_of(architecture: str | None, shapes: LayerShapes) -> str | None:
    """Return the base model with the width of the attention, if models of the architecture differ in width."""
    sizes = {model.width: model.id for model in BASE_MODELS if model.width and model.architecture == architecture}
    widths = sizes.keys() & shapes.widths(**_LAYERS["attention"]) if sizes else set()
    return sizes[max(widths)] if widths else None
