"""A row of the comparison: which file on which pipeline, and who can read it; and what trainers put around names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from tests.hub_ui.generate.pipelines.algorithms import LYCORIS, lycoris
from tests.hub_ui.generate.pipelines.bases import TINY
from tests.hub_ui.generate.pipelines.files import (
    KOHYA,
    KOHYA_BARE,
    PEFT,
    PEFT_ALPHA,
    PEFT_DEFAULT,
    Deltas,
    Endings,
    Ranks,
    low_rank,
    same,
    together,
    varied,
    weights,
    with_metadata,
)
from tests.hub_ui.generate.pipelines.frame import Base, File
from tests.hub_ui.generate.pipelines.spellings import Names, Spelling, original, own

Make = Callable[[Any, int], File]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """`make` takes the pipeline and a seed. `alone`: why diffusers alone can't be asked; None where it can."""

    base: Base
    name: str
    make: Make
    alone: str | None = None

    def __str__(self) -> str:
        return f"{self.base} {self.name}"


def rows(base: str, *table: tuple[str, Make] | tuple[str, Make, str]) -> tuple[Row, ...]:
    """Of one base: name, file, and why diffusers alone can't be asked."""
    return tuple(
        Row(base=TINY[base], name=entry[0], make=entry[1], alone=entry[2] if len(entry) == 3 else None)
        for entry in table
    )


def file(spelling: Spelling, endings: Endings, ranks: Ranks = same(4, 2.0)) -> Make:  # noqa: B008
    return lambda pipe, seed: low_rank(pipe, spelling(pipe), endings, seed=seed, ranks=ranks)


def parts(*makes: Make) -> Make:
    return lambda pipe, seed: together(*(make(pipe, seed + 10 * i) for i, make in enumerate(makes)))


def described(make: Make, component: str, rank_stabilised: bool = False) -> Make:
    """Of rank 4, with an alpha of 6."""
    return lambda pipe, seed: with_metadata(make(pipe, seed), pipe, component, 4, 6.0, rank_stabilised)


BLOCKS = r"transformer_blocks"
T5 = r"SelfAttention|DenseReluDense"
SILENT = "diffusers leaves such names aside in silence"
REFUSED = "diffusers refuses such names"
UNREAD = "diffusers does not read all of it"
REAL_SIZE = "diffusers' converter has the real network's sizes written into it"


def dit_rows(base: str) -> tuple[Row, ...]:
    """What diffusers' own training scripts write, and the same names in other frames."""
    peft = file(own("transformer", "transformer.", BLOCKS), PEFT)
    return rows(
        base,
        ("diffusers", peft),
        ("diffusers with metadata", described(peft, "transformer")),
        ("peft", file(own("transformer", "base_model.model.", BLOCKS), PEFT), REFUSED),
        ("bare names", file(own("transformer", "", BLOCKS), PEFT_DEFAULT), SILENT),
        ("lycoris names", file(own("transformer", "lycoris_", BLOCKS), KOHYA), SILENT),
    )


# By name: what is before a layer's name, with underscores in it where this ends in one; and its endings, or what a
# layer is by LyCORIS.
FRAMES: Mapping[str, tuple[str, Endings | str]] = {
    "diffusers": ("transformer.", PEFT),
    "peft": ("base_model.model.", PEFT),
    "conditional": ("conditional_transformer.", PEFT),
    "default": ("", PEFT_DEFAULT),
    "bare": ("", KOHYA),
    "component": ("", PEFT),
    "comfy": ("diffusion_model.", PEFT),
    "comfy-alpha": ("diffusion_model.", PEFT_ALPHA),
    "comfy-down-up": ("diffusion_model.", KOHYA),
    "comfy-without-alpha": ("diffusion_model.", KOHYA_BARE),
    "kohya": ("lora_unet_", KOHYA),
    "kohya-text": ("lora_te_", KOHYA),
    "fun": ("lora_unet__", KOHYA),
    "tencent": ("Hunyuan_video_I2V_lora_", KOHYA),
    "lycoris": ("lycoris_", KOHYA),
    "onetrainer": ("lora_transformer_", KOHYA),
    "lokr": ("diffusion_model.", "LoKr"),
    "lokr-whole": ("diffusion_model.", "LoKr whole"),
    "lokr-bare": ("", "LoKr"),
    "lokr-kohya": ("lora_unet_", "LoKr whole"),
    "lokr-lycoris": ("lycoris_", "LoKr whole"),
}


def own_names(names: Names) -> Names:
    """Of the modules that have those names in a file."""
    return {module: (module,) for modules in names.values() for module in modules}


def in_frame(frame: str, names: Names, *, within: str = "", component: str = "transformer") -> Make:
    """`within` are more words before the names. "metadata": as diffusers saves now, alpha stands in the header."""
    if frame == "metadata":
        return described(in_frame("diffusers", names), "transformer")
    prefix, kind = FRAMES[frame]
    spelling = original(prefix, {within + name: modules for name, modules in names.items()}, component)
    if isinstance(kind, Endings):
        # Ranks and alphas differ from layer to layer where the format can say so.
        return file(spelling, kind, varied if kind.alpha else same(4, 2.0))
    return lambda pipe, seed: lycoris(pipe, spelling(pipe), LYCORIS[kind], seed, factor=1.5)


def frames(base: str, names: Names, read: str = "", unread: str = "", label: str = "") -> tuple[Row, ...]:
    """A row for each frame that diffusers reads, and for each that it does not read all of."""
    return tuple(
        Row(base=TINY[base], name=f"{label} {frame}".strip(), make=in_frame(frame, names), alone=alone)
        for some, alone in ((read, None), (unread, UNREAD))
        for frame in some.split()
    )


def dora(frame: str, names: Names) -> Make:
    """Factors and a magnitude for each output, as PEFT writes them."""

    def write(pipe: Any, seed: int) -> File:
        layers = original(FRAMES[frame][0], names)(pipe)
        plain = low_rank(pipe, layers, PEFT, seed=seed)
        magnitudes = {}
        for layer in layers:
            changed = weights(pipe, layer)[0] + plain.deltas[layer.component, f"{layer.modules[0]}.weight"]
            magnitudes[f"{layer.name}.lora_magnitude_vector"] = changed.norm(dim=1) * 1.2
        return File(tensors={**plain.tensors, **magnitudes}, deltas={})

    return write


def differences(names: Names, ending: str, parameter: str) -> Make:
    """Whole differences of norms and biases, which lie beside the factors in some distilled networks' files."""

    def write(pipe: Any, seed: int) -> File:
        generator = torch.Generator().manual_seed(seed)
        tensors: dict[str, torch.Tensor] = {}
        deltas: Deltas = {}
        for name, modules in names.items():
            whole = f"{modules[0]}.{parameter}"
            drawn = torch.randn(pipe.transformer.get_parameter(whole).shape, generator=generator) * 0.3
            tensors[f"diffusion_model.{name}.{ending}"] = drawn
            deltas["transformer", whole] = drawn
        return File(tensors=tensors, deltas=deltas)

    return write
