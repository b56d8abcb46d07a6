"""One row for each architecture and format of the first half: which file on which pipeline, and who can read it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from tests.hub_ui.preview.pipelines import dits, flux, stable_diffusion, stable_diffusion_3
from tests.hub_ui.preview.pipelines.algorithms import LYCORIS, by_peft, lycoris
from tests.hub_ui.preview.pipelines.algorithms import PEFT as PEFT_CONFIGS
from tests.hub_ui.preview.pipelines.files import (
    KOHYA,
    KOHYA_BARE,
    OLD,
    OLD_TEXT,
    PEFT,
    PEFT_ALPHA,
    PEFT_DEFAULT,
    PROCESSOR,
    XLABS,
    Endings,
    Ranks,
    low_rank,
    resized,
    same,
    together,
    varied,
    with_metadata,
)
from tests.hub_ui.preview.pipelines.frame import Base, File
from tests.hub_ui.preview.pipelines.spellings import (
    AURAFLOW,
    CHROMA_OUTSIDE,
    FLUX_BLOCKS,
    FLUX_LINEAR1,
    FLUX_OUTSIDE,
    SD3_BLOCKS,
    SD3_OUTSIDE,
    XLABS_SINGLE,
    Spelling,
    dotted,
    of_clip,
    original,
    processors,
    sai,
    underscored,
)
from tests.hub_ui.preview.pipelines.spellings import XLABS as XLABS_BLOCKS

Make = Callable[[Any, int], File]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """`make` takes the pipeline and a seed. `alone`: why diffusers alone can't be asked; None where it can.

    `stacked`: whether two of them at once are compared too.
    """

    base: Base
    name: str
    make: Make
    alone: str | None = None
    stacked: bool = True

    def __str__(self) -> str:
        return self.name


def file(spelling: Spelling, endings: Endings, ranks: Ranks = same(4, 2.0)) -> Make:  # noqa: B008
    return lambda pipe, seed: low_rank(pipe, spelling(pipe), endings, seed=seed, ranks=ranks)


def parts(*makes: Make) -> Make:
    return lambda pipe, seed: together(*(make(pipe, seed + 10 * i) for i, make in enumerate(makes)))


def described(make: Make, component: str, rank: int = 4, alpha: float = 6.0) -> Make:
    return lambda pipe, seed: with_metadata(make(pipe, seed), pipe, component, rank, alpha)


ATTENTION = r"attentions"
TE = r"layers.*(q|k|v|out)_proj|fc[12]"
SILENT = "diffusers leaves such names aside in silence"
REFUSED = "diffusers refuses such names"
ONE_ALPHA = "diffusers gives a UNet's attention the file's commonest alpha, since it names the others wrongly"
REAL_SIZE = "diffusers' converter has the real network's sizes written into it"


def _unet_rows(base: Base, name: str, *text: Make) -> tuple[Row, ...]:
    peft = file(dotted("unet", "unet.", ATTENTION), PEFT)
    return (
        Row(base=base, name=f"{name} kohya", make=file(underscored("unet", "lora_unet_", ATTENTION), KOHYA, resized)),
        Row(
            base=base,
            name=f"{name} kohya with convolutions",
            make=file(underscored("unet", "lora_unet_", r"attentions|resnets|samplers"), KOHYA, resized),
        ),
        Row(
            base=base,
            name=f"{name} kohya with several alphas",
            make=file(underscored("unet", "lora_unet_", ATTENTION), KOHYA, varied),
            alone=ONE_ALPHA,
        ),
        Row(base=base, name=f"{name} diffusers", make=peft),
        Row(base=base, name=f"{name} diffusers with metadata", make=described(peft, "unet")),
        Row(
            base=base,
            name=f"{name} diffusers of 2023",
            make=file(dotted("unet", "unet.", r"attn[12]\."), OLD),
        ),
        Row(base=base, name=f"{name} attention processors", make=file(processors("unet."), PROCESSOR)),
        Row(
            base=base,
            name=f"{name} attention processors without unet",
            make=file(processors(""), PROCESSOR),
            alone=SILENT,
        ),
        Row(
            base=base,
            name=f"{name} peft",
            make=file(dotted("unet", "base_model.model.", ATTENTION), PEFT),
            alone=SILENT,
        ),
        Row(
            base=base,
            name=f"{name} bare names",
            make=file(dotted("unet", "", ATTENTION), PEFT_DEFAULT),
            alone=SILENT,
        ),
    )


# Where the text encoders are in question, a few layers of the network will do.
MIDDLE = r"mid_block.*attn"
SD_TEXT = parts(
    file(underscored("unet", "lora_unet_", MIDDLE), KOHYA), file(of_clip("text_encoder", "lora_te_"), KOHYA)
)
SD_TEXT_PEFT = parts(
    file(dotted("unet", "unet.", MIDDLE), PEFT),
    file(of_clip("text_encoder", "text_encoder.", "."), PEFT),
)
SD_TEXT_OLD = parts(
    file(dotted("unet", "unet.", MIDDLE), OLD),
    file(of_clip("text_encoder", "text_encoder.", "."), OLD_TEXT),
)
SDXL_TEXT = parts(
    file(sai(wanted=MIDDLE), KOHYA),
    file(of_clip("text_encoder", "lora_te1_"), KOHYA),
    file(of_clip("text_encoder_2", "lora_te2_"), KOHYA),
)
SDXL_TEXT_PEFT = parts(
    file(dotted("unet", "unet.", MIDDLE), PEFT),
    file(of_clip("text_encoder", "text_encoder.", "."), PEFT),
    file(of_clip("text_encoder_2", "text_encoder_2.", "."), PEFT),
)

SD1, SD2, SDXL, KOLORS = (getattr(stable_diffusion, name) for name in ("SD1", "SD2", "SDXL", "KOLORS"))
UNETS = (
    *_unet_rows(SD1, "sd1"),
    Row(base=SD1, name="sd1 kohya with text encoder", make=SD_TEXT),
    Row(base=SD1, name="sd1 diffusers with text encoder", make=SD_TEXT_PEFT),
    Row(base=SD1, name="sd1 diffusers of 2023 with text encoder", make=SD_TEXT_OLD),
    *_unet_rows(SD2, "sd2")[:4],
    Row(base=SD2, name="sd2 kohya with text encoder", make=SD_TEXT),
    *(row for row in _unet_rows(SDXL, "sdxl") if not re.search(r"2023|processors|convolutions|metadata", row.name)),
    Row(
        base=SDXL,
        name="sdxl kohya in Stability's names, every layer",
        make=file(sai(wanted=r"attentions|resnets|samplers|conv_|embedding"), KOHYA, resized),
    ),
    Row(base=SDXL, name="sdxl kohya with text encoders", make=SDXL_TEXT),
    Row(base=SDXL, name="sdxl diffusers with text encoders", make=SDXL_TEXT_PEFT),
    Row(
        base=SDXL,
        name="sdxl ai-toolkit",
        make=file(sai("diffusion_model.", between="."), KOHYA),
        alone=SILENT,
    ),
    Row(base=KOLORS, name="kolors kohya", make=file(sai(), KOHYA, resized), alone=REFUSED),
    Row(
        base=KOLORS,
        name="kolors kohya in diffusers' names",
        make=file(underscored("unet", "lora_unet_", ATTENTION), KOHYA, resized),
    ),
    Row(base=KOLORS, name="kolors diffusers", make=file(dotted("unet", "unet.", ATTENTION), PEFT)),
)

BLOCKS = r"transformer_blocks"
DEV, SCHNELL, KONTEXT, CONTROL, CHROMA = (
    getattr(flux, name) for name in ("DEV", "SCHNELL", "KONTEXT", "CONTROL", "CHROMA")
)


def _dit_rows(base: Base, name: str, wanted: str = BLOCKS) -> tuple[Row, ...]:
    """What diffusers' own training scripts write, and the same names in other frames."""
    peft = file(dotted("transformer", "transformer.", wanted), PEFT)
    return (
        Row(base=base, name=f"{name} diffusers", make=peft),
        Row(base=base, name=f"{name} diffusers with metadata", make=described(peft, "transformer")),
        Row(
            base=base,
            name=f"{name} peft",
            make=file(dotted("transformer", "base_model.model.", wanted), PEFT),
            alone=REFUSED,
        ),
        Row(
            base=base,
            name=f"{name} bare names",
            make=file(dotted("transformer", "", wanted), PEFT_DEFAULT),
            alone=SILENT,
        ),
        Row(
            base=base,
            name=f"{name} lycoris names",
            make=file(underscored("transformer", "lycoris_", wanted), KOHYA),
            alone=SILENT,
        ),
    )


