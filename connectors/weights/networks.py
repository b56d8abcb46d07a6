"""What a file's layers say about the size of its network, and what rules of connectors/architectures.toml ask of them.

The published sizes are in connectors/base_models.toml. A file with a network's layer names but not its size is for
another one, maybe a newer one unknown here.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from connectors.claims import read_wording
from connectors.claims.base_models import BASE_MODELS, TABLES, Network
from connectors.weights.key_formats import Layers, Named, Part

# The factors that are applied first have the input width of the layer.
_FIRST_HALVES: tuple[Part, ...] = ("down", "hada_w1_b", "a2", "diff")
_LEADING = re.compile(r"\D*")
# The container and the number of a block, of which there are fewer than ten thousand.
_BLOCK = re.compile(r"\n(\D+)_(\d{1,4})(?=[_\n])")
_CONTAINER = re.compile(r"(\D+)_\d")


class LayerShapes:
    """Names and widths of the layers of the image or video model; `encoder_*` are about the text encoders."""

    def __init__(self, named: Named, layers: Layers) -> None:
        self._named = named
        self._layers = layers
        # Every plain name on its own line, so that a rule can match the beginning of a name too.
        self._text = "\n" + "\n".join(named.model) + "\n"
        # Caches: several rules query the same layers.
        self._widths: dict[tuple[str, str], set[int]] = {}
        self._widths_by_block: dict[str, dict[str, set[int]]] = {}

    @cached_property
    def containers(self) -> frozenset[str]:
        """The part of the names before the first number: "double_blocks"; "#" for a name that is a number."""
        found: set[str] = set()
        last = " "
        for plain in self._named.model:
            # Most names begin like the one before.
            if not plain.startswith(last):
                last = _LEADING.match(plain)[0]  # type: ignore[index]
                found.add(last.rstrip("_") or "#")
                last = last or " "
        return frozenset(found)

    def has(self, words: str) -> bool:
        """Whether a layer's name contains `words`; after a leading "\\n", whether it begins with them."""
        return words in self._text

    def writes(self, *words: str) -> bool:
        """Whether the name of a layer, as it stands in the file, contains one of the `words`."""
        return any(word in layer for layer in self._named.model.values() for word in words)

    def last(self, container: str) -> int:
        """The highest number of a block of `container` ("transformer_blocks"); -1 for none."""
        return max(self.blocks(container), default=-1)

    def blocks(self, container: str) -> frozenset[int]:
        """The numbers of all blocks of `container` ("transformer_blocks") that have a layer here."""
        return self._blocks.get(container, frozenset())

    @cached_property
    def _blocks(self) -> Mapping[str, frozenset[int]]:
        numbers = set(_BLOCK.findall(self._text))
        return {
            container: frozenset(int(number) for name, number in numbers if name == container)
            for container in {name for name, _ in numbers}
        }

    def block_widths(self, container: str, last: str) -> set[int]:
        """Input widths of layers in blocks of `container` that end in one of the comma-separated `last`."""
        if last not in self._widths_by_block:
            found = self._widths_by_block[last] = {}
            ends, halves = tuple(last.split(",")), [self._layers.of(part) for part in _FIRST_HALVES]
            for plain, layer in self._named.model.items():
                shapes = [half[layer].shape for half in halves if layer in half] if plain.endswith(ends) else []
                if shapes and len(shapes[0]) >= 2 and (block := _CONTAINER.match(plain)):
                    found.setdefault(block[1], set()).add(shapes[0][1])
        return self._widths_by_block[last].get(container, set())

    @property
    def is_oft(self) -> bool:
        """Most writers of OFT store blocks that are as wide as a layer's output."""
        return self._layers.has("oft")

    @cached_property
    def is_excerpt(self) -> bool:
        """Whether most layers lack one of their two factors: no trainer writes that, so blocks may be missing too."""
        downs, ups = self._layers.of("down").keys(), self._layers.of("up").keys()
        return len(downs ^ ups) > len(downs & ups)

    @property
    def formats(self) -> frozenset[str]:
        """The writers of the names, by their prefixes."""
        return frozenset(prefix.format for prefix in self._named.prefixes)

    def matches(self, pattern: str) -> bool:
        return re.search(pattern, self._text) is not None

    def widths(self, words: str = "", last: str = "") -> set[int]:
        """Input widths of layers whose names hold `words` and end in one of the comma-separated `last`."""
        if (words, last) not in self._widths:
            ends = tuple(last.split(","))
            self._widths[words, last] = {
                width for plain, width in self._input_widths if words in plain and plain.endswith(ends)
            }
        return self._widths[words, last]

    @cached_property
    def _input_widths(self) -> list[tuple[str, int]]:
        layers, downs = self._named.model.items(), self._layers.of("down")
        if not any(len(tensor.shape) < 2 for tensor in downs.values()):
            known = [(plain, downs[layer].shape[1]) for plain, layer in layers if layer in downs]
            if len(known) == len(layers):
                return known
        return [(plain, width) for plain, layer in layers if (width := self._width(layer)) is not None]

    def outputs(self, last: str) -> set[int]:
        """Output widths of layers whose names end in one of the comma-separated `last`."""
        ends, ups = tuple(last.split(",")), self._layers.of("up")
        layers = ((plain, ups[layer].shape) for plain, layer in self._named.model.items() if layer in ups)
        return {shape[0] for plain, shape in layers if shape and plain.endswith(ends)}

    def encoder_widths(self, words: str = "") -> set[int]:
        widths = set()
        for plain, layer in self._named.encoders.items():
            if words in plain:
                width = self._width(layer)
                if not width and plain.endswith(("k_proj", "v_proj", "q_proj")):
                    # IA3: a number for each output of a layer, of which those of attention are as wide as its input.
                    tensor = self._layers.of("ia3").get(layer)
                    width = max(tensor.shape, default=None) if tensor else None
                if width is not None:
                    widths.add(width)
        return widths

    def encoders_begin(self, words: str) -> bool:
        """Whether the name of a text encoder's layer in the file begins with `words`."""
        return any(layer.startswith(words) for layer in self._named.encoders.values())

    def is_convolution(self, last: str) -> bool:
        """Whether a layer whose name ends in `last` is a convolution, even one of kernel 1."""
        known = {**self._layers.of("ia3"), **self._layers.of("down")}
        return any(
            len(known[layer].shape) == 4
            for plain, layer in self._named.model.items()
            if plain.endswith(last) and layer in known
        )

    def _width(self, layer: str) -> int | None:
        shape = self._shape(layer, *_FIRST_HALVES)
        if shape:
            return shape[1]
        # LoKr: the Kronecker product of two factors, each whole or split in two.
        one, two = self._shape(layer, "lokr_w1", "lokr_w1_b"), self._shape(layer, "lokr_w2", "lokr_w2_b")
        if one and two and one[1] * two[1]:
            return one[1] * two[1]
        # OFT: blocks along the diagonal, flat ones (PEFT) on the input, square ones on the output, often as wide.
        blocks = self._shape(layer, "oft")
        if len(blocks) > 2:
            return blocks[-3] * blocks[-1]
        # A skew-symmetric block of b rows has b (b - 1) / 2 numbers.
        return blocks[0] * ((1 + math.isqrt(1 + 8 * blocks[1])) // 2) if blocks else None

    def _shape(self, layer: str, *parts: Part) -> Sequence[int]:
        """The shape of the first of these parts that the layer has with two axes or more; empty for none."""
        tensors = (self._layers.of(part).get(layer) for part in parts)
        return next((tensor.shape for tensor in tensors if tensor is not None and len(tensor.shape) >= 2), ())


_NAMES = read_wording("networks", "tensor_names.toml").words
_INPUTS = ",".join(_NAMES["inputs"])
STREAM_INPUTS = ",".join(_NAMES["stream_inputs"])
_ATTENTION = STREAM_INPUTS + ",to_q,to_k,to_v,to_qkv_mlp_proj,attn_q,attn_k,attn_v,attn_qkv"
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
        widths = seen.block_widths(container, _INPUTS) if numbers else set()
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
    widths = sizes.keys() & seen.widths(last=_ATTENTION) if sizes else set()
    return sizes[max(widths)] if widths else None


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
    """Whether some width that shows is not Stable Diffusion's. OFT shows outputs instead of inputs."""
    return not seen.is_oft and not (
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
    return is_shallow(seen) and (768 in seen.encoder_widths() or seen.is_convolution("proj_in"))


def is_sd2(seen: LayerShapes) -> bool:
    linear = bool(seen.widths(last="proj_in")) and not seen.is_convolution("proj_in")
    return is_shallow(seen) and (1024 in seen.encoder_widths() or linear)


def is_flux2(seen: LayerShapes) -> bool:
    """Hidden 6144 (dev), 4096 (klein 9b), 3072 (klein 4b, as FLUX.1, but its MLPs differ)."""
    if seen.widths(last=STREAM_INPUTS) & {4096, 6144}:
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


def shows_no_attention(seen: LayerShapes) -> bool:
    return not seen.widths(last="to_q,qkv")


def has_lingbots_names(seen: LayerShapes) -> bool:
    return seen.matches(r"\nblocks_\d+_(?:attn_to_(?:q|k|v|out)|ffn_(?:shared_experts_)?(?:gate|up)_proj)\n")


def is_hunyuan_dit(seen: LayerShapes) -> bool:
    return 1408 in seen.block_widths("blocks", "attn1_to_q,attn2_to_q")


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
