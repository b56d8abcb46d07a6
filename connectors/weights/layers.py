"""The names and shapes of a file's layers, as the rules about architectures query them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import cached_property

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

    @cached_property
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
        ends = tuple(last.split(","))
        return {width for plain, width in self._output_widths if plain.endswith(ends)}

    @cached_property
    def _output_widths(self) -> list[tuple[str, int]]:
        layers, ups = self._named.model.items(), self._layers.of("up")
        return [(plain, ups[layer].shape[0]) for plain, layer in layers if layer in ups and ups[layer].shape]

    def ends(self, container: str, last: str) -> bool:
        """Whether a layer in `container` has a name that ends so."""
        return any(plain.endswith(last) and plain.startswith(container) for plain in self._named.model)

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

    def encoders_have(self, words: str) -> bool:
        return any(words in plain for plain in self._named.encoders)

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
