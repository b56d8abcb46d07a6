"""The names of a model's modules in files, diffusers' and the original code's, with underscores only.

Key maps are the names of modules in networks' own code, and those that they have in diffusers. They stand in
`key_maps.toml`, but for two. The U-Net of Stable Diffusion 1, 2 and XL in the names of CompVis' and Stability AI's code
has blocks with one running number: `input_blocks.4.1` is the attention of the fourth. Which block of diffusers it is
depends on the number of resnets in a block, so this key map is made from the model.

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

from hub_ui.generate.lora.modules import Model, Shape, Target, Targets


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


# Those with the U-Net whose blocks have one running number in the original code.
UNETS = frozenset(("sd1", "sd2", "sdxl", "kolors", "tiny-shapes"))
# The network that makes the image, by its name in diffusers' pipelines.
_NETWORKS = ("transformer", "unet", "prior", "decoder", "transformer_2")
# Networks beside it -> the prefixes that other programs give their layers.
_SIDE_NETWORKS: Mapping[str, tuple[str, ...]] = {
    "transformer_2": ("transformer_2",),
    "text_conditioner": ("text_conditioner", "llm_adapter"),
    "connectors": ("connectors",),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """A model's modules by name, with underscores only. `network` has those of all components but text encoders.

    A name may be in several `encoders`, in pipeline order. `sizes` are the weights' shapes by component.
    """

    architecture: str
    network: Mapping[str, Targets]
    encoders: Mapping[str, tuple[Targets, ...]]
    sizes: Mapping[str, Mapping[str, Shape]]

    def size(self, target: Target) -> Shape:
        return self.sizes[target.component][target.module]


def names_of(model: Model, architecture: str) -> Names:
    sizes = {component: modules_of(parameters) for component, parameters in model.items()}
    network: dict[str, Targets] = {}
    main = next((component for component in _NETWORKS if component in sizes), None)
    for component, prefixes in _SIDE_NETWORKS.items():
        for prefix in prefixes if component in sizes and component != main else ():
            network |= _spellings(component, sizes[component], prefix + "_")
    if main is not None:
        rows = list(expand_rows(TABLES.get(architecture, {}), sizes[main]))
        if architecture in UNETS:
            rows += [(name, Entry(modules=(module,))) for name, module in originals(sizes[main])]
        network |= _spellings(main, sizes[main], "", rows)
    return Names(architecture=architecture, network=network, encoders=_encoders(sizes), sizes=sizes)


def modules_of(parameters: Mapping[str, Shape]) -> dict[str, Shape]:
    """Modules by their weights. A parameter that is no module's weight has its own name."""
    return {
        name.removesuffix(".weight"): tuple(shape)
        for name, shape in parameters.items()
        if not (name.endswith(".bias") and name.removesuffix("bias") + "weight" in parameters)
    }


def expand_rows(table: Table, modules: Iterable[str]) -> Iterator[tuple[str, Entry]]:
    """Every row of a table, once for every block that the model has."""
    # The numbers after the beginning of a name: "transformer_blocks." -> 0, 1, 2.
    blocks: dict[str, dict[str, None]] = {}
    for name in modules:
        words = name.split(".")
        for at, word in enumerate(words):
            if at and word.isdecimal():
                blocks.setdefault(".".join(words[:at]) + ".", {})[word] = None
    for original, entry in table.items():
        if "{}" not in original:
            yield original, entry
            continue
        for number in blocks.get(entry.modules[0].partition("{}")[0], ()):
            names = tuple(module.replace("{}", number) for module in entry.modules)
            yield original.replace("{}", number), replace(entry, modules=names)


def _spellings(
    component: str, sizes: Mapping[str, Shape], prefix: str = "", originals: Iterable[tuple[str, Entry]] = ()
) -> dict[str, Targets]:
    """The original names, then the model's own, which win where both are the same."""
    spellings: dict[str, Targets] = {}
    for original, entry in originals:
        if all(module in sizes for module in entry.modules):
            spellings[prefix + flat(original)] = _targets(component, entry, sizes)
    # The output of an attention is a list of a linear layer and a dropout here, and one layer in older files.
    own = {module.removesuffix(".0"): module for module in sizes if module.endswith(".to_out.0")}
    for name, module in (own | {module: module for module in sizes}).items():
        spellings[prefix + flat(name)] = (Target(component=component, module=module),)
    return spellings


def flat(name: str) -> str:
    return name.replace(".", "_")


def _targets(component: str, entry: Entry, sizes: Mapping[str, Shape]) -> Targets:
    if len(entry.modules) > 1:
        targets, start = [], 0
        for module in entry.modules:
            stop = start + sizes[module][0]
            targets.append(Target(component=component, module=module, rows=((start, stop),)))
            start = stop
        return tuple(targets)
    [module] = entry.modules
    shape = sizes[module]
    if entry.swap == "never" or (entry.swap == "two" and shape[0] != 2 * shape[1]):
        return (Target(component=component, module=module),)
    half = shape[0] // 2
    return (Target(component=component, module=module, rows=((half, shape[0]), (0, half))),)


def by_head(targets: Targets, head: int) -> Targets:
    """The same fused layer with its rows one head after the other: q, k and v of the first, then of the second."""
    count = len(targets)
    found = []
    for number, target in enumerate(targets):
        wide = sum(stop - start for start, stop in target.rows or ())
        starts = ((each * count + number) * head for each in range(wide // head))
        found.append(replace(target, rows=tuple((start, start + head) for start in starts)))
    return tuple(found)


def _encoders(components: Mapping[str, Mapping[str, Shape]]) -> dict[str, tuple[Targets, ...]]:
    """For each name the modules of all text encoders; the shapes in a file select one."""
    found: dict[str, list[Targets]] = {}
    for component, sizes in components.items():
        if not component.startswith("text_encoder"):
            continue
        own = {plain(module): module for module in sizes}
        spellings: dict[str, Targets] = {}
        for name, module in own.items():
            spellings[name] = (Target(component=component, module=module),)
        for original, entry in expand_rows(TEXT_ENCODER, own):
            if all(module in own for module in entry.modules):
                modules = tuple(own[module] for module in entry.modules)
                spellings[original] = _targets(component, Entry(modules=modules), sizes)
        for name, targets in spellings.items():
            found.setdefault(flat(name), []).append(targets)
    return {name: tuple(each) for name, each in found.items()}
