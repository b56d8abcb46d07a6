"""What a picture was made from, written into its PNG and read back, so that it can be made again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from connectors.errors import BadRef, UsageError
from connectors.ref import Ref
from hub_ui.preview.job import Adapter, Job, One

KEY = "hub-ui"
# The text chunk most viewers and CivitAI show.
_READABLE = "parameters"
_VERSION = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Stamp:
    """`refs` and `weights` belong together; `prompt` is as typed, so trigger words go in by themselves again."""

    refs: tuple[Ref, ...]
    weights: tuple[float, ...]
    prompt: str
    negative: str
    seed: int
    steps: int
    guidance: float
    width: int
    height: int
    base: str | None
    use_trigger_words: bool

    def job(self, adapter: Callable[[Ref, float], Adapter]) -> Job:
        """The job again. `adapter` finds the file of a pinned ref."""
        return Job(
            adapters=tuple(adapter(ref, weight) for ref, weight in zip(self.refs, self.weights, strict=True)),
            prompt=self.prompt,
            negative=self.negative,
            seed=self.seed,
            steps=self.steps,
            guidance=self.guidance,
            width=self.width,
            height=self.height,
            base=self.base,
            use_trigger_words=self.use_trigger_words,
        )


def save(one: One, job: Job, path: Path) -> None:
    """Writes the picture as PNG with its stamp."""
    info = PngInfo()
    info.add_itxt(KEY, json.dumps(_stamp(one, job), ensure_ascii=False))
    info.add_itxt(_READABLE, readable(one, job))
    one.picture.image.save(path, format="PNG", pnginfo=info)


def readable(one: One, job: Job) -> str:
    report, image = one.report, one.picture.image
    loras = ", ".join(f"{adapter.ref}: {adapter.weight:g}" for adapter in job.adapters)
    return (
        f"{report.prompt}\nNegative prompt: {job.negative}\nSteps: {report.steps}, CFG scale: {report.guidance:g}, "
        f"Seed: {report.seed}, Size: {image.width}x{image.height}, Model: {report.base}, LoRAs: {loras}"
    )


def _stamp(one: One, job: Job) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "loras": [{"ref": str(adapter.ref), "weight": adapter.weight} for adapter in job.adapters],
        "prompt": job.prompt,
        "negative": job.negative,
        "seed": one.report.seed,
        "steps": one.report.steps,
        "guidance": one.report.guidance,
        "width": one.picture.image.width,
        "height": one.picture.image.height,
        # As used, not as asked: which base is picked by itself may change with the next release.
        "base": one.report.base_id or job.base,
        "use_trigger_words": job.use_trigger_words,
    }


def read(path: Path) -> Stamp:
    """Raises UsageError when the file holds no stamp of ours."""
    try:
        with Image.open(path) as image:
            image.load()
            text = image.info.get(KEY)
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise UsageError(f"{path.name} can't be read as a picture.") from error
    if not isinstance(text, str):
        raise UsageError(f"{path.name} does not say what it was made from: hub-ui did not make it, or it was re-saved.")
    try:
        return _parsed(json.loads(text))
    except (ValueError, KeyError, TypeError, BadRef) as error:
        raise UsageError(f"What {path.name} says about itself can't be read ({error}).") from error


def _parsed(data: Mapping[str, Any]) -> Stamp:
    if data["version"] != _VERSION:
        raise ValueError(f"version {data['version']}")
    return Stamp(
        refs=tuple(Ref.parse(lora["ref"]) for lora in data["loras"]),
        weights=tuple(float(lora["weight"]) for lora in data["loras"]),
        prompt=str(data["prompt"]),
        negative=str(data["negative"]),
        seed=int(data["seed"]),
        steps=int(data["steps"]),
        guidance=float(data["guidance"]),
        width=int(data["width"]),
        height=int(data["height"]),
        base=data["base"] if data["base"] is None else str(data["base"]),
        use_trigger_words=bool(data["use_trigger_words"]),
    )
