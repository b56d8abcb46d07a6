"""Comparisons of LoRAs: one at a time is on the base, so that 32 need no more memory than one.

What has been made of one is kept until all of it is there: stopped, or killed, it goes on where it was. Then it is
measured: how far each LoRA's images are from the base's or the others', and as CLIP sees them, from their prompt.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

from PIL import ImageChops, ImageStat
from PIL.Image import Image, Resampling

from connectors.errors import DoesNotFit, NoBase
from hub_ui.base.format import sentences
from hub_ui.base.i18n import _
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.base_models.download import RepoCache
from hub_ui.generate.compare.comparison import Cell, Comparison, lora_slices
from hub_ui.generate.request import Callbacks, GenerationCancelled, GenerationRequest, Step
from hub_ui.generate.result import GeneratedImage, GenerationResult, Measure, Measures, application_of

# A CLIP as safetensors, by laion, of OpenAI's smallest size: its images and texts are near each other that fit.
CLIP, CLIP_COMMIT = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "1a25a446712ba5ee05982a381eed697ef9b435cf"
# Sides of the images that are compared: smaller than noise and fine grain.
_SIDE = 64

Generate = Callable[[GenerationRequest, Comparison, Callbacks], GenerationResult]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """The images of one LoRA. `columns` are its columns in the whole comparison."""

    request: GenerationRequest
    comparison: Comparison
    columns: range


class Unfinished(Protocol):
    """Where the results of parts are until the comparison is whole."""

    def find(self, part: Part) -> GenerationResult | None: ...

    def add(self, part: Part, made: GenerationResult) -> None: ...

    def clear(self) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """`kept` are the positions of the LoRAs that fit `base`; `aside` says why each of the others stands aside."""

    kept: tuple[int, ...]
    base: str | None
    aside: tuple[str, ...]


def fit(request: GenerationRequest, choose: Callable[[GenerationRequest], PipelineSpec]) -> Fit:
    """Which LoRAs of a request fit one base: the request's, or the one that most of them are made for.

    `choose` finds the base of a request, as plan.choose_spec. Raises DoesNotFit where no two are left to compare.
    """
    loras = [request.adapters[place.start : place.stop] for place in lora_slices(request)]
    base = request.base
    if base is None and loras:
        made_for = [(lora[0].architecture, lora[0].base_model) for lora in loras]
        most = made_for.index(Counter(made_for).most_common(1)[0][0])
        base = choose(replace(request, adapters=loras[most])).id
    kept: list[int] = []
    aside: list[str] = []
    for number, lora in enumerate(loras):
        try:
            choose(replace(request, adapters=lora, base=base))
            kept.append(number)
        except (DoesNotFit, NoBase) as error:
            aside.append(_stands_aside(lora[0].title, error.message))
    if len(kept) < 2 and aside:
        raise DoesNotFit(sentences(*aside))
    return Fit(kept=tuple(kept), base=base, aside=tuple(aside))


def generate(
    make: Generate,
    request: GenerationRequest,
    comparison: Comparison,
    callbacks: Callbacks,
    unfinished: Unfinished | None = None,
) -> GenerationResult:
    """All images of a comparison of the kind "loras". A LoRA whose file turns out not to fit stands aside.

    Raises what `make` raises; DoesNotFit only where no LoRA fits.
    """
    parts, made, aside = split(request, comparison), list[tuple[Part, GenerationResult]](), list[str]()
    for number, part in enumerate(parts):
        found = unfinished.find(part) if unfinished else None
        if found is None:
            try:
                found = make(part.request, part.comparison, _of_all(callbacks, number, len(parts)))
            except DoesNotFit as error:
                if len(parts) == len(aside) + 1:
                    raise
                aside.append(_stands_aside(part.request.adapters[0].title, error.message))
                continue
            except GenerationCancelled as error:
                if unfinished is None or not made:
                    raise
                text = _(
                    "Stopped. The images of {n} of {count} LoRAs are kept: the same comparison, from seed {seed}, goes "
                    "on from there."
                )
                raise GenerationCancelled(text.format(n=len(made), count=len(parts), seed=request.seed)) from error
            if unfinished:
                unfinished.add(part, found)
        made.append((part, found))
    whole = _join(request, comparison, made, aside)
    if len(made) > 1:
        measures = measure([each.image for each in whole.images], whole.comparison, find_clip())
        whole = replace(whole, report=replace(whole.report, measures=measures))
    if unfinished:
        unfinished.clear()
    return whole


def split(request: GenerationRequest, comparison: Comparison) -> tuple[Part, ...]:
    """One part for each LoRA, with its columns."""
    loras, many = lora_slices(request), len(comparison.columns)
    each = many // len(loras)
    parts = []
    for number, place in enumerate(loras):
        columns = range(number * each, (number + 1) * each)
        own = replace(request, adapters=request.adapters[place.start : place.stop])
        cells = tuple(
            replace(cell, weights=cell.weights[place.start : place.stop])
            for at, cell in enumerate(comparison.cells)
            if at % many in columns
        )
        names = comparison.columns[columns.start : columns.stop]
        parts.append(Part(request=own, comparison=replace(comparison, columns=names, cells=cells), columns=columns))
    return tuple(parts)


def _join(
    request: GenerationRequest,
    comparison: Comparison,
    made: Sequence[tuple[Part, GenerationResult]],
    aside: Sequence[str],
) -> GenerationResult:
    """The comparison of the LoRAs that were made. What all of them share is said once."""
    adapters = tuple(adapter for part, _found in made for adapter in part.request.adapters)
    own = [i for i, adapter in enumerate(request.adapters) if adapter in adapters]
    cells, images = list[Cell](), list[GeneratedImage]()
    for row in range(len(comparison.rows)):
        for part, found in made:
            images += found.images[row * len(part.columns) : (row + 1) * len(part.columns)]
            cells += (comparison.cells[row * len(comparison.columns) + column] for column in part.columns)
    reports = [found.report for _part, found in made]
    report = replace(
        reports[0],
        coverage=tuple(coverage for each in reports for coverage in each.coverage),
        switch_seconds=sum(each.switch_seconds for each in reports),
        notes=(*aside, *dict.fromkeys(note for each in reports for note in each.notes)),
        rows=max(each.rows for each in reports),
        adapters=application_of(reports),
    )
    whole = replace(
        comparison,
        columns=tuple(comparison.columns[column] for part, _found in made for column in part.columns),
        cells=tuple(replace(cell, weights=tuple(cell.weights[i] for i in own)) for cell in cells),
    )
    return GenerationResult(
        request=replace(request, adapters=adapters), comparison=whole, images=tuple(images), report=report
    )


def _of_all(callbacks: Callbacks, number: int, count: int) -> Callbacks:
    """Progress of one part as that of the whole: all parts have equally many images."""

    def report(step: Step) -> None:
        left = step.seconds_left
        if left is not None and step.done < step.total:
            left += (count - number - 1) * left * step.total / (step.total - step.done)
        name = _("LoRA {n} of {count}: {stage}").format(n=number + 1, count=count, stage=step.stage)
        done = number * step.total + step.done
        callbacks.on_progress(replace(step, stage=name, done=done, total=count * step.total, seconds_left=left))

    return replace(callbacks, on_progress=report)


def _stands_aside(title: str, reason: str) -> str:
    return _("“{title}” stands aside: {reason}").format(title=title, reason=reason)


def find_clip(cache: Path | None = None) -> Path | None:
    """The folder of CLIP in Hugging Face's cache; None where it is not there. It is never downloaded unasked."""
    folder = RepoCache(CLIP, cache).snapshot(CLIP_COMMIT)
    return folder if (folder / "model.safetensors").is_file() else None


