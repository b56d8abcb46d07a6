"""Key maps: the names of modules in networks' own code, and those that they have in diffusers.

They stand in `key_maps.toml`, but for two. The U-Net of Stable Diffusion 1, 2 and XL in the names of CompVis' and
Stability AI's code has blocks with one running number: `input_blocks.4.1` is the attention of the fourth. Which block
of diffusers it is depends on the number of resnets in a block, so this key map is made from the model.

cloneofsimo/lora has no names: it numbers the layers it patches, in the order in which PyTorch walks the model of late
2022. There an attention has q, k, v and its output; a transformer block has its self-attention, the first half of its
feed-forward, then the cross-attention; and the middle of a U-Net comes after its up blocks.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from hub_ui.generate.lora.modules import Shape, Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """`modules` take the outputs of the original one after the other. `swap`: whether its halves change places."""

    modules: tuple[str, ...]
    swap: Literal["never", "always", "two"] = "never"


Table = Mapping[str, Entry]
_WORDS = re.compile(r"\{(\w[^{}]*)\}")
_FILE = tomllib.loads(Path(__file__).with_name("key_maps.toml").read_text(encoding="utf-8"))


def table(rows: Mapping[str, Any]) -> Table:
    """The entries of a table of the file, whose first lines explain what a row may be."""
    entries: dict[str, Entry] = {}
    for name, row in rows.items():
        if isinstance(row, str):
            for each, module in zip(_expand(name), _expand(row), strict=True):
                entries[each] = Entry(modules=(module,))
        elif isinstance(row, list):
            entries[name] = Entry(modules=tuple(module for words in row for module in _expand(words)))
        elif "swap" in row:
            entries[name] = Entry(modules=(row["module"],), swap=row["swap"])
        else:
            for block, ours in zip(_expand(name), _expand(row.get("to", name)), strict=True):
                for part in row["rows"]:
                    entries |= _within(block, ours, table(_FILE[part]))
    return entries


def _expand(name: str) -> tuple[str, ...]:
    words = _WORDS.search(name)
    if words is None:
        return (name,)
    return tuple(name[: words.start()] + word + name[words.end() :] for word in words[1].split(","))


def _within(block: str, ours: str, entries: Table) -> Table:
    """The entries of a block, each with the block's name before it; "" is the whole network."""
    return {
        f"{block}.{name}".removeprefix("."): replace(
            entry, modules=tuple(f"{ours}.{module}".removeprefix(".") for module in entry.modules)
        )
        for name, entry in entries.items()
    }


# The key map of each architecture. One without a row has diffusers' own names everywhere.
TABLES: Mapping[str, Table] = {name: table(rows) for name, rows in _FILE.items() if not name.startswith("_")}
TEXT_ENCODER = table(_FILE["_text_encoder"])

_BLOCK = re.compile(
    r"(?:(?P<side>down|up)_blocks\.(?P<block>\d+)|mid_block)\.(?P<kind>resnets|attentions|downsamplers|upsamplers)"
    r"\.(?P<layer>\d+)\.(?P<rest>.+)"
)


def originals(modules: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Every module's name in the original code, and its own."""
    every, top = tuple(modules), _FILE["_unet_top"]
    resnets = len({name.split(".")[3] for name in every if name.startswith("down_blocks.0.resnets.")})
    with_attention = {name.split(".")[1] for name in every if name.startswith("up_blocks.") and ".attentions." in name}
    for name in every:
        if name in top:
            yield top[name], name
        elif match := _BLOCK.fullmatch(name):
            has_attention = match["block"] in with_attention
            yield _original(match, resnets, has_attention), name


def _original(match: re.Match[str], resnets: int, has_attention: bool) -> str:
    """`resnets` is the number of them in a block; `has_attention` is that of an up block."""
    kind, layer, rest = match["kind"], int(match["layer"]), match["rest"]
    if kind == "resnets":
        rest = _FILE["_unet_resnet"].get(rest, rest)
    position = int(kind == "attentions")
    if match["side"] is None:
        return f"middle_block.{2 * layer + position}.{rest}"
    first = int(match["block"]) * (resnets + 1)
    if kind == "downsamplers":
        return f"input_blocks.{first + 1 + resnets}.0.{rest.replace('conv', 'op')}"
    if kind == "upsamplers":
        # It comes after the attention, if there is one.
        return f"output_blocks.{first + resnets}.{1 + has_attention}.{rest}"
    side, first = ("input", first + 1) if match["side"] == "down" else ("output", first)
    return f"{side}_blocks.{first + layer}.{position}.{rest}"


# Newer versions of transformers have dropped `text_model.` from one class and not from the other.
_ENCODER_WRAPPERS = re.compile(r"^(?:(?:text_model|language_model|model|transformer)[._])+")


def plain(name: str) -> str:
    """A layer's name, in a file or in a model, without the wrappers around the encoder's own stack."""
    return _ENCODER_WRAPPERS.sub("", name)


_NUMBERED = re.compile(r"(?:unet|text_encoder):\d+")
# Component -> its blocks, and the layers of each.
_ORDER = {component: (re.compile(row["blocks"]), tuple(row["layers"])) for component, row in _FILE["_numbered"].items()}
_SIDES = ("down_blocks", "up_blocks", "mid_block")


def is_numbered(layer: str) -> bool:
    return _NUMBERED.fullmatch(layer) is not None


def targets_by_number(sizes: Mapping[str, Mapping[str, Shape]]) -> dict[str, Target]:
    """The layers by name, such as "unet:0". The caller has to check their sizes."""
    targets: dict[str, Target] = {}
    for component, (pattern, layers) in _ORDER.items():
        blocks = {match.group() for module in sizes.get(component, {}) if (match := pattern.match(module))}
        modules = (f"{block}.{layer}" for block in sorted(blocks, key=_position) for layer in layers)
        for number, module in enumerate(modules):
            targets[f"{component}:{number}"] = Target(component=component, module=module)
    return targets


def _position(block: str) -> tuple[int, ...]:
    side = next((number for number, name in enumerate(_SIDES) if block.startswith(name)), 0)
    return (side, *map(int, re.findall(r"\d+", block)))
