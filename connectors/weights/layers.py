"""What a file's layer names and shapes say, in the form that the rules about architectures ask for."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cached_property

from connectors.weights.header import Tensor
from connectors.weights.key_formats import Layers, Named, Part

# The input width of a patched layer stands in the half of the adapter that is applied first.
_FIRST_HALVES: tuple[Part, ...] = ("down", "hada_w1_b", "a2", "diff")


_LEADING = re.compile(r"\D*")
# The container and the number of a block, of which there are fewer than ten thousand.
_BLOCK = re.compile(r"\n(\D+)_(\d{1,4})(?=[_\n])")
_PLACE = re.compile(r"(\D+)_\d")


class LayerShapes:
    """Questions to the layers of the picture model; `encoder_width` is about the text encoders."""

    def __init__(self, named: Named, layers: Layers) -> None:
        self._named = named
        self._layers = layers
        # Every plain name on its own line, so that a rule can ask for the beginning of a name too.
        self._text = "\n" + "\n".join(named.model) + "\n"
        # Rules ask the same about different widths.
        self._asked: dict[tuple[str, str], set[int]] = {}
        self._by_block: dict[str, dict[str, set[int]]] = {}

    @cached_property
    def containers(self) -> frozenset[str]:
        """What stands before the first number of the names: "double_blocks"; "#" for a name that is a number."""
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
        """Whether a layer's name holds `words`; a leading line end means that it begins with them."""
        return words in self._text

    def last(self, container: str) -> int:
        """The highest number of a block of `container` ("transformer_blocks"); -1 for none."""
        return max(self.blocks(container), default=-1)

    def blocks(self, container: str) -> frozenset[int]:
        """The numbers of all blocks of `container` ("transformer_blocks") that have a layer here."""
        return self._blocks.get(container, frozenset())

    @cached_property
    def _blocks(self) -> Mapping[str, frozenset[int]]:
        numbered = set(_BLOCK.findall(self._text))
        return {
            container: frozenset(int(number) for name, number in numbered if name == container)
            for container in {name for name, _ in numbered}
        }

    def block_widths(self, container: str, last: str) -> set[int]:
        """Input widths of layers in blocks of `container` that end in one of `last`, as far as a factor shows them."""
        return self._widths_by_block(last).get(container, set())

    def _widths_by_block(self, last: str) -> Mapping[str, set[int]]:
        if last not in self._by_block:
            found = self._by_block[last] = {}
            ends, halves = tuple(last.split(",")), [self._layers.of(part) for part in _FIRST_HALVES]
            for plain, layer in self._named.model.items():
                shapes = [half[layer].shape for half in halves if layer in half] if plain.endswith(ends) else []
                if shapes and len(shapes[0]) >= 2 and (place := _PLACE.match(plain)):
                    found.setdefault(place[1], set()).add(shapes[0][1])
        return self._by_block[last]

    @property
    def is_turned(self) -> bool:
        """OFT: most writers' blocks are as wide as a layer's output."""
        return self._layers.has("oft")

    @cached_property
    def is_excerpt(self) -> bool:
        """Most layers lack one of their halves: no trainer writes that, so blocks are missing too."""
        downs, ups = self._layers.of("down").keys(), self._layers.of("up").keys()
        return len(downs ^ ups) > len(downs & ups)

    @cached_property
    def formats(self) -> frozenset[str]:
        """Who wrote the names, by what they begin with."""
        return frozenset(prefix.format for prefix in self._named.prefixes)

    def matches(self, pattern: str) -> bool:
        return re.search(pattern, self._text) is not None

    def widths(self, words: str = "", last: str = "") -> set[int]:
        """Input widths of layers whose names hold `words` and end in one of the comma-separated `last`."""
        if (words, last) not in self._asked:
            ends = tuple(last.split(","))
            self._asked[words, last] = {
                width for plain, width in self._widths if words in plain and plain.endswith(ends)
            }
        return self._asked[words, last]

    @cached_property
    def _widths(self) -> list[tuple[str, int]]:
        layers, downs = self._named.model.items(), self._layers.of("down")
        if not any(len(tensor.shape) < 2 for tensor in downs.values()):
            known = [(plain, downs[layer].shape[1]) for plain, layer in layers if layer in downs]
            if len(known) == len(layers):
                return known
        return [(plain, width) for plain, layer in layers if (width := self._width(layer)) is not None]

    def outputs(self, last: str) -> set[int]:
        """Output widths of layers whose names end in one of the comma-separated `last`."""
        ends = tuple(last.split(","))
        return {width for plain, width in self._outputs if plain.endswith(ends)}

    @cached_property
    def _outputs(self) -> list[tuple[str, int]]:
        layers, ups = self._named.model.items(), self._layers.of("up")
        return [(plain, ups[layer].shape[0]) for plain, layer in layers if layer in ups and ups[layer].shape]

    def ends(self, container: str, last: str) -> bool:
        """Whether a layer in `container` has a name that ends so."""
        return any(plain.endswith(last) and plain.startswith(container) for plain in self._named.model)

    def encoder_widths(self, words: str = "") -> set[int]:
        return {
            width
            for plain, layer in self._named.encoders.items()
            if words in plain and (width := self._width(layer) or self._scaled(plain, layer)) is not None
        }

    def encoders_have(self, words: str) -> bool:
        return any(words in plain for plain in self._named.encoders)

    def encoders_begin(self, words: str) -> bool:
        """Whether a text encoder's layer is called so in the file."""
        return any(layer.startswith(words) for layer in self._named.encoders.values())

    def is_convolution(self, last: str) -> bool:
        """Whether a layer that ends so is a convolution, even one of kernel 1."""
        known = {**self._layers.of("ia3"), **self._layers.of("down")}
        return any(
            len(known[layer].shape) == 4
            for plain, layer in self._named.model.items()
            if plain.endswith(last) and layer in known
        )

    def _width(self, layer: str) -> int | None:
        for part in _FIRST_HALVES:
            tensor = self._layers.of(part).get(layer)
            if tensor is not None and len(tensor.shape) >= 2:
                return tensor.shape[1]
        return self._product(layer) or self._turned(layer)

    def _turned(self, layer: str) -> int | None:
        """OFT: blocks along the diagonal, flat ones (PEFT) on the input, square ones on the output, often as wide."""
        tensor = self._layers.of("oft").get(layer)
        if tensor is None or len(tensor.shape) < 2:
            return None
        if len(tensor.shape) > 2:
            return tensor.shape[-3] * tensor.shape[-1]
        # A skew-symmetric block of b rows has b (b - 1) / 2 numbers.
        return tensor.shape[0] * ((1 + math.isqrt(1 + 8 * tensor.shape[1])) // 2)

    def _scaled(self, plain: str, layer: str) -> int | None:
        """IA3: a number for each output of a layer, of which those of attention are as wide as its input."""
        tensor = self._layers.of("ia3").get(layer)
        return max(tensor.shape, default=None) if tensor and plain.endswith(("k_proj", "v_proj", "q_proj")) else None

    def _product(self, layer: str) -> int | None:
        """LoKr: the Kronecker product of two factors, each whole or split in two."""
        factors = [self._factor(layer, half) for half in ("lokr_w1", "lokr_w2")]
        return factors[0] * factors[1] if factors[0] and factors[1] else None

    def _factor(self, layer: str, half: str) -> int | None:
        parts: Mapping[str, Mapping[str, Tensor]] = self._layers.parts  # type: ignore[assignment]
        for part in (half, f"{half}_b"):
            tensor = parts.get(part, {}).get(layer)
            if tensor is not None and len(tensor.shape) >= 2:
                return tensor.shape[1]
        return None
