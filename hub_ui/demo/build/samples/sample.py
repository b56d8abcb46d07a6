"""The data of a sample: a LoRA on one hub, with its releases, files and images."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Hub: TypeAlias = Literal["civitai", "huggingface", "replicate"]
Kind: TypeAlias = Literal["character", "style", "concept", "control", "tool"]
Layout: TypeAlias = Literal["kohya", "diffusers", "ai-toolkit", "peft"]
Card: TypeAlias = Literal["uploader", "diffusers", "ai-toolkit", "shelf", "bare"]
Algorithm: TypeAlias = Literal["lora", "loha", "lokr", "dora"]
Json: TypeAlias = dict[str, Any]

PG, PG13, R, X = 1, 2, 4, 8
"""CivitAI's levels of maturity, one bit each. Every picture here is harmless whatever its level says."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A LoRA file that is made up when it is read: `network` names its layers (see networks.py).

    `only` keeps layers with one of these words in their name. `encoders` are prefixes of CLIP text encoders.
    Without an `alpha` none is written. `trained_on` is the checkpoint's file name, where lineages such as Pony show.
    """

    network: str
    layout: Layout
    rank: int
    alpha: float | None = None
    algorithm: Algorithm = "lora"
    only: tuple[str, ...] = ()
    encoders: tuple[str, ...] = ()
    dtype: Literal["F16", "BF16", "F32"] = "BF16"
    trained_on: str = ""
    words: tuple[str, ...] = ()
    silent: bool = False
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A LoRA for the tiny base model, trained and shipped: `name` as in weights/loras.json."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Text:
    """A small file that holds this text."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A zip of training images."""

    pictures: tuple[str, ...]


Content: TypeAlias = Weights | Trained | Text | Archive


@dataclass(frozen=True, kw_only=True)
class File:
    """`kind`, `fp` and `main` are CivitAI's; `access` is what stands before the bytes (see demo/hubs/folder.py)."""

    name: str
    content: Content
    kind: str = "Model"
    fp: str | None = "fp16"
    main: bool = True
    access: str | None = None


@dataclass(frozen=True, kw_only=True)
class Picture:
    """`name` is a recipe for drawing (see drawing/), or a picture that came with a trained LoRA.

    `weight` is the LoRA's in this picture, where that is not the release's.
    """

    name: str
    prompt: str
    level: int = PG
    weight: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> str:
        return f"{self.name}.webp"


@dataclass(frozen=True, kw_only=True)
class Release:
    """A CivitAI version, a Hugging Face commit, a Replicate version.

    `days` is its age, `early` the days until its early access ends, `lead` which picture of a trained LoRA comes first.
    """

    name: str
    days: int
    files: tuple[File, ...] = ()
    pictures: tuple[Picture, ...] = ()
    words: tuple[str, ...] = ()
    weight: float = 1.0
    base: str | None = None
    about: str | None = None
    early: int = 0
    lead: int = 1
    quirks: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One LoRA on one hub; releases newest first.

    `name` is `OWNER/NAME` on Hugging Face and Replicate; CivitAI has the number `id` instead. `base` and `licence` are
    as the hub writes them. `card` is the tool that wrote a Hugging Face card. `quirks` are laid over the hub's object
    at the end: what this one says differently (under `cardData`: over the card's front matter).
    """

    hub: Hub
    name: str
    title: str
    base: str | tuple[str, ...]
    kind: Kind | None
    about: str
    releases: tuple[Release, ...]
    id: int = 0
    creator: str | None = None
    tags: tuple[str, ...] = ()
    licence: str | tuple[str, ...] = ""
    downloads: int | None = 0
    likes: int | None = 0
    deleted: bool = False
    card: Card = "uploader"
    quirks: Mapping[str, Any] = field(default_factory=dict)
