"""The taxonomy: every spelling of a base model -> one base model -> its architecture.

A hub's own word is looked up by letters and digits only ("Flux.1 D", "flux.1-d"). A repo is looked up whole, then by
its name without the owner, then without the endings that quantised and converted copies carry. An unlisted name
passes through as written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache

from connectors.claims.base_model import BaseModel
from connectors.claims.base_models_image import IMAGE_MODELS
from connectors.claims.base_models_newer import FURTHER_MODELS
from connectors.claims.base_models_stable_diffusion import STABLE_DIFFUSION
from connectors.claims.base_models_video import OTHER_MODELS
from connectors.record import Claim, Source
from connectors.ref import HubName

# How the architectures are called where people read them.
ARCHITECTURES: Mapping[str, str] = {
    "ace-step": "ACE-Step",
    "allegro": "Allegro",
    "amused": "aMUSEd",
    "anima": "Anima",
    "audioldm2": "AudioLDM 2",
    "auraflow": "AuraFlow",
    "boogu": "Boogu",
    "bria": "Bria",
    "bria-fibo": "Bria FIBO",
    "chroma": "Chroma",
    "cogvideox": "CogVideoX",
    "cogview3": "CogView3",
    "cogview4": "CogView4",
    "cosmos": "Cosmos",
    "cosmos3": "Cosmos 3",
    "deepfloyd-if": "DeepFloyd IF",
    "dit": "DiT",
    "dreamlite": "DreamLite",
    "easyanimate": "EasyAnimate",
    "ernie": "ERNIE-Image",
    "f-lite": "F Lite",
    "flux1": "FLUX.1",
    "flux2": "FLUX.2",
    "flux3": "FLUX.3",
    "glm-image": "GLM-Image",
    "hidream": "HiDream",
    "hidream-o1": "HiDream-O1",
    "hunyuan-dit": "Hunyuan-DiT",
    "hunyuan-image": "HunyuanImage",
    "hunyuan-video": "HunyuanVideo",
    "hunyuan-video-1.5": "HunyuanVideo 1.5",
    "hunyuan3d": "Hunyuan3D",
    "i2vgen-xl": "I2VGen-XL",
    "ideogram4": "Ideogram 4",
    "joy-image": "JoyAI Image",
    "kandinsky2": "Kandinsky 2",
    "kandinsky3": "Kandinsky 3",
    "kandinsky5": "Kandinsky 5",
    "kandinsky6": "Kandinsky 6",
    "krea2": "Krea 2",
    "latte": "Latte",
    "lens": "Lens",
    "longcat-audio": "LongCat-AudioDiT",
    "longcat-image": "LongCat-Image",
    "longcat-video": "LongCat-Video",
    "ltx-video": "LTX-Video",
    "ltx-video-2": "LTX-2",
    "lumina-next": "Lumina-Next",
    "lumina2": "Lumina 2",
    "mageflow": "MageFlow",
    "minimax-h3": "MiniMax H3",
    "minimax-music3": "MiniMax Music 3",
    "mochi": "Mochi",
    "modelscope-t2v": "ModelScope T2V",
    "motif-video": "Motif-Video",
    "nucleus-image": "Nucleus-Image",
    "omnigen": "OmniGen",
    "omnigen2": "OmniGen2",
    "ovis-image": "Ovis-Image",
    "pixart": "PixArt",
    "prx": "PRX",
    "qwen-image": "Qwen-Image",
    "qwen-image-2": "Qwen-Image 2",
    "qwen-image-3": "Qwen-Image 3",
    "sana": "Sana",
    "sana-video": "SANA-Video",
    "sd-x4-upscaler": "SD x4 Upscaler",
    "sd1": "Stable Diffusion 1.x",
    "sd2": "Stable Diffusion 2.x",
    "sd3": "Stable Diffusion 3",
    "sdxl": "SDXL",
    "sdxl-refiner": "SDXL Refiner",
    "ssd-1b": "SSD-1B",
    "stable-audio": "Stable Audio Open",
    "stable-audio-3": "Stable Audio 3",
    "stable-cascade": "Stable Cascade",
    "svd": "Stable Video Diffusion",
    "tiny-shapes": "Tiny Shapes",
    "unclip": "unCLIP",
    "wan": "Wan",
    "wuerstchen": "Würstchen",
    "z-image": "Z-Image",
    "zlab-i1": "ZLab i1",
}
# What CivitAI's authors choose when they don't know or it isn't listed: no base model at all.
_NO_BASE = ("other", "unknown", "upscaler")
# Longer than any repo's name; the endings below are taken off one by one, which takes its time on a hostile name.
_LONGEST_NAME = 200
# Endings of repo names that name a copy of the same model: black-forest-labs/FLUX.1-dev-fp8, ...-bnb-4bit, ...-GGUF.
_COPY = re.compile(
    r"[-_.](?:fp8(?:-?e4m3fn)?|fp16|bf16|fp32|int[48]|[48]-?bits?|(?:bnb-)?(?:nf4|[48]-?bits?)|bnb|nvfp4|mxfp8|gguf|awq"
    r"|gptq|hqq|torchao|sdnq[\w-]*|nunchaku|svdq[\w-]*|quanti[sz]ed|quanto|diffusers|comfyui|repackaged|onnx|mlx"
    r"|mirror|copy|clone|safetensors|single-?file|non-?ema|official|hf)$",
    re.IGNORECASE,
)


def by_id(model_id: str) -> BaseModel | None:
    return _ids().get(model_id)


def identify(name: str) -> BaseModel | None:
    """The base model a hub, card or person means by `name`; None for a name that is not listed."""
    if len(name) > _LONGEST_NAME:
        return None
    found = _spelled().get(_key(name))
    if found is not None or "/" not in name:
        return found
    repo = name.rstrip("/").rpartition("/")[2]
    while (found := _spelled().get(_key(repo))) is None:
        shorter = _COPY.sub("", repo)
        if shorter == repo:
            return None
        repo = shorter
    return found


def label(model_id: str) -> str:
    """The name to show for a record's `base_model`; a name that passed through unlisted stays as it is."""
    found = by_id(model_id)
    return found.label if found else model_id


