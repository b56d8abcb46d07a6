"""What is asked of the preview, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL.Image import Image

from connectors.errors import PreviewError
from connectors.ref import Ref


class PreviewCancelled(PreviewError):
    """The person stopped it between two steps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Adapter:
    """A LoRA file on this disk. `weight` 0 is the base alone, 1 the full effect; it may be negative or above 1."""

    ref: Ref
    path: Path
    title: str
    weight: float = 1.0
    trigger_words: tuple[str, ...] = ()
    architecture: str | None = None
    base_model: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """None leaves a value to the base model's own default. `base` is a base model id, a repo, or a folder."""

    adapters: tuple[Adapter, ...]
    prompt: str
    negative: str = ""
    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    width: int | None = None
    height: int | None = None
    base: str | None = None
    use_trigger_words: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """`done` of `total` parts of one stage; a total of 0 means that nobody knows."""

    stage: str
    done: int
    total: int
    preview: Image | None = None


@dataclass(frozen=True, kw_only=True)
class Picture:
    image: Image
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """How a picture came about. `prompt` is as used, trigger words included, and the same for both of a pair.

    `applied` of `total` tensors of all the files took effect; `unmatched` names the others. `base` is for people,
    `base_id` is what a Job takes to have the same base again.
    """

    base: str
    device: str
    applied: int
    total: int
    unmatched: tuple[str, ...]
    switch_seconds: float
    seed: int
    prompt: str
    steps: int
    guidance: float
    base_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class One:
    picture: Picture
    report: Report


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two pictures from the same seed, prompt, steps and guidance: only the LoRAs differ."""

    without: Picture
    with_loras: Picture
    report: Report
