"""Build comparisons: cells with the same seed, size and base that differ in one setting. Add trigger words."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from connectors.errors import UsageError
from hub_ui.base.i18n import _
from hub_ui.generate.request import GenerationRequest, LoraInput


def trigger_words(adapters: Sequence[LoraInput]) -> tuple[str, ...]:
    """Return the trigger words of all LoRAs in order, without repetition."""
    words = (_plain(word) for adapter in adapters for word in adapter.trigger_words)
    return tuple(dict.fromkeys(word for word in words if word))


def add_words(prompt: str, words: Iterable[str]) -> str:
    """Put missing words in front of the prompt, in the author's order and without repetition."""
    prompt = prompt.strip()
    missing: list[str] = []
    for word in map(_plain, words):
        if word and not any(re.search(_pattern(word), text, re.IGNORECASE) for text in (prompt, *missing)):
            missing.append(word)
    return ", ".join([*missing, prompt] if prompt else missing)


def remove_words(prompt: str, words: Iterable[str]) -> str:
    """Return the prompt without the words and the commas after them."""
    for word in sorted(words, key=len, reverse=True):
        prompt = re.sub(_pattern(word), "", prompt, flags=re.IGNORECASE)
    parts = (" ".join(part.split()) for part in prompt.split(","))
    return ", ".join(part for part in parts if part)


def _plain(word: str) -> str:
    return " ".join(word.split()).strip(" ,")


def _pattern(word: str) -> str:
    """Return a pattern that matches a whole word or phrase with any spaces: "ink" does not match "drinking"."""
    phrase = r"\s+".join(re.escape(part) for part in word.split())
    return rf"(?<!\w){phrase}(?!\w)"


ComparisonKind = Literal["one", "pair", "strip", "trigger", "both", "loras", "grid"]
DEFAULT_SWEEP = (0.0, 0.3, 0.6, 0.9, 1.2)
# 32 LoRAs with three prompts, or 12 with four prompts and two seeds.
MAX_CELLS = 96
MAX_LORAS = 32
_LONGEST_TITLE = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One image. `prompt` includes trigger words, and `weights` has a weight for each LoRA: all 0 is the base alone.

    A `seed` of None is the request's seed.
    """

    label: str
    prompt: str
    weights: tuple[float, ...]
    seed: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The cells of a comparison in row order, and the labels of its rows and columns."""

    kind: ComparisonKind
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[Cell, ...]


def single(request: GenerationRequest) -> Comparison:
    """Return one image with all LoRAs, or with the base alone if there are no LoRAs."""
    own = _own_weights(request)
    label = _name_loras(request, own) or "the base alone"
    return _one_row("one", Cell(label=label, prompt=prompt_as_used(request), weights=own))


def before_after(request: GenerationRequest) -> Comparison:
    """Return a pair without and with the LoRAs, for the same prompt."""
    _need_lora(request, "A pair needs a LoRA to leave out and put on. Choose one.")
    prompt, own = prompt_as_used(request), _own_weights(request)
    return _one_row(
        "pair",
        Cell(label="without", prompt=prompt, weights=(0.0,) * len(own)),
        Cell(label=f"with {_name_loras(request, own)}", prompt=prompt, weights=own),
    )


def weight_sweep(
    request: GenerationRequest,
    weights: Sequence[float] = DEFAULT_SWEEP,
    varied: int = 0,
    prompts: Sequence[str] | None = None,
) -> Comparison:
    """Return the LoRA at position `varied` with several weights; the other LoRAs keep their weights.

    With `prompts` the result is a grid with a row for each prompt.
    """
    _need_lora(request, "This comparison needs a LoRA whose weight it can turn up. Choose one.")
    rows = _prompt_rows(prompts or ())
    if prompts is not None and not rows:
        raise UsageError(_("A grid needs at least one prompt. Write one in each line."))
    _check_weights(weights, len(rows) or 1)
    cells = tuple(
        Cell(
            label=" · ".join(filter(None, (_shorten(row or ""), _swept_label(request, varied, weight)))),
            prompt=prompt_as_used(request, row),
            weights=_with_weight(request, varied, weight),
        )
        for row in rows or (None,)
        for weight in weights
    )
    kind: ComparisonKind = "grid" if rows else "strip"
    titles = rows or (sweep_title(request, varied),)
    return Comparison(kind=kind, rows=titles, columns=tuple(f"{weight:g}" for weight in weights), cells=cells)


