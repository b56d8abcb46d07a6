"""The network that a LoRA's layers belong to: the first of the rules of connectors/architectures.toml that holds.

Its published sizes, in connectors/base_models.toml, have to fit too. A file with a network's layer names but not its
size is for another one, maybe a newer one unknown here.
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
# Whether a condition holds for layers, with the value that a row gives it.
_Holds = Callable[[LayerShapes, Any], bool]


def _of_sizes(key: str, measure: Callable[[LayerShapes, str], set[int]]) -> Mapping[str, _Holds]:
    """The conditions about widths or outputs, by kinds of layers."""
    return {
        key: lambda seen, kinds: all(not measure(seen, kind).isdisjoint(sizes) for kind, sizes in kinds.items()),
        f"not_{key}": lambda seen, kinds: all(measure(seen, kind).isdisjoint(sizes) for kind, sizes in kinds.items()),
        f"other_{key}": lambda seen, kinds: all(measure(seen, kind).difference(sizes) for kind, sizes in kinds.items()),
        f"no_{key}": lambda seen, kinds: not any(measure(seen, kind) for kind in kinds),
    }


# By its key in the table, which explains them.
_CONDITIONS: Mapping[str, _Holds] = {
    "any": lambda seen, words: any(map(seen.has, words)),
    "all": lambda seen, words: all(map(seen.has, words)),
    "none": lambda seen, words: not any(map(seen.has, words)),
    "matches": lambda seen, pattern: seen.matches(pattern),
    **_of_sizes("width", lambda seen, kind: seen.widths(**_LAYERS[kind])),
    **_of_sizes("output", lambda seen, kind: seen.outputs(_LAYERS[kind]["last"])),
    "convolution": lambda seen, is_one: seen.is_convolution("proj_in") is is_one,
    "blocks": lambda seen, counts: all(seen.blocks(name) == set(range(count)) for name, count in counts.items()),
    "last_is": lambda seen, numbers: all(seen.last(name) == number for name, number in numbers.items()),
    "last_block": lambda seen, numbers: all(seen.last(name) >= number for name, number in numbers.items()),
    "without": lambda seen, containers: seen.containers.isdisjoint(containers),
    "encoder": lambda seen, widths: all(width in seen.encoder_widths(word) for word, width in widths.items()),
    "begins": lambda seen, words: seen.encoders_begin(words),
    "writes": lambda seen, words: seen.writes(*words),
    "by_trainer": lambda seen, is_one: is_one is not seen.formats.isdisjoint(_TRAINERS),
    "either": lambda seen, ways: any(_hold(way, seen) for way in ways),
}


def _hold(conditions: Mapping[str, Any], seen: LayerShapes) -> bool:
    return all(_CONDITIONS[key](seen, value) for key, value in conditions.items())


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A row of the table.

    Several `architectures` remain where names can't decide, and the `usual` one is then what most files are for, if
    there is such a one. None remains where the network is known to be unsupported. Without `is_proof`, a network that
    generates no images may have the same layers.
    """

    architectures: tuple[str, ...]
    within: frozenset[str]
    conditions: Mapping[str, Any]
    usual: str | None = None
    is_proof: bool = True

    def fits(self, seen: LayerShapes) -> bool:
        if self.within.isdisjoint(seen.containers) if self.within else seen.containers:
            return False
        return _hold(self.conditions, seen)


def _read_rule(row: Mapping[str, Any]) -> Rule:
    architectures = _names(row["is"], "networks")
    own = ("is", "within", "usual", "is_proof")
    return Rule(
        architectures=architectures,
        within=frozenset(_names(row["within"], "containers")),
        conditions=_read_conditions({key: value for key, value in row.items() if key not in own}),
        usual=architectures[0] if row.get("usual") else None,
        is_proof=row.get("is_proof", True),
    )


def _read_conditions(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """With the lists that they name. Raises ValueError for one that there is not."""
    if unknown := row.keys() - _CONDITIONS.keys():
        raise ValueError(f"architectures.toml: there is no condition `{min(unknown)}`. Mend the row.")
    read = dict(row)
    for key in row:
        if key in ("any", "all", "none") and isinstance(row[key], str):
            read[key] = _FILE["words"][row[key]]
        elif key == "without":
            read[key] = _names(row[key], "containers")
        elif key == "either":
            ways = _FILE["either"][row[key]] if isinstance(row[key], str) else row[key]
            read[key] = tuple(map(_read_conditions, ways))
    return read


def _names(text: str, lists: str) -> tuple[str, ...]:
    return tuple(name for word in text.split() for name in _FILE[lists].get(word, word).split())


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
    return replace(rule, architectures=left, usual=usual)


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
    widths = sizes.keys() & seen.widths(**_LAYERS["attention"]) if sizes else set()
    return sizes[max(widths)] if widths else None
