"""The network that a LoRA's layers belong to: the first of the rules of connectors/architectures.toml that holds."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from connectors.claims import read_tables
from connectors.weights import networks
from connectors.weights.networks import STREAM_INPUTS, LayerShapes, is_whole, possible


class Rule(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"architectures": "is", "has_any": "any", "has_all": "all", "has_none": "none"},
):
    """A row of the table, which explains its conditions.

    Several `architectures` remain where names can't decide, and the `usual` one is then what most files are for, if
    there is such a one. None remains where the network is known to be unsupported. Without `is_proof`, a network that
    generates no images may have the same layers.
    """

    architectures: tuple[str, ...]
    within: frozenset[str]
    usual: str | None = None
    is_proof: bool = True
    has_any: tuple[str, ...] = ()
    has_all: tuple[str, ...] = ()
    has_none: tuple[str, ...] = ()
    matches: str = ""
    width: Mapping[str, frozenset[int]] = {}
    not_width: Mapping[str, frozenset[int]] = {}
    layer_width: int | None = None
    mlp: int | None = None
    blocks: int | None = None
    last_block: int = -1
    without: frozenset[str] = frozenset()
    encoder: Mapping[str, int] = {}
    by_trainer: bool | None = None
    holds: Callable[[LayerShapes], bool] | None = None

    def fits(self, seen: LayerShapes) -> bool:
        if self.within.isdisjoint(seen.containers) if self.within else seen.containers:
            return False
        return (
            (not self.has_any or any(map(seen.has, self.has_any)))
            and all(map(seen.has, self.has_all))
            and not any(map(seen.has, self.has_none))
            and (not self.matches or seen.matches(self.matches))
            and all(not widths.isdisjoint(_widths(seen, kind)) for kind, widths in self.width.items())
            and all(widths.isdisjoint(_widths(seen, kind)) for kind, widths in self.not_width.items())
            and (self.layer_width is None or _has_layer_width(seen, self.layer_width))
            and (self.mlp is None or _has_mlp(seen, self.mlp))
            and (self.blocks is None or seen.blocks("transformer_blocks") == set(range(self.blocks)))
            and (self.last_block < 0 or seen.last("transformer_blocks") >= self.last_block)
            and self.without.isdisjoint(seen.containers)
            and all(width in seen.encoder_widths(word) for word, width in self.encoder.items())
            and (self.by_trainer is None or self.by_trainer == _is_by_trainer(seen))
            and (self.holds is None or self.holds(seen))
        )


def _widths(seen: LayerShapes, kind: str) -> set[int]:
    return seen.widths(**_LAYERS[kind])


def _has_layer_width(seen: LayerShapes, width: int) -> bool:
    ends = "to_q,to_k,to_v,to_out_0,qkv,attention_out,feed_forward_w1,feed_forward_w3,linear_1,linear_3"
    return width in seen.widths(last=ends) or width in seen.outputs("feed_forward_w2,linear_2")


def _has_mlp(seen: LayerShapes, width: int) -> bool:
    outputs = seen.outputs("proj_mlp,ff_net_0_proj,ff_context_net_0_proj")
    return (width in outputs if width else not outputs) and (not seen.widths() or 3072 in seen.widths())


def _is_by_trainer(seen: LayerShapes) -> bool:
    return not seen.formats.isdisjoint(("kohya", "ai-toolkit", "lycoris", "onetrainer"))


_FILE = read_tables("architectures.toml")
_LAYERS: Mapping[str, Mapping[str, str]] = {
    kind: {**names, "last": names.get("last", "").replace("stream_inputs", STREAM_INPUTS)}
    for kind, names in _FILE["layers"].items()
}


def _read_rule(row: Mapping[str, Any]) -> Rule:
    """A row with the lists that it names."""
    words = {key: _FILE["words"][row[key]] for key in ("any", "all", "none") if isinstance(row.get(key), str)}
    containers = {key: _names(row[key], "containers") for key in ("within", "without") if key in row}
    architectures = _names(row["is"], "networks")
    usual = architectures[0] if row.get("usual") else None
    full = {**row, **words, **containers, "is": architectures, "usual": usual}
    return msgspec.convert(full, Rule, dec_hook=lambda _kind, name: getattr(networks, name))


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
