"""Requests for images, and their progress."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from PIL.Image import Image

from connectors.errors import PreviewError, UsageError
from connectors.ref import Ref
from hub_ui.generate.base_models.precision import Quality
from hub_ui.i18n import _

Value = TypeVar("Value")


DEFAULT_STRENGTH = 0.6


class GenerationCancelled(PreviewError):
    """The user stopped it between two steps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoraInput:
    """A LoRA file on this disk. `weight` 0 is the base alone, 1 the full effect; others are allowed.

    `sha256` may be None if unknown. `follows`: the other half of the LoRA before it, with the same weight.
    `text_encoder_scale` times the weight is that of the text encoders ("clip weight"); `block_weights` are those of
    lora/blocks.py, empty for 1 everywhere.
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
    text_encoder_scale: float = 1.0
    block_weights: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationRequest:
    """None means the base's default. `base` is a base model id, a repo, a folder, or a .safetensors or .gguf file.

    `sampler` is a name of generate/samplers.py. `control` is an image; `control_kind` is the conversion ("canny",
    "depth", "pose"), or "ready" for a finished control image. `image` is one to start from, and `strength` how much
    of it is drawn anew: above 0, and 1 for all of it. `frames` is the length of a clip. `emphasis`: prompts are read as
    prompt_weights.py does, not as plain text. `compile`: the network runs compiled where it can (compilation.py).
    `may_fetch` allows the download of a missing base, which can be tens of gigabytes; without `may_complete`, not even
    little is fetched. `quality` chooses the precision of the base; `precision` is that of an image to make again, which
    the base gets where this device can run it.
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
    emphasis: bool = True
    sampler: str | None = None
    control: Path | None = None
    control_kind: str = "canny"
    image: Path | None = None
    strength: float = DEFAULT_STRENGTH
    frames: int | None = None
    compile: bool = False
    may_fetch: bool = False
    may_complete: bool = True
    quality: Quality = "balanced"
    precision: str | None = None

    @property
    def lora_bytes(self) -> int:
        """Of the files of its LoRAs that are on this disk."""
        return sum(adapter.path.stat().st_size for adapter in self.adapters if adapter.path.exists())


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """`done` of `total` (0: unknown). `preview` is a small image, `seconds_left` an estimate for the whole request."""

    stage: str
    done: int
    total: int
    preview: Image | None = None
    seconds_left: float | None = None


OnProgress = Callable[[Step], None]
IsCancelled = Callable[[], bool]


def spread_weights(
    weights: Sequence[Value | None], count: int, names: tuple[str, str] = ("weight", "weights")
) -> Sequence[Value | None]:
    """A weight for each of `count` LoRAs, None where none is given. `names` are what one and several are called."""
    if not weights:
        return [None] * count
    if len(weights) == 1:
        return [weights[0]] * count
    if len(weights) != count:
        one, several = names
        raise UsageError(
            _("LoRAs: {count}, {several}: {n}. Give no {one}, one for all, or one for each.").format(
                count=count, several=several, n=len(weights), one=one
            )
        )
    return list(weights)


def add_other_halves(
    given: Sequence[LoraInput],
    other_half: Callable[[Ref], Ref | None],
    adapter: Callable[[Ref, float | None], LoraInput],
) -> tuple[LoraInput, ...]:
    """Inserts the other file of each two-file LoRA after it, with the same weights, unless it is given already."""
    whole: list[LoraInput] = []
    for one in given:
        whole.append(one)
        half = other_half(one.ref)
        if half is not None and half not in [other.ref for other in given]:
            whole.append(
                replace(
                    adapter(half, one.weight),
                    follows=True,
                    text_encoder_scale=one.text_encoder_scale,
                    block_weights=one.block_weights,
                )
            )
    return tuple(whole)