def _kohya_flux(base: Base, name: str) -> tuple[Row, ...]:
    whole = original("lora_unet_", FLUX_BLOCKS, FLUX_LINEAR1, between="_")
    return (
        Row(
            base=base,
            name=f"{name} kohya without linear1",
            make=file(original("lora_unet_", FLUX_BLOCKS, between="_"), KOHYA, varied),
        ),
        Row(base=base, name=f"{name} kohya", make=file(whole, KOHYA, varied), alone=REAL_SIZE),
    )


FLUX_NAMES = (FLUX_BLOCKS, FLUX_LINEAR1)
FLUX_TEXT = parts(
    file(original("lora_unet_", FLUX_BLOCKS, between="_"), KOHYA), file(of_clip("text_encoder", "lora_te1_"), KOHYA)
)
T5 = r"SelfAttention|DenseReluDense"
FLUX_T5 = parts(FLUX_TEXT, file(underscored("text_encoder_2", "lora_te3_", T5), KOHYA))
ONETRAINER = file(underscored("transformer", "lora_transformer_", r"^(?!.*norm).*blocks.*attn"), KOHYA)
ONETRAINER_ALL = parts(
    file(underscored("transformer", "lora_transformer_", BLOCKS), KOHYA),
    file(of_clip("text_encoder", "lora_te1_"), KOHYA),
    file(underscored("text_encoder_2", "lora_te2_", T5), KOHYA),
)
FLUXES = (
    *_dit_rows(DEV, "flux1 dev"),
    *_kohya_flux(DEV, "flux1 dev"),
    Row(base=DEV, name="flux1 dev kohya with CLIP", make=FLUX_TEXT),
    Row(base=DEV, name="flux1 dev kohya with CLIP and T5", make=FLUX_T5, alone="diffusers reads no LoRA for T5"),
    Row(
        base=DEV,
        name="flux1 dev kohya, layers outside of blocks",
        make=file(original("lora_unet_", FLUX_OUTSIDE, between="_"), KOHYA, varied),
        alone="diffusers drops them, and the last layers' alpha",
    ),
    Row(
        base=DEV,
        name="flux1 dev ai-toolkit",
        make=file(original("diffusion_model.", *FLUX_NAMES), PEFT),
        alone=SILENT,
    ),
    Row(
        base=DEV,
        name="flux1 dev ComfyUI with kohya's endings",
        make=file(original("diffusion_model.", FLUX_BLOCKS), KOHYA_BARE),
    ),
    Row(base=DEV, name="flux1 dev XLabs", make=file(original("", XLABS_BLOCKS), XLABS)),
    Row(
        base=DEV, name="flux1 dev XLabs with single blocks", make=file(original("", XLABS_BLOCKS, XLABS_SINGLE), XLABS)
    ),
    Row(base=DEV, name="flux1 dev OneTrainer", make=ONETRAINER),
    Row(base=DEV, name="flux1 dev OneTrainer with text encoders", make=ONETRAINER_ALL, alone=REFUSED),
    Row(
        base=DEV,
        name="flux1 dev diffusers with alpha",
        make=file(dotted("transformer", "transformer.", BLOCKS), PEFT_ALPHA, varied),
    ),
    Row(
        base=DEV,
        name="flux1 dev diffusers, every layer",
        make=file(dotted("transformer", "transformer."), PEFT),
    ),
    *_dit_rows(SCHNELL, "flux1 schnell")[:1],
    *_kohya_flux(SCHNELL, "flux1 schnell"),
    *_dit_rows(KONTEXT, "flux1 Kontext")[:1],
    *_kohya_flux(KONTEXT, "flux1 Kontext"),
    Row(
        base=KONTEXT,
        name="flux1 Kontext fal",
        make=file(original("base_model.model.", *FLUX_NAMES, FLUX_OUTSIDE), PEFT),
        alone=REAL_SIZE,
    ),
    *_dit_rows(CHROMA, "chroma"),
    *_kohya_flux(CHROMA, "chroma"),
    Row(
        base=CHROMA,
        name="chroma ai-toolkit",
        make=file(original("diffusion_model.", *FLUX_NAMES, CHROMA_OUTSIDE), PEFT),
        alone=SILENT,
    ),
)

