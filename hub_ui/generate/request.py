"""What is asked of the preview, and what it answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL.Image import Image

from connectors.errors import PreviewError, UsageError
from connectors.ref import Ref


class GenerationCancelled(PreviewError):
    """The person stopped it between two steps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoraInput:
    """A LoRA file on this disk. `weight` 0 is the base alone, 1 the full effect; it may be negative or above 1.

    `sha256` is of the bytes as they were hashed once; None where nobody has. `follows`: it is the other half of the
    LoRA before it, and takes that one's weight wherever weights are compared.
    """

    ref: Ref
    path: Path
    title: str
    weight: float = 1.0
    trigger_words: tuple[str, ...] = ()
    architecture: str | None = None
    base_model: str | None = None
    sha256: str | None = None
    follows: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationRequest:
    """None leaves a value to the base model's own default. `base` is a base model id, a repo, a folder, or a
    .safetensors checkpoint.

    `sampler` is a name of preview/samplers.py. `control` is a picture to steer by; `control_kind` says what is to be
    made of it ("canny", "depth", "pose"), "ready" for a picture that is a control picture already.
    `frames` is the length of a clip, for bases that draw films. `may_fetch`: whether a base that is not on this disk
    may be downloaded, which can be tens of gigabytes.
    """

    adapters: tuple[LoraInput, ...]
    prompt: str
    negative: str = ""
    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    width: int | None = None
    height: int | None = None
    base: str | None = None
    use_trigger_words: bool = True
    sampler: str | None = None
    control: Path | None = None
    control_kind: str = "canny"
    frames: int | None = None
    may_fetch: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """`done` of `total` parts of one stage; a total of 0 means that nobody knows.

    `preview` is a small rough picture of what is coming, `seconds_left` an estimate for everything that was asked.
    """

    stage: str
    done: int
    total: int
    preview: Image | None = None
    seconds_left: float | None = None


OnProgress = Callable[[Step], None]
IsCancelled = Callable[[], bool]


def spread_weights(weights: Sequence[float], count: int) -> Sequence[float | None]:
    """A weight for each of `count` LoRAs, None where the author's own is meant."""
    if not weights:
        return [None] * count
    if len(weights) == 1:
        return [weights[0]] * count
    if len(weights) != count:
        raise UsageError(f"LoRAs: {count}, weights: {len(weights)}. Give no weight, one for all, or one for each.")
    return list(weights)


def add_other_halves(
    given: Sequence[LoraInput],
    other_half: Callable[[Ref], Ref | None],
    adapter: Callable[[Ref, float | None], LoraInput],
) -> tuple[LoraInput, ...]:
    """After each LoRA that is two files comes the other one, with the same weight, unless it was given itself."""
    whole: list[LoraInput] = []
    for one in given:
        whole.append(one)
        half = other_half(one.ref)
        if half is not None and half not in [other.ref for other in given]:
            whole.append(replace(adapter(half, one.weight), follows=True))
    return tuple(whole)