def architecture_label(architecture: str) -> str:
    return ARCHITECTURES.get(architecture, architecture)


def spellings(id_or_architecture: str, hub: HubName) -> tuple[str, ...]:
    """How `hub` writes a base model, or every base model of an architecture: the values for its filter.

    A name we don't list is handed on as written: the hub may know it.
    """
    chosen = tuple(_meant(id_or_architecture))
    found = tuple(name for model in chosen for name in _names(model, hub))
    return found or (() if chosen else (id_or_architecture,))


def is_listed(name: str) -> bool:
    """Whether `name` is a base model or an architecture of these tables, however it is spelled."""
    return next(_meant(name), None) is not None


def listed_names() -> tuple[str, ...]:
    """The names to choose from: architectures, ids and labels."""
    return (*ARCHITECTURES, *(name for model in _all() if model.id not in _NO_BASE for name in (model.id, model.label)))


def base_claims(raw: str, source: Source, where: str) -> tuple[Claim, ...]:
    """base_model, architecture and raw_base_model, all from the one word a hub or card says."""
    claims = [Claim(field="raw_base_model", value=raw, source=source, where=where)]
    found = identify(raw)
    if found is None and _key(raw) not in _NO_BASE:
        claims.append(Claim(field="base_model", value=raw, source=source, where=where))
    if found is not None and found.id not in _NO_BASE:
        claims.append(Claim(field="base_model", value=found.id, source=source, where=where))
        if found.architecture:
            claims.append(Claim(field="architecture", value=found.architecture, source=source, where=where))
    return tuple(claims)


def matches(
    record_base_model: str | None, record_architecture: str | None, raw: str | None, asked: tuple[str, ...]
) -> bool:
    """Whether a record is on one of the `asked` bases: ids, architectures, or names as a hub writes them."""
    if not asked:
        return True
    own = {name.casefold() for name in (record_base_model, record_architecture, raw) if name}
    return any(name.casefold() in own or _is(name, record_base_model) for name in asked)


def _is(name: str, record_base_model: str | None) -> bool:
    if name.casefold() in ARCHITECTURES:
        return False
    found = identify(name)
    return found is not None and found.id == record_base_model


def _meant(name: str) -> Iterator[BaseModel]:
    lowered = name.casefold()
    if lowered in ARCHITECTURES:
        yield from (model for model in _all() if model.architecture == lowered)
    elif found := by_id(lowered) or identify(name):
        yield found


def _names(model: BaseModel, hub: HubName) -> tuple[str, ...]:
    return {"civitai": model.civitai, "huggingface": model.repos, "replicate": ()}[hub]


def _all() -> tuple[BaseModel, ...]:
    return (*STABLE_DIFFUSION, *IMAGE_MODELS, *FURTHER_MODELS, *OTHER_MODELS)


def _key(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum())


@cache
def _ids() -> Mapping[str, BaseModel]:
    return {model.id: model for model in _all()}


