"""Which modules of a model a file's layers patch, and why the others patch none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from hub_ui.generate.coverage import Missed
from hub_ui.generate.lora.cloneofsimo_order import is_numbered, numbered
from hub_ui.generate.lora.key_maps.stable_diffusion import plain
from hub_ui.generate.lora.load import layers_of
from hub_ui.generate.lora.module_names import Names, Targets, by_head, flat, names_of
from hub_ui.generate.lora.modules import Layer, Model, Placed, Placement, Shape, Target
from hub_ui.generate.lora.sizes import Size, matrix, size_of

# What trainers put before the name of a layer, in any order and number.
_WRAPPERS = re.compile(
    r"^(?:lora_unet_unet_|lora_unet_|lora_transformer_|lora_prior_unet_|oft_unet_|lycoris_|Hunyuan_video_I2V_lora_"
    r"|base_model\.model\.|model\.diffusion_model\.|diffusion_model\.|transformer\.|unet\.|model\.|net\.|module\."
    r"|_orig_mod\.)+"
)
# The encoders of several are numbered, by kohya from 1, or named.
_ENCODER = re.compile(
    r"^(?:base_model\.model\.)*(?:(?:lora|oft|lycoris)_(?:prior_)?te(?P<kohya>\d?)[_.]|text_encoder(?P<diffusers>_\d)?\."
    r"|text_encoders?\.(?P<named>\w+?)\.|(?:clip_l|clip_g|t5xxl)\.|cond_stage_model\.|(?=(?:text_model|lycoris_text_model)[._]))"
)
_WITHIN_ENCODER = re.compile(r"^(?:base_model\.model\.|lycoris_|_orig_mod\.)+")
_NUMBERS = {"clip_l": 1, "clip_g": 2}
_SHOWN = 60
_TWICE = "of layers that the file holds a second time"
# Stored apart for weight and bias, so that a module may have two of them.
_ADDED_TO = frozenset(("diff", "norm"))
_UNCOUNTED = "of layers that are only numbered, and do not fit this base in the order of their numbers"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Why:
    """A reason, and what of one layer is shown of all that share it."""

    text: str
    example: str = ""


@dataclass(kw_only=True, slots=True)
class _Outcome:
    placed: list[Placed] = field(default_factory=list)
    missed: dict[str, tuple[_Why, list[Layer]]] = field(default_factory=dict)

    def miss(self, why: _Why, layer: Layer) -> None:
        self.missed.setdefault(why.text, (why, []))[1].append(layer)

    def drop_twice(self) -> None:
        """Some files hold a fused layer and its parts too, or a layer in two spellings: the same change once more.

        What is placed in fewer pieces stays, and of those the first.
        """
        taken: set[tuple[str, str, str]] = set()
        kept: dict[int, Placed] = {}
        for number, placed in sorted(enumerate(self.placed), key=lambda pair: len(pair[1].targets)):
            if placed.layer.algorithm in _ADDED_TO:
                kept[number] = placed
                continue
            places = {(placed.layer.algorithm, each.component, each.module): each for each in placed.targets}
            rest = tuple(target for place, target in places.items() if place not in taken)
            taken |= places.keys()
            if rest:
                kept[number] = placed if len(rest) == len(placed.targets) else replace(placed, targets=rest)
            else:
                self.miss(_Why(text=_TWICE, example=_short(placed.layer.name)), placed.layer)
        self.placed = [kept[number] for number in sorted(kept)]


def place(shapes: Mapping[str, Shape], model: Model, architecture: str, *, low_noise: bool = False) -> Placement:
    """`place_on` for a model that is used once."""
    return place_on(shapes, names_of(model, architecture), low_noise=low_noise)


def place_on(shapes: Mapping[str, Shape], names: Names, *, low_noise: bool = False) -> Placement:
    """Every tensor of the file is either in a placed layer or missed with a reason.

    Wan 2.2 has two networks, for much noise and for little. Nothing in a file's names or shapes says which one it is
    made for, so a layer goes to the first, unless the caller knows better from the file's own name or metadata.
    """
    layers, missed = layers_of(shapes)
    outcome = _Outcome()
    counted = _counted(layers, shapes, names)
    for layer in layers:
        found = _found(layer, shapes, names, counted)
        if isinstance(found, _Why):
            outcome.miss(found, layer)
        else:
            outcome.placed.append(Placed(layer=layer, targets=_moved(found, names) if low_noise else found))
    outcome.drop_twice()
    return Placement(placed=tuple(outcome.placed), missed=(*missed, *_missed(outcome)))


def _counted(layers: tuple[Layer, ...], shapes: Mapping[str, Shape], names: Names) -> Mapping[str, Target]:
    """Layers that are only numbered. One that doesn't fit shows that the order is another; then none can be trusted."""
    those = [layer for layer in layers if is_numbered(layer.name)]
    targets = numbered(names.sizes) if those else {}
    fits = all(
        (target := targets.get(layer.name)) is not None
        and target.module in names.sizes[target.component]
        and (size := size_of(layer, shapes)) is not None
        and size.fits(names.size(target))
        for layer in those
    )
    return targets if fits else {}


def _moved(targets: Targets, names: Names) -> Targets:
    if "transformer_2" not in names.components:
        return targets
    return tuple(
        replace(target, component="transformer_2") if target.component == "transformer" else target
        for target in targets
    )


