"""The names of a model's modules in files, diffusers' and the original code's, with underscores only."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from hub_ui.generate.lora.key_maps import TABLES, TEXT_ENCODER, Entry, Table, originals, plain
from hub_ui.generate.lora.modules import Model, Shape, Target, Targets

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
