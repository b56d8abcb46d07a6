"""What the form of the Try page holds, as one value that fits into an address."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from connectors.errors import UsageError
from hub_ui.generate.comparison import ComparisonKind

Value = TypeVar("Value")
Place = Literal["local", "replicate"]
LONGEST_PROMPT = 2000
MOST_PROMPTS = 6
MOST_WEIGHTS = 8
MOST_LORAS = 8
LARGEST_SEED = 2**53
_SIZE = re.compile(r"\s*(\d{1,5})\s*(?:[x×*]\s*(\d{1,5}))?\s*")
_WEIGHT = re.compile(r"[+-]?(?:\d+(?:\.\d{0,4})?|\.\d{1,4})")
_GUIDANCE = re.compile(r"\d{1,3}(?:\.\d{1,4})?")
_NAME = re.compile(r"[\w ./:@\\+()~-]{1,300}")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrySettings:
    """None and empty texts leave a value to the base model. `prompts` are the further rows of a grid.

    `weights` are those of a weight sweep or a grid, of the LoRA at the position `varied`; none are the usual ones.
    """

    prompt: str = ""
    negative: str = ""
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    size: tuple[int, int] | None = None
    base: str = ""
    sampler: str = ""
    use_trigger_words: bool = True
    sheet: ComparisonKind = "pair"
    prompts: tuple[str, ...] = ()
    place: Place = "local"
    weights: tuple[float, ...] = ()
    varied: int = 0

    def to_pairs(self) -> list[tuple[str, str]]:
        """Names and values of an address; what is as usual is left out."""
        size = "" if self.size is None else size_text(self.size)
        named: list[tuple[str, Any]] = [
            ("prompt", self.prompt), ("negative", self.negative), ("seed", self.seed), ("steps", self.steps),
            ("cfg", None if self.guidance is None else f"{self.guidance:g}"), ("size", size), ("on", self.base),
            ("sampler", self.sampler), ("words", "" if self.use_trigger_words else "off"),
            ("sheet", "" if self.sheet == "pair" else self.sheet), *(("row", row) for row in self.prompts),
            ("place", "" if self.place == "local" else self.place), ("weights", weights_text(self.weights)),
            ("varied", self.varied or None),
        ]  # fmt: skip
        return [(name, str(value)) for name, value in named if value not in (None, "")]

    @staticmethod
    def from_pairs(given: Mapping[str, Sequence[str]]) -> TrySettings:
        """Reads what `to_pairs` writes. What can't be understood is left out."""
        one = {name: values[0] for name, values in given.items() if values}
        guidance = one.get("cfg", "")
        return TrySettings(
            prompt=prompt_text(one.get("prompt")),
            negative=prompt_text(one.get("negative")),
            seed=_natural(one.get("seed"), LARGEST_SEED),
            steps=_natural(one.get("steps"), 500) or None,
            guidance=float(guidance) if _GUIDANCE.fullmatch(guidance) else None,
            size=_valid(size_of, one.get("size")),
            base=_name(one.get("on")),
            sampler=_name(one.get("sampler")),
            use_trigger_words=one.get("words") != "off",
            sheet=sheet_kind(one.get("sheet", "pair")),
            prompts=rows_of("\n".join(given.get("row", ()))),
            place="replicate" if one.get("place") == "replicate" else "local",
            weights=_valid(weights_of, one.get("weights")) or (),
            varied=_natural(one.get("varied"), MOST_LORAS - 1) or 0,
        )


def prompt_text(value: object) -> str:
    """On one line, as the tokenizers read it anyway."""
    return " ".join(str(value or "").split())[:LONGEST_PROMPT]


def rows_of(text: str | None) -> tuple[str, ...]:
    """One prompt a line."""
    lines = (prompt_text(line) for line in (text or "").splitlines())
    return tuple(line for line in lines if line)[:MOST_PROMPTS]


def size_text(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"


def size_of(text: str | None) -> tuple[int, int] | None:
    """Width and height; None for an empty text. Raises UsageError for what is no size."""
    if not (text or "").strip():
        return None
    found = _SIZE.fullmatch(text or "")
    if found is None or not int(found[1]):
        raise UsageError("A size is written as width × height in pixels, for example 1024 x 768.")
    return int(found[1]), int(found[2] or found[1])


def weights_text(weights: Sequence[float]) -> str:
    return ", ".join(f"{weight:g}" for weight in weights)


def weights_of(text: str | None) -> tuple[float, ...]:
    """Empty for an empty text. Raises UsageError for what are no weights."""
    written = [part for part in re.split(r"[\s,;]+", (text or "").strip())[: MOST_WEIGHTS + 1] if part]
    if len(written) <= MOST_WEIGHTS and all(_WEIGHT.fullmatch(part) for part in written):
        found = tuple(dict.fromkeys(round(float(part), 2) for part in written))
        if all(-1 <= weight <= 2 for weight in found):
            return found
    raise UsageError(f"Write up to {MOST_WEIGHTS} weights from -1 to 2, for example 0, 0.4, 0.8.")


def sheet_kind(text: str) -> ComparisonKind:
    return text if text in get_args(ComparisonKind) and text != "one" else "pair"  # type: ignore[return-value]


def _valid(parse: Callable[[str | None], Value], text: str | None) -> Value | None:
    try:
        return parse(text)
    except UsageError:
        return None


def _natural(text: str | None, limit: int) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 17 and int(text) <= limit else None


def _name(text: str | None) -> str:
    return text.strip() if text and _NAME.fullmatch(text) else ""