def trigger_comparison(request: GenerationRequest) -> Comparison:
    """Return two images with the LoRAs. Only the second prompt has their trigger words."""
    _need_lora(request, "Trigger words belong to a LoRA. Choose one.")
    words = trigger_words(request.adapters)
    if not words:
        raise UsageError(_("No trigger words are known for this LoRA, so nothing can be compared. Try a pair instead."))
    without, label = remove_words(request.prompt, words), f"“{_shorten(', '.join(words))}”"
    return _one_row(
        "trigger",
        Cell(label=f"without {label}", prompt=without, weights=_own_weights(request)),
        Cell(label=f"with {label}", prompt=add_words(without, words), weights=_own_weights(request)),
    )


def lora_combinations(request: GenerationRequest) -> Comparison:
    """Return four images for two LoRAs: neither, the first, the second, and both."""
    loras = lora_slices(request)
    if len(loras) != 2:
        raise UsageError(_("This comparison needs two LoRAs, and there are {n}. Choose two.").format(n=len(loras)))
    prompt, own, split = prompt_as_used(request), _own_weights(request), loras[0].stop
    off = (0.0,) * len(own)
    choices = (off, (*own[:split], *off[split:]), (*off[:split], *own[split:]), own)
    return _one_row(
        "both", *(Cell(label=_name_loras(request, w) or "without", prompt=prompt, weights=w) for w in choices)
    )


def lora_columns(
    request: GenerationRequest, prompts: Sequence[str] = (), seeds: int = 1, weights: Sequence[float] = ()
) -> Comparison:
    """Return a column for each LoRA alone, with its trigger words, at its own weight or at each of `weights`.

    There is a row for each prompt and each of `seeds` seeds, counted from the request's seed.
    """
    loras = lora_slices(request)
    if not 2 <= len(loras) <= MAX_LORAS:
        message = _("2 to {most} LoRAs can be compared, and there are {n}.")
        raise UsageError(message.format(most=MAX_LORAS, n=len(loras)))
    # Keep one empty prompt, because trigger words alone make a prompt.
    texts = _prompt_rows(prompts) or (" ".join(request.prompt.split()),)
    _check_weights(weights or (1.0,), len(texts) * seeds * len(loras))
    names, own = _distinct_names(request), _own_weights(request)
    columns = [(place, weight) for place in loras for weight in weights or (own[place.start],)]
    labels = tuple(f"{names[place.start]} {weight:g}" for place, weight in columns)
    rows = [(text, request.seed + number) for text in texts for number in range(seeds)]
    titles = tuple(text if seeds == 1 else f"{text} · seed {seed}" for text, seed in rows)
    cells = tuple(
        Cell(
            label=f"{_shorten(title)} · {label}" if len(rows) > 1 else label,
            prompt=prompt_as_used(replace(request, adapters=request.adapters[place.start : place.stop]), text),
            weights=tuple(weight if i in place else 0.0 for i in range(len(own))),
            seed=seed,
        )
        for (text, seed), title in zip(rows, titles, strict=True)
        for (place, weight), label in zip(columns, labels, strict=True)
    )
    return Comparison(kind="loras", rows=titles, columns=labels, cells=cells)


def make_comparison(
    kind: ComparisonKind,
    request: GenerationRequest,
    prompts: Sequence[str] = (),
    weights: Sequence[float] = (),
    varied: int = 0,
    seeds: int = 1,
) -> Comparison:
    """Build a comparison of this kind. Kinds ignore arguments that they don't use.

    `prompts` and `seeds` make rows; `weights` apply to the LoRA at position `varied` in a sweep or a grid.
    """
    if kind in ("strip", "grid"):
        return weight_sweep(request, weights or DEFAULT_SWEEP, varied, prompts if kind == "grid" else None)
    if kind == "loras":
        return lora_columns(request, prompts, seeds, weights)
    return {"one": single, "pair": before_after, "trigger": trigger_comparison, "both": lora_combinations}[kind](
        request
    )


def prompt_as_used(request: GenerationRequest, prompt: str | None = None) -> str:
    """Return `prompt`, or else the request's, with the trigger words if the request uses them."""
    words = trigger_words(request.adapters) if request.use_trigger_words else ()
    return add_words(request.prompt if prompt is None else prompt, words)


