"""All names of a model's modules in LoRA files: diffusers' names and names in original code, with underscores only.

A key map translates module names in a network's original code to diffusers' names. `key_maps.toml` has all key maps
except two. CompVis' and Stability AI's code numbers the U-Net blocks of Stable Diffusion 1, 2 and XL consecutively:
`input_blocks.4.1` is the attention of input block 4. The matching block in diffusers depends on the number of resnets
per block, so this key map is built from the model.

cloneofsimo/lora stores no names. It numbers the patched layers in the order in which PyTorch walked diffusers' model in
late 2022. An attention has q, k, v and its output. A transformer block has the self-attention, the first half of the
feed-forward, then the cross-attention. The middle block of a U-Net comes after the up blocks.
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
    """A row of a key map. `modules` share the original's outputs in order; `swap` says if its halves are swapped."""

    modules: tuple[str, ...]
    swap: Literal["never", "always", "two"] = "never"


Table = Mapping[str, Entry]
_WORDS = re.compile(r"\{(\w[^{}]*)\}")
_FILE = tomllib.loads(Path(__file__).with_name("key_maps.toml").read_text(encoding="utf-8"))


def table(rows: Mapping[str, Any]) -> Table:
    """Parse a table of `key_maps.toml`, whose first lines explain its rows."""
    entries: dict[str, Entry] = {}
    for name, row in rows.items():
        if isinstance(row, str):
            for original, module in zip(_expand(name), _expand(row), strict=True):
                entries[original] = Entry(modules=(module,))
        elif isinstance(row, list):
            entries[name] = Entry(modules=tuple(module for words in row for module in _expand(words)))
        elif "swap" in row:
            entries[name] = Entry(modules=(row["module"],), swap=row["swap"])
        else:
            for block, to in zip(_expand(name), _expand(row.get("to", name)), strict=True):
                for part in row["rows"]:
                    entries |= _within(block, to, table(_FILE[part]))
    return entries


def _expand(name: str) -> tuple[str, ...]:
    words = _WORDS.search(name)
    if words is None:
        return (name,)
    return tuple(name[: words.start()] + word + name[words.end() :] for word in words[1].split(","))


def _within(block: str, to: str, entries: Table) -> Table:
    """Prefix the entries with a block's original name and with `to`, its name in diffusers; "" adds no prefix."""
    return {
        f"{block}.{name}".removeprefix("."): replace(
            entry, modules=tuple(f"{to}.{module}".removeprefix(".") for module in entry.modules)
        )
        for name, entry in entries.items()
    }


# The key map of each architecture. An architecture without a key map has the same names in its original code.
TABLES: Mapping[str, Table] = {name: table(rows) for name, rows in _FILE.items() if not name.startswith("_")}
TEXT_ENCODER = table(_FILE["_text_encoder"])

_BLOCK = re.compile(
    r"(?:(?P<side>down|up)_blocks\.(?P<block>\d+)|mid_block)\.(?P<kind>resnets|attentions|downsamplers|upsamplers)"
    r"\.(?P<layer>\d+)\.(?P<rest>.+)"
)


