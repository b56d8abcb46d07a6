"""The settings of the Compare page: each is an attribute of `TrySettings` and a block of try_fields.toml, and all that
there is of a field is made from them.

That is the form, what is wrong in it, the address, the arguments of a GenerationRequest and of the endpoint `try`, and
the names that images of other programs have for it.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from connectors.errors import UsageError
from hub_ui.generate import samplers
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.base_models.precision import Quality
from hub_ui.generate.comparison import MAX_LORAS, ComparisonKind
from hub_ui.generate.request import DEFAULT_STRENGTH
from hub_ui.i18n import N_, _

Place = Literal["local", "replicate"]
Drafts = Literal["auto", "always", "never"]
LONGEST_PROMPT = 2000
MOST_PROMPTS = 6
MOST_WEIGHTS = 8
MOST_LORAS = MAX_LORAS
MOST_SEEDS = 4
_FILE = tomllib.loads(Path(__file__).with_name("try_fields.toml").read_text(encoding="utf-8"))
LARGEST_SEED = _FILE["seed"]["most"]
LARGEST_SIDE = 4096
_SIZE = re.compile(r"\s*(\d{1,5})\s*(?:[x×*]\s*(\d{1,5}))?\s*")
_WEIGHT = re.compile(r"[+-]?(?:\d+(?:\.\d{0,4})?|\.\d{1,4})")
_NUMBER = re.compile(r"\d{1,16}(?:\.\d{1,4})?", re.ASCII)
_BLOCKS = re.compile(r"(?:lbw=)?[\w.,+-]{1,800}")
_NAME = re.compile(r"[\w ./:@\\+()~-]{1,300}")
_WEIGHTS = N_("Write up to {most} weights from -1 to 2, for example 0, 0.4, 0.8.")
_CLIP_WEIGHTS = N_("A clip weight is a number from -1 to 2: one for all LoRAs, or one for each, such as 0.5, 1.")


@dataclass(frozen=True, kw_only=True, slots=True)
class TryField:
    """One field. `name` is what the form and the address call it, `attribute` its name in TrySettings.

    `read` makes a value of what is written, "" aside, which is the default: of one text, or of all where it `is_list`.
    It raises UsageError for what is wrong, which is said at the field (`is_checked`). `write` is its other direction.
    A number goes from `least` to `most`, and `wrong` says so; it is a whole one with the mode "numeric".

    In the form it stands in the group `place` (form.html has those with a place of their own), as a line of text, an
    `area`, or a choice of `choices`. With `about` it is an argument of the endpoint, of the type `hint`. `infotext` has
    its names in images, A1111's first.
    """

    attribute: str
    default: Any
    hint: Any
    name: str
    label: str = ""
    is_list: bool = False
    is_checked: bool = False
    least: float = 0
    most: float = 0
    wrong: str = ""
    place: Literal["", "numbers", "images", "expert"] = ""
    is_area: bool = False
    mode: Literal["", "numeric", "decimal"] = ""
    placeholder: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    about: str = ""
    infotext: Sequence[str] = ()

    @property
    def read(self) -> Callable[[Any], Any]:
        return _READ.get(self.attribute, self._number if self.wrong else str)

    @property
    def write(self) -> Callable[[Any], Any]:
        return _WRITE.get(self.attribute, str)

    def suggestions(self) -> Sequence[str]:
        return samplers.names() if self.attribute == "sampler" else ()

    def check(self, text: str) -> str:
        """What is wrong with a text that is written in the field; empty for nothing."""
        try:
            self.value([text])
        except UsageError as error:
            return error.message
        return ""

    def value(self, given: Sequence[str]) -> Any:
        """Raises UsageError."""
        texts = given if self.is_list else given[:1]
        if not any(text.strip() for text in texts):
            return self.default
        return self.read(texts if self.is_list else texts[0])

    def pairs(self, value: Any) -> Iterator[tuple[str, str]]:
        """Those of an address."""
        if value != self.default:
            written = self.write(value)
            yield from ((self.name, text) for text in (written if self.is_list else [written]) if text)

    def _number(self, text: str) -> float:
        is_whole = self.mode == "numeric"
        is_number = _NUMBER.fullmatch(text.strip()) and self.least <= float(text) <= self.most
        if not is_number or (is_whole and "." in text):
            raise UsageError(_(self.wrong).format(most=self.most))
        return int(text) if is_whole else float(text)


def prompt_text(value: object) -> str:
    """On one line, as tokenizers read it anyway."""
    return " ".join(str(value or "").split())[:LONGEST_PROMPT]


def rows_of(text: str | None) -> tuple[str, ...]:
    """One prompt a line."""
    lines = (prompt_text(line) for line in (text or "").splitlines())
    return tuple(line for line in lines if line)[:MOST_PROMPTS]


def size_text(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"


def size_of(text: str) -> tuple[int, int]:
    """Width and height. Raises UsageError for what is no size."""
    found = _SIZE.fullmatch(text)
    if found is None or not int(found[1]):
        raise UsageError(_("A size is written as width × height in pixels, for example 1024 x 768."))
    width, height = int(found[1]), int(found[2] or found[1])
    if max(width, height) > LARGEST_SIDE:
        raise UsageError(_("Each side can have up to {most} pixels.").format(most=LARGEST_SIDE))
    return width, height


def clamp_weight(weight: float) -> float:
    """Within what the page allows."""
    return max(-1.0, min(2.0, weight))


def weights_text(weights: Sequence[float]) -> str:
    return ", ".join(f"{weight:g}" for weight in weights)


def weights_of(text: str, wrong: str = _WEIGHTS) -> tuple[float, ...]:
    """Raises UsageError for what are no weights."""
    written = [part for part in re.split(r"[\s,;]+", text.strip())[: MOST_WEIGHTS + 1] if part]
    if len(written) <= MOST_WEIGHTS and all(_WEIGHT.fullmatch(part) for part in written):
        found = tuple(round(float(part), 2) for part in written)
        if all(-1 <= weight <= 2 for weight in found):
            return found
    raise UsageError(_(wrong).format(most=MOST_WEIGHTS))


def blocks_of(text: str) -> tuple[str, ...]:
    """Those of each LoRA, between semicolons. Whether they fit a base shows only where it is known."""
    parts = tuple("".join(part.split()) for part in text.strip(" ;").split(";"))
    if not any(parts):
        return ()
    if len(parts) > MOST_LORAS or not all(_BLOCKS.fullmatch(part) for part in parts):
        raise UsageError(_("Block weights are a name such as OUTALL, or numbers with commas between: 1,0,0.5."))
    return parts


def _name(text: str) -> str:
    return text.strip() if _NAME.fullmatch(text) else ""


def _one_of(values: Iterable[Any], default: Any) -> Callable[[str], Any]:
    """One of a few values; what is none of them is the default."""
    known = {str(each): each for each in values}
    return lambda text: known.get(text, default)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrySettings:
    """None and "" mean the base's default. The endpoint has its arguments in this order.

    `prompts` are further rows, each from so many `seeds`, `weights` those of LoRA `varied`. `clip_weights` and `blocks`
    (as lora/blocks.py reads them) are one for all LoRAs, or one for each.

    To add one that a GenerationRequest has, add it here and in try_fields.toml:
    tests/hub_ui/web/try_page/test_adding_a_field.py does.
    """

    prompt: str = ""
    negative: str = ""
    base: str = ""
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    size: tuple[int, int] | None = None
    drafts: Drafts = "auto"
    sampler: str = ""
    quality: Quality = "balanced"
    clip_weights: tuple[float, ...] = ()
    blocks: tuple[str, ...] = ()
    strength: float | None = None
    use_trigger_words: bool = True
    # Of the comparison, not of each image.
    sheet: ComparisonKind = "pair"
    prompts: tuple[str, ...] = ()
    seeds: int = 1
    place: Place = "local"
    weights: tuple[float, ...] = ()
    varied: int = 0

    def to_pairs(self) -> list[tuple[str, str]]:
        """Names and values for an address, without the defaults."""
        return [pair for each in TRY_FIELDS for pair in each.pairs(getattr(self, each.attribute))]

    @staticmethod
    def from_pairs(given: Mapping[str, Sequence[str]]) -> "TrySettings":
        """Reads what `to_pairs` writes. Invalid values are left out."""
        values = {each.attribute: each.value(given.get(each.name, ())) for each in TRY_FIELDS if is_right(each, given)}
        return TrySettings(**values)

    def with_defaults(self, base: PipelineSpec | None) -> "TrySettings":
        """With what the base suggests, and what is usual, where nothing is chosen."""
        suggested = {**_USUAL, **{name: value(base) for name, value in SUGGESTED_BY_BASE.items() if base}}
        missing = {name: value for name, value in suggested.items() if getattr(self, name) is None}
        return replace(self, **missing)

    def arguments(self) -> dict[str, Any]:
        """Those of a GenerationRequest: what each image is made with."""
        own = {row.attribute: getattr(self, row.attribute) for row in TRY_FIELDS}
        for name in (*OF_THE_COMPARISON, "size", "drafts"):
            del own[name]
        width, height = self.size or (None, None)
        return own | {
            "base": self.base or None,
            "seed": self.seed or 0,
            "width": width,
            "height": height,
            "draft": {"auto": None, "always": True, "never": False}[self.drafts],
            "sampler": self.sampler or None,
            "strength": DEFAULT_STRENGTH if self.strength is None else self.strength,
        }


_READ: Mapping[str, Callable[[Any], Any]] = {
    "prompt": prompt_text,
    "negative": prompt_text,
    "base": _name,
    "size": size_of,
    "drafts": _one_of(get_args(Drafts), "auto"),
    "sampler": _name,
    "quality": _one_of(get_args(Quality), "balanced"),
    "clip_weights": lambda text: weights_of(text, _CLIP_WEIGHTS),
    "blocks": blocks_of,
    "use_trigger_words": lambda text: text != "off",
    "sheet": _one_of((each for each in get_args(ComparisonKind) if each != "one"), "pair"),
    "prompts": lambda rows: rows_of("\n".join(rows)),
    "seeds": _one_of(range(1, MOST_SEEDS + 1), 1),
    "place": _one_of(get_args(Place), "local"),
    "weights": lambda text: tuple(dict.fromkeys(weights_of(text))),
    "varied": _one_of(range(MOST_LORAS), 0),
}
_WRITE: Mapping[str, Callable[[Any], Any]] = {
    "guidance": "{:g}".format,
    "size": size_text,
    "clip_weights": weights_text,
    "blocks": "; ".join,
    "strength": "{:g}".format,
    "use_trigger_words": lambda on: "" if on else "off",
    "prompts": tuple,
    "weights": weights_text,
}
_USUAL: Mapping[str, Any] = {"seed": 417, "steps": 20, "strength": DEFAULT_STRENGTH}
SUGGESTED_BY_BASE: Mapping[str, Callable[[PipelineSpec], Any]] = {
    "steps": attrgetter("steps"),
    "guidance": attrgetter("guidance"),
    "size": attrgetter("width", "height"),
}
# They choose which images are made, and where.
OF_THE_COMPARISON = ("sheet", "prompts", "seeds", "place", "weights", "varied")


def is_right(row: TryField, given: Mapping[str, Sequence[str]]) -> bool:
    return not row.is_checked or not row.check("".join(given.get(row.name, ())[:1]))


def _fields() -> Iterator[TryField]:
    # An endpoint's caller writes null for no base.
    hints = get_type_hints(TrySettings) | {"base": str | None}
    for each in fields(TrySettings):
        block = {"name": each.name, "hint": hints[each.name], **_FILE.get(each.name, {})}
        yield TryField(attribute=each.name, default=each.default, **block)


TRY_FIELDS: tuple[TryField, ...] = tuple(_fields())