def weight_range(low: float, high: float, count: int) -> tuple[float, ...]:
    """Return `count` evenly spaced weights from `low` to `high`."""
    return tuple(round(low + (high - low) * i / (count - 1), 2) for i in range(count))


def sweep_around(recommended: float | None) -> tuple[float, ...]:
    """Return five weights from 0: the recommended one is the third, or the fourth if it is over 0.75."""
    if recommended is None or not 0.2 <= recommended <= 1.5:
        return DEFAULT_SWEEP
    top = 2 * recommended if recommended <= 0.75 else recommended * 4 / 3
    return weight_range(0, min(2, top), 5)


def lora_slices(request: GenerationRequest) -> tuple[range, ...]:
    """Return the positions of each LoRA's adapters: a LoRA of two files has two adapters."""
    starts = [i for i, adapter in enumerate(request.adapters) if not i or not adapter.follows]
    return tuple(range(*ends) for ends in pairwise([*starts, len(request.adapters)]))


def find_swept_lora(request: GenerationRequest, comparison: Comparison) -> int:
    """Return the position of the first LoRA whose weight varies between cells, counted from 0."""
    several = (len({cell.weights[place.start] for cell in comparison.cells}) > 1 for place in lora_slices(request))
    return next((i for i, found in enumerate(several) if found), 0)


def sweep_title(request: GenerationRequest, varied: int = 0) -> str:
    """Return the title of a sweep, such as "Ink, with Paper 0.5": the varied LoRA, and the others' weights."""
    others = _name_loras(request, _with_weight(request, varied, 0.0))
    name = swept_name(request, varied)
    return f"{name}, with {others}" if others else name


def swept_name(request: GenerationRequest, varied: int = 0) -> str:
    """Return the name of the LoRA whose weight varies."""
    return _shorten(request.adapters[lora_slices(request)[varied].start].title)


def _swept_label(request: GenerationRequest, varied: int, weight: float) -> str:
    name = swept_name(request, varied)
    return f"{name} {weight:g}" if weight else f"without {name}"


def _one_row(kind: ComparisonKind, *cells: Cell) -> Comparison:
    return Comparison(kind=kind, rows=("",), columns=tuple(cell.label for cell in cells), cells=cells)


def _prompt_rows(prompts: Sequence[str]) -> tuple[str, ...]:
    return tuple(" ".join(prompt.split()) for prompt in prompts if prompt.strip())


def _distinct_names(request: GenerationRequest) -> list[str]:
    """Return the LoRAs' titles. Equal titles, as of the epochs of a training, get the file or the version as well."""
    titles = Counter(adapter.title for adapter in request.adapters if not adapter.follows)
    return [
        _shorten(adapter.title)
        if titles[adapter.title] == 1
        else f"{_shorten(adapter.title)} ({adapter.path.stem or adapter.ref.version or adapter.ref.id})"
        for adapter in request.adapters
    ]


def _own_weights(request: GenerationRequest) -> tuple[float, ...]:
    return tuple(adapter.weight for adapter in request.adapters)


def _with_weight(request: GenerationRequest, varied: int, weight: float) -> tuple[float, ...]:
    own, changed = _own_weights(request), lora_slices(request)[varied]
    return (*own[: changed.start], *[weight] * len(changed), *own[changed.stop :])


def _need_lora(request: GenerationRequest, message: str) -> None:
    if not request.adapters:
        raise UsageError(message)


def _check_weights(weights: Sequence[float], rows: int) -> None:
    if not weights or not all(math.isfinite(weight) for weight in weights):
        raise UsageError(_("Weights are numbers such as 0, 0.5 and 1. Give at least one."))
    if rows * len(weights) > MAX_CELLS:
        text = _(
            "That would be {rows} images, and a comparison has room for {max_cells}. Take fewer weights or "
            "fewer prompts."
        )
        raise UsageError(text.format(rows=rows * len(weights), max_cells=MAX_CELLS))


def _name_loras(request: GenerationRequest, weights: Sequence[float]) -> str:
    """Return "Ink 0.8 + Paper 0.5", without weights of 0. A LoRA of two files appears once."""
    used = ((adapter, weight) for adapter, weight in zip(request.adapters, weights, strict=True) if weight)
    return " + ".join(f"{_shorten(adapter.title)} {weight:g}" for adapter, weight in used if not adapter.follows)


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_TITLE else text[: _LONGEST_TITLE - 1].rstrip() + "…"