SD3 = stable_diffusion_3.SD3
SD3S = (
    *_dit_rows(SD3, "sd3"),
    Row(
        base=SD3,
        name="sd3 diffusers with text encoders",
        make=parts(
            file(dotted("transformer", "transformer.", BLOCKS), PEFT),
            file(of_clip("text_encoder", "text_encoder.", "."), PEFT),
            file(of_clip("text_encoder_2", "text_encoder_2.", "."), PEFT),
        ),
    ),
    Row(
        base=SD3,
        name="sd3 kohya",
        make=file(original("lora_unet_", SD3_BLOCKS, between="_"), KOHYA, varied),
        alone=SILENT,
    ),
    Row(
        base=SD3,
        name="sd3 kohya with text encoders, every layer",
        make=parts(
            file(original("lora_unet_", SD3_BLOCKS, SD3_OUTSIDE, between="_"), KOHYA),
            file(of_clip("text_encoder", "lora_te1_"), KOHYA),
            file(of_clip("text_encoder_2", "lora_te2_"), KOHYA),
            file(underscored("text_encoder_3", "lora_te3_", T5), KOHYA),
        ),
        alone=SILENT,
    ),
    Row(
        base=SD3,
        name="sd3 ai-toolkit",
        make=file(original("diffusion_model.", SD3_BLOCKS), PEFT),
        alone=SILENT,
    ),
    Row(
        base=SD3,
        name="sd3 OneTrainer",
        make=file(underscored("transformer", "lora_transformer_", BLOCKS), KOHYA),
        alone=REFUSED,
    ),
)