def originals(modules: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the name in the original code and the name in diffusers of each module of a U-Net."""
    names, top = tuple(modules), _FILE["_unet_top"]
    resnets = len({name.split(".")[3] for name in names if name.startswith("down_blocks.0.resnets.")})
    with_attention = {name.split(".")[1] for name in names if name.startswith("up_blocks.") and ".attentions." in name}
    for name in names:
        if name in top:
            yield top[name], name
        elif match := _BLOCK.fullmatch(name):
            has_attention = match["block"] in with_attention
            yield _original(match, resnets, has_attention), name


def _original(match: re.Match[str], resnets: int, has_attention: bool) -> str:
    """Return the original name of a module in a block.

    `resnets` is the number of resnets per block. `has_attention` says if an up block has attention.
    """
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
        # An upsampler comes after the attention, if the block has attention.
        return f"output_blocks.{first + resnets}.{1 + has_attention}.{rest}"
    side, first = ("input", first + 1) if match["side"] == "down" else ("output", first)
    return f"{side}_blocks.{first + layer}.{position}.{rest}"


# Newer versions of transformers have dropped `text_model.` from one of two classes.
_ENCODER_WRAPPERS = re.compile(r"^(?:(?:text_model|language_model|model|transformer)[._])+")


def plain(name: str) -> str:
    """Return the name of a text encoder's layer without its wrappers, for a layer of a file or of a model."""
    return _ENCODER_WRAPPERS.sub("", name)


_NUMBERED = re.compile(r"(?:unet|text_encoder):\d+")
# Component -> its blocks, and the layers of each.
_ORDER = {component: (re.compile(row["blocks"]), tuple(row["layers"])) for component, row in _FILE["_numbered"].items()}
_SIDES = ("down_blocks", "up_blocks", "mid_block")


def is_numbered(layer: str) -> bool:
    return _NUMBERED.fullmatch(layer) is not None


def targets_by_number(sizes: Mapping[str, Mapping[str, Shape]]) -> dict[str, Target]:
    """Return targets by numbered name, such as "unet:0". The caller has to check their sizes."""
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


# The architectures with a U-Net whose original code numbers all blocks consecutively.
UNETS = frozenset(("sd1", "sd2", "sdxl", "kolors", "tiny-shapes"))
# diffusers' names for the main network of a pipeline. The first existing component is the main network.
_NETWORKS = ("transformer", "unet", "prior", "decoder", "transformer_2")
# Other networks -> the prefixes that other programs give their layers.
_SIDE_NETWORKS: Mapping[str, tuple[str, ...]] = {
    "transformer_2": ("transformer_2",),
    "text_conditioner": ("text_conditioner", "llm_adapter"),
    "connectors": ("connectors",),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """A model's modules by name, with underscores only.

    `network` has the modules of all components except text encoders. `encoders` maps a name to its modules in all text
    encoders, in pipeline order. `sizes` are the shapes of the weights by component and module.
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
    """Return the weights' shapes by module. A parameter that is not a module's weight or bias keeps its own name."""
    return {
        name.removesuffix(".weight"): tuple(shape)
        for name, shape in parameters.items()
        if not (name.endswith(".bias") and name.removesuffix("bias") + "weight" in parameters)
    }


def expand_rows(table: Table, modules: Iterable[str]) -> Iterator[tuple[str, Entry]]:
    """Yield every row of a table, and repeat a row with "{}" for each block of the model."""
    # Prefix of a name -> the numbers after the prefix: "transformer_blocks." -> 0, 1, 2.
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
    """Return targets by original names and by diffusers' names; diffusers' names win if both are the same."""
    spellings: dict[str, Targets] = {}
    for original, entry in originals:
        if all(module in sizes for module in entry.modules):
            spellings[prefix + flat(original)] = _targets(component, entry, sizes)
    # diffusers' attention output is a list of a linear layer and a dropout, but older files have a single layer.
    names = {module.removesuffix(".0"): module for module in sizes if module.endswith(".to_out.0")}
    for name, module in (names | {module: module for module in sizes}).items():
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
    """Return a fused layer's targets for rows that alternate by head: q, k, v of head 0, then of head 1.

    `head` is the number of outputs per head.
    """
    count = len(targets)
    reordered = []
    for number, target in enumerate(targets):
        outputs = sum(stop - start for start, stop in target.rows or ())
        starts = ((index * count + number) * head for index in range(outputs // head))
        reordered.append(replace(target, rows=tuple((start, start + head) for start in starts)))
    return tuple(reordered)


def _encoders(components: Mapping[str, Mapping[str, Shape]]) -> dict[str, tuple[Targets, ...]]:
    """Return the modules of all text encoders by name. The shapes in a file decide between several encoders."""
    candidates: dict[str, list[Targets]] = {}
    for component, sizes in components.items():
        if not component.startswith("text_encoder"):
            continue
        by_plain_name = {plain(module): module for module in sizes}
        spellings: dict[str, Targets] = {}
        for name, module in by_plain_name.items():
            spellings[name] = (Target(component=component, module=module),)
        for original, entry in expand_rows(TEXT_ENCODER, by_plain_name):
            if all(module in by_plain_name for module in entry.modules):
                modules = tuple(by_plain_name[module] for module in entry.modules)
                spellings[original] = _targets(component, Entry(modules=modules), sizes)
        for name, targets in spellings.items():
            candidates.setdefault(flat(name), []).append(targets)
    return {name: tuple(targets) for name, targets in candidates.items()}
