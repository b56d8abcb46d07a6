"""The network that a LoRA's layers belong to: the first of the rules of connectors/architectures.toml that holds.

Its published sizes, in connectors/base_models.toml, have to fit too. A file with a network's layer names but not its
size is for another one, maybe a newer one unknown here.
"""

from collections.abc import Callable, Iterable, Mapping
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


_KEYS_VALUES = "attn2_to_k,attn2_to_v"
_QUERIES = "attn1_to_q,attn1_to_k,attn1_to_v,attn1_to_out_0,attn2_to_q,ff_net_0_proj"
# Hidden widths of the three levels of Stable Diffusion, and text embeddings that its networks read.
_LEVELS = {320, 640, 1280}
_TEXTS = {768, 1024, 2048}


def is_wide_cascade(seen: LayerShapes) -> bool:
    """Würstchen, which came before Stable Cascade, is narrower."""
    widths = seen.widths(last="to_q,to_k,channelwise_0,in_proj")
    return not widths or not widths.isdisjoint((1536, 2048))


def is_of_other_widths(seen: LayerShapes) -> bool:
    """Whether some width that shows is not Stable Diffusion's."""
    return not (
        seen.widths("transformer_blocks_", _QUERIES) <= _LEVELS
        and seen.widths(last=_KEYS_VALUES) <= _TEXTS
        and seen.outputs(_KEYS_VALUES) <= _LEVELS
    )


def is_cut(seen: LayerShapes) -> bool:
    """SSD-1B, distilled from SDXL: at the lowest level on the way down 4 transformer blocks are left of 10."""
    lowest = ("down_blocks_2_attentions_1_transformer_blocks_", "input_blocks_8_1_transformer_blocks_")
    return any(seen.has(place + "3_") and not seen.has(place + "4_") and seen.has(place + "0_") for place in lowest)


def _after_the_middle(seen: LayerShapes) -> set[int]:
    """Widths of attention in the second block upwards: there SDXL is half as wide as SD 1 and 2."""
    places = ("up_blocks_1_attentions_", *(f"output_blocks_{number}_1_" for number in (3, 4, 5)))
    return set().union(*(seen.widths(place, "attn1_to_q,attn1_to_k,attn1_to_v") for place in places))


def is_halved_after_the_middle(seen: LayerShapes) -> bool:
    return 640 in _after_the_middle(seen)


def is_shallow(seen: LayerShapes) -> bool:
    """SD 1 and 2 have attention in the outermost blocks, where SDXL has none, and a block more."""
    return (
        any(map(seen.has, ("\ndown_blocks_0_attentions_", "\ndown_blocks_3_", "\nup_blocks_3_")))
        or seen.matches(r"\n(?:input_blocks_[12]_1_transformer|(?:input|output)_blocks_(?:9|10|11)_)")
        or 1280 in _after_the_middle(seen)
    )


def is_sd1(seen: LayerShapes) -> bool:
    """Without cross-attention: SD 1 projects into its transformers by a convolution, SD 2 by a linear layer."""
    return is_shallow(seen) and (768 in seen.encoder_widths() or seen.is_convolution("proj_in") is True)


def is_sd2(seen: LayerShapes) -> bool:
    linear = bool(seen.widths(last="proj_in")) and seen.is_convolution("proj_in") is False
    return is_shallow(seen) and (1024 in seen.encoder_widths() or linear)


def is_flux2(seen: LayerShapes) -> bool:
    """Hidden 6144 (dev), 4096 (klein 9b), 3072 (klein 4b, as FLUX.1, but its MLPs differ)."""
    if seen.widths(last=_STREAMS) & {4096, 6144}:
        return True
    inner = seen.widths("single_blocks", "linear2") or seen.widths(last="img_mlp_2,txt_mlp_2")
    if inner:
        return bool(inner & {9216, 16384, 18432, 24576}) or 12288 in seen.widths("single_blocks", "linear2")
    return bool(
        seen.outputs("linear1") & {27648, 36864, 55296}
        or seen.outputs("img_attn_qkv,txt_attn_qkv") & {12288, 18432}
        or seen.outputs("img_attn_proj,txt_attn_proj") & {4096, 6144}
        or seen.outputs("img_mlp_0,txt_mlp_0") & {18432, 24576, 36864}
        or seen.widths(last="txt_in") & {7680, 15360}
        or (seen.last("double_blocks") == 4 and seen.last("single_blocks") == 19)
    )


def has_joy_attention(seen: LayerShapes) -> bool:
    """JoyAI-Image joins by "_" what FLUX.2 joins by ".", and has five times as many double blocks."""
    return seen.writes(".img_attn_", ".txt_attn_") or (
        seen.last("double_blocks") >= 8 and not seen.blocks("single_blocks")
    )


def is_deeper_than_flux(seen: LayerShapes) -> bool:
    return seen.last("double_blocks") >= 19 or seen.last("single_blocks") >= 38


def is_nucleus(seen: LayerShapes) -> bool:
    """No queries of its own for the text, and fewer heads for keys, or all 24 blocks."""
    if any(map(seen.has, ("attn_add_q", "attn_to_add_out", "ff_context_"))):
        return False
    keys = seen.outputs("attn_to_k,attn_to_v,attn_add_k_proj,attn_add_v_proj")
    return min(keys, default=2048) < 2048 or seen.blocks("transformer_blocks") == set(range(24))


def gates_no_mlp(seen: LayerShapes) -> bool:
    return 9216 not in seen.outputs("ff_net_0_proj")


def is_small_cosmos(seen: LayerShapes) -> bool:
    """As wide as the smallest of Cosmos, or no width shows."""
    return 2048 in seen.widths() or seen.widths().isdisjoint((4096, 5120))


def is_all_of_qwen3_vl(seen: LayerShapes) -> bool:
    """All layers of Qwen3-VL 8B: a LoRA for it, or for HiDream-O1, which has the same layers."""
    containers = ("language_model_layers", "model_language_model_layers")
    return frozenset[int]().union(*map(seen.blocks, containers)) == set(range(36)) and 4096 in seen.widths(
        "language_model_layers", "_q_proj,_k_proj,_v_proj,_gate_proj"
    )


def is_sd1s_encoder(seen: LayerShapes) -> bool:
    return seen.encoders_begin("lora_te_text_model_encoder") and 768 in seen.encoder_widths()


# Those that the table names.
_CONDITIONS = (
    is_wide_cascade, is_of_other_widths, is_cut, is_halved_after_the_middle, is_shallow, is_sd1, is_sd2,
    is_flux2, has_joy_attention, is_deeper_than_flux, is_nucleus, gates_no_mlp, is_small_cosmos, is_all_of_qwen3_vl,
    is_sd1s_encoder,
)  # fmt: skip
_BY_NAME = {condition.__name__: condition for condition in _CONDITIONS}


def _read_rule(row: Mapping[str, Any]) -> Rule:
    """A row with the lists that it names."""
    words = {key: _FILE["words"][row[key]] for key in ("any", "all", "none") if isinstance(row.get(key), str)}
    containers = {key: _names(row[key], "containers") for key in ("within", "without") if key in row}
    architectures = _names(row["is"], "networks")
    usual = architectures[0] if row.get("usual") else None
    full = {**row, **words, **containers, "is": architectures, "usual": usual}
    return msgspec.convert(full, Rule, dec_hook=lambda _kind, name: _BY_NAME[name])


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