def _missed(outcome: _Outcome) -> Iterator[Missed]:
    for why, layers in outcome.missed.values():
        more = f" and {len(layers) - 1} more" if len(layers) > 1 else ""
        example = f" ({why.example}{more})" if why.example else ""
        yield Missed(reason=why.text + example, keys=tuple(key for layer in layers for key in layer.keys.values()))


def _found(layer: Layer, shapes: Mapping[str, Shape], names: Names, counted: Mapping[str, Target]) -> Targets | _Why:
    size = size_of(layer, shapes)
    if size is None:
        return _Why(text="of layers whose tensors have other shapes than their algorithm's", example=_short(layer.name))
    if is_numbered(layer.name):
        target = counted.get(layer.name)
        return (target,) if target else _Why(text=_UNCOUNTED)
    named = _named(layer.name, names)
    if named.encoder is not None:
        return _in_encoder(named, named.encoder, size, names)
    if not named.candidates:
        return _Why(text="of layers this base does not have", example=_short(named.name))
    return _sized(_in_heads(named.candidates[0], layer, names), size, names)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Named:
    """What a layer's name may mean. `encoder` is its number, 0 where the file does not say; None for the network."""

    name: str
    candidates: tuple[Targets, ...]
    encoder: int | None = None


def knows(layer: str, names: Names) -> bool:
    """Whether the model has modules of this layer's name, whatever their sizes."""
    return bool(_named(layer, names).candidates)


def _named(layer: str, names: Names) -> _Named:
    name = layer.replace(".processor.", ".").replace("._orig_mod.", ".")
    if match := _ENCODER.match(name):
        name = plain(_WITHIN_ENCODER.sub("", name[match.end() :]))
        return _Named(name=name, candidates=names.encoders.get(flat(name), ()), encoder=_number(match))
    stripped = _WRAPPERS.sub("", name)
    targets = names.network.get(flat(stripped)) or names.network.get(flat(name.removeprefix("lora_")))
    if targets is not None:
        return _Named(name=stripped, candidates=(targets,))
    # A text encoder's layer without a word about it.
    candidates = names.encoders.get(flat(plain(stripped)), ())
    return _Named(name=stripped, candidates=candidates, encoder=0 if candidates else None)


def _in_encoder(named: _Named, number: int, size: Size, names: Names) -> Targets | _Why:
    """Trainers number text encoders differently, so the one that has a layer of this name and size is meant."""
    fitting = [each for each in named.candidates if _fits(each, size, names)]
    own = [each for each in named.candidates if each[0].component == _component(number)]
    if fitting:
        return next((each for each in fitting if each in own), fitting[0])
    label = f"text encoder {number}" if number else "the text encoder"
    if not _has_encoder(number, names):
        return _Why(text=f"of {label}, which this base does not have")
    if not named.candidates:
        return _Why(text=f"of layers that {label} of this base does not have", example=_short(named.name))
    return _other_size(size, (own or named.candidates)[0], names)


def _has_encoder(number: int, names: Names) -> bool:
    if number:
        return _component(number) in names.components
    return any(component.startswith("text_encoder") for component in names.components)


def _number(match: re.Match[str]) -> int:
    """0 where the file does not say."""
    if match["named"]:
        return _NUMBERS.get(match["named"], 0)
    if match["diffusers"]:
        return int(match["diffusers"][1:])
    return int(match["kohya"]) if match["kohya"] else 0


def _component(number: int) -> str:
    return f"text_encoder_{number}" if number > 1 else "text_encoder"


def _in_heads(targets: Targets, layer: Layer, names: Names) -> Targets:
    """DiffSynth trains MiniMax-H3 as it is published, where q, k and v take turns by head; others sort them first.

    Only the adapter's name that PEFT writes shows which one a file is of.
    """
    fused = len(targets) == 3 and names.architecture == "minimax-h3"
    if not fused or not any(key.endswith(".default.weight") for key in layer.keys.values()):
        return targets
    norm = names.sizes[targets[0].component].get(targets[0].module.removesuffix("to_q") + "norm_q")
    return by_head(targets, norm[0]) if norm else targets


def _sized(targets: Targets, size: Size, names: Names) -> Targets | _Why:
    if _fits(targets, size, names):
        return targets
    widened = _widened(targets, size, names)
    return widened or _other_size(size, targets, names)


def _fits(targets: Targets, size: Size, names: Names) -> bool:
    if len(targets) == 1:
        return size.fits(names.size(targets[0]))
    shapes = [matrix(names.size(target)) for target in targets]
    outputs = sum(shape[0] for shape in shapes)
    return size.outputs in (None, outputs) and all(size.inputs in (None, shape[1]) for shape in shapes)


def _widened(targets: Targets, size: Size, names: Names) -> Targets | None:
    """FLUX's control LoRAs read a control picture beside the noise: twice as many channels."""
    target = targets[0]
    if names.architecture != "flux1" or target.module != "x_embedder":
        return None
    outputs, inputs = matrix(names.size(target))
    if size.outputs in (None, outputs) and size.inputs == 2 * inputs:
        return (replace(target, inputs=size.inputs),)
    return None


def _other_size(size: Size, targets: Targets, names: Names) -> _Why:
    shapes = [matrix(names.size(target)) for target in targets]
    ours = f"{sum(shape[0] for shape in shapes)} x {shapes[0][1]}"
    return _Why(text="of layers that have other sizes than this base's", example=f"{size} against {ours}")


def _short(name: str) -> str:
    return name if len(name) <= _SHOWN else name[: _SHOWN - 1] + "…"