@cache
def _spelled() -> Mapping[str, BaseModel]:
    """Every spelling by its letters and digits. A hub's own name wins over another model's nickname."""
    found: dict[str, BaseModel] = {}
    for pick in (_official, _nicknames):
        for model in _all():
            for name in pick(model):
                found.setdefault(_key(name), model)
    return found


def _official(model: BaseModel) -> tuple[str, ...]:
    return (model.id, *model.civitai, *model.repos, *model.also)


def _nicknames(model: BaseModel) -> tuple[str, ...]:
    return (model.label, *model.aliases, *(repo.partition("/")[2] for repo in model.repos))


_NAMED: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), base)
    for pattern, base in (
        (r"tiny[- _]shapes", "tiny-shapes"),
        (
            r"flux[-. _]?2.{0,12}klein.{0,12}base.{0,3}9b|flux[-. _]?2.{0,12}klein.{0,6}9b.{0,3}base",
            "flux.2-klein-9b-base",
        ),
        (
            r"flux[-. _]?2.{0,12}klein.{0,12}base.{0,3}4b|flux[-. _]?2.{0,12}klein.{0,6}4b.{0,3}base",
            "flux.2-klein-4b-base",
        ),
        (r"flux[-. _]?2.{0,12}klein.{0,6}9b", "flux.2-klein-9b"),
        (r"flux[-. _]?2.{0,12}klein.{0,6}4b", "flux.2-klein-4b"),
        (r"flux[-. _]?2(?!\d)", "flux.2-dev"),
        (r"flux.{0,12}kontext", "flux.1-kontext"),
        (r"flux.{0,12}krea", "flux.1-krea"),
        (r"flux.{0,12}schnell", "flux.1-schnell"),
        (r"(?<![a-z])flux", "flux.1-dev"),
        (r"krea[- _]?2(?!\d)", "krea-2"),
        (r"hunyuan[- _]?video[- _]?1[._]5", "hunyuan-video-1.5"),
        (r"hunyuan.{0,2}video|(?<![a-z])hunyuan(?!.{0,2}(?:dit|image|3d))", "hunyuan-video"),
        (r"qwen[- _]?image[- _]?layered", "qwen-image-layered"),
        (r"qwen[- _]?image[- _]?edit|qwen[- _]edit", "qwen-image-edit"),
        (r"qwen[- _]?image", "qwen-image"),
        (r"z[- _]?image[- _]?turbo", "z-image-turbo"),
        (r"(?<![a-z])z[- _]?image", "z-image"),
        (r"(?<![a-z])wan[- _.]?(?:video[- _]?)?2", "wan"),
        (r"(?<![a-z])ltx[- _]?v?(?:ideo)?[- _]?2(?!\d)", "ltx-2"),
        (r"(?<![a-z])ltx[- _]?video", "ltx-video"),
        (r"cogvideo[- _]?x", "cogvideox"),
        (r"hidream", "hidream"),
        (r"minimax[- _]?h3", "minimax-h3"),
        (r"ideogram[- _]?4", "ideogram-4"),
        (r"longcat[- _]?image", "longcat-image"),
        (r"ovis[- _]?image", "ovis-image"),
        (r"glm[- _]?image", "glm-image"),
        (r"ernie[- _]?image", "ernie"),
        (r"hunyuan[- _]?image", "hunyuan-image"),
        (r"kandinsky[- _]?5", "kandinsky-5"),
        (r"cosmos[- _]?predict[- _]?2", "cosmos"),
        (r"(?<![a-z])ace[- _]?step[- _]?v?1[._]?5", "ace-step-1.5"),
        (r"illustrious", "illustrious"),
        (r"noob[- _]?ai", "noobai"),
        (r"animagine", "animagine-xl"),
        (r"(?<!little[- _])(?<![a-z])pony[- _]?(?:xl|v6|diffusion|sdxl)", "pony"),
        (r"(?:(?<![a-z])sd|stable[- _]diffusion[- _]|realvis|juggernaut)[- _]?xl|hotshot[- _]xl", "sdxl-1.0"),
        (r"(?:(?<![a-z])sd|stable[- _]diffusion)[- _]?3[._]5", "sd-3.5"),
        (r"(?:(?<![a-z])sd|stable[- _]diffusion)[- _]?v?1[._-]?5", "sd-1.5"),
    )
)
_LONGEST = 1_000


def named_base(text: str) -> tuple[str, str] | None:
    """The base model that a text names, and the words that name it."""
    for pattern, base in _NAMED:
        if match := pattern.search(text[:_LONGEST]):
            return base, match[0]
    return None