PIXART, AURA, COGVIEW4 = dits.PIXART, dits.AURAFLOW, dits.COGVIEW4
NO_LOADER = "diffusers has no loader for this pipeline"
OTHERS = (
    Row(
        base=PIXART,
        name="pixart diffusers",
        make=file(dotted("transformer", "transformer."), PEFT),
        alone=NO_LOADER,
    ),
    Row(
        base=PIXART,
        name="pixart peft",
        make=file(dotted("transformer", "transformer.base_model.model.", BLOCKS), PEFT),
        alone=NO_LOADER,
    ),
    Row(
        base=PIXART,
        name="pixart OneTrainer",
        make=file(underscored("transformer", "lora_transformer_", BLOCKS), KOHYA, varied),
        alone=NO_LOADER,
    ),
    Row(
        base=PIXART,
        name="pixart kohya",
        make=file(underscored("transformer", "lora_unet_", BLOCKS), KOHYA, varied),
        alone=NO_LOADER,
    ),
    *_dit_rows(AURA, "auraflow"),
    Row(
        base=AURA,
        name="auraflow ComfyUI",
        make=file(original("diffusion_model.", AURAFLOW), PEFT),
        alone=SILENT,
    ),
    Row(
        base=AURA,
        name="auraflow kohya",
        make=file(original("lora_unet_", AURAFLOW, between="_"), KOHYA, varied),
        alone=SILENT,
    ),
    *_dit_rows(COGVIEW4, "cogview4"),
)

WORKED_OUT = "diffusers reads plain factors only; alpha / rank once is what LyCORIS trains with and ComfyUI applies"


def _trained_by_lycoris(base: Base, name: str, spelling: Spelling, algorithm: str) -> Row:
    def make(pipe: Any, seed: int) -> File:
        return lycoris(pipe, spelling(pipe), LYCORIS[algorithm], seed)

    return Row(base=base, name=f"{name} {algorithm}", make=make, alone=WORKED_OUT)


def _trained_by_peft(algorithm: str, prefix: str) -> Row:
    def make(pipe: Any, seed: int) -> File:
        return by_peft(pipe, PEFT_CONFIGS[algorithm], prefix, seed)

    # Of PEFT's own, diffusers reads DoRA, and a weight other than 0 and 1 means there what PEFT means by it.
    alone = None if algorithm == "DoRA" else "PEFT itself has merged it"
    # The second of two DoRAs multiplies what the first made there, so that their order counts; here both start from
    # the base.
    stacked = algorithm != "DoRA"
    return Row(base=SD1, name=f"sd1 PEFT's {algorithm}", make=make, alone=alone, stacked=stacked)


PREFIXES = ("base_model.model.", "unet.base_model.model.", "unet.")
CONVOLUTIONS = r"attentions|resnets|samplers"
ALGORITHMS = (
    *(
        _trained_by_lycoris(SD1, "sd1", underscored("unet", "lora_unet_", CONVOLUTIONS), algorithm)
        for algorithm in LYCORIS
    ),
    *(
        _trained_by_lycoris(SDXL, "sdxl", sai(wanted=r"mid_block|up_blocks\.0.*(resnets|to_q)"), algorithm)
        for algorithm in LYCORIS
    ),
    *(
        _trained_by_lycoris(DEV, "flux1 dev", original("lora_unet_", *FLUX_NAMES, between="_"), algorithm)
        for algorithm in ("LoHa", "LoKr", "LoKr whole", "DoRA", "full")
    ),
    *(_trained_by_peft(algorithm, prefix) for algorithm, prefix in zip(PEFT_CONFIGS, cycle(PREFIXES), strict=False)),
)
ROWS: tuple[Row, ...] = (*UNETS, *SD3S, *FLUXES, *OTHERS, *ALGORITHMS)