def no_clip() -> str:
    """What measures lack without it, and how to get it."""
    text = _(
        "How well each LoRA keeps the prompt is measured by CLIP (605 MB, MIT licence), which is not on this disk. "
        "Fetch it with “hf download {repo} --revision {commit}”, and make the sheet again."
    )
    return text.format(repo=CLIP, commit=CLIP_COMMIT)


def measure(images: Sequence[Image], comparison: Comparison, clip: Path | None) -> Measures:
    """`images` are those of the cells. `clip` is the folder of a CLIP."""
    cells, columns = comparison.cells, len(comparison.columns)
    base = {(cell.prompt, cell.seed): at for at, cell in enumerate(cells) if not any(cell.weights)}
    has_base = all((cell.prompt, cell.seed) in base for cell in cells)
    on = [tuple(map(bool, cell.weights)) for cell in cells]
    # Of the same prompt and seed.
    references = [
        [base[cell.prompt, cell.seed]]
        if has_base
        else [other for other in range(at - at % columns, at - at % columns + columns) if on[other] != on[at]]
        for at, cell in enumerate(cells)
    ]
    small = [image.convert("RGB").resize((_SIDE, _SIDE), Resampling.BOX) for image in images]
    change = [fmean(_difference(small[at], small[other]) for other in others) for at, others in enumerate(references)]
    measures = Measures(against="base" if has_base else "others", change=_by_column(change, columns))
    if clip is None:
        return measures
    # Without the trigger words, which are each LoRA's own, where there is anything else.
    rows = [comparison.rows[at // columns].removesuffix(f" · seed {cell.seed}") for at, cell in enumerate(cells)]
    seen, texts = _see(clip, images, [row or cell.prompt for row, cell in zip(rows, cells, strict=True)])
    seen_change = [1 - fmean(float(seen[at] @ seen[other]) for other in others) for at, others in enumerate(references)]
    return replace(
        measures,
        model=f"{CLIP}@{CLIP_COMMIT}",
        seen_change=_by_column(seen_change, columns),
        prompt=_by_column([float(one @ text) for one, text in zip(seen, texts, strict=True)], columns),
    )


def _difference(one: Image, other: Image) -> float:
    return fmean(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 255


def _see(clip: Path, images: Sequence[Image], prompts: Sequence[str]) -> tuple[Any, Any]:
    """The embeddings of images and of their prompts, each of length 1."""
    import torch
    from transformers import CLIPModel, CLIPProcessor

    model: Any = CLIPModel.from_pretrained(clip, local_files_only=True, use_safetensors=True)
    processor: Any = CLIPProcessor.from_pretrained(clip, local_files_only=True)
    pictures = [image.convert("RGB") for image in images]
    inputs = processor(text=list(prompts), images=pictures, return_tensors="pt", padding=True, truncation=True)
    with torch.inference_mode():
        found = model.eval()(**inputs)
    return found.image_embeds.double(), found.text_embeds.double()


def _by_column(values: Sequence[float], columns: int) -> tuple[Measure, ...]:
    """Of values in the order of the cells."""
    each = [values[column::columns] for column in range(columns)]
    return tuple(Measure(mean=round(fmean(one), 4), low=round(min(one), 4), high=round(max(one), 4)) for one in each)
