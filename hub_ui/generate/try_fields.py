"""The settings of the Compare page: each is one row of `TrySettings`, and all that there is of a field is made from it.

That is the form, what is wrong in it, the address, the arguments of a GenerationRequest and of the endpoint `try`, and
the names that images of other programs have for it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal, get_args, get_type_hints

from connectors.errors import UsageError
from hub_ui.base.i18n import N_, _
from hub_ui.generate import samplers
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.base_models.table import Quality
from hub_ui.generate.compare.comparison import MAX_LORAS, ComparisonKind
from hub_ui.generate.request import DEFAULT_STRENGTH

Place = Literal["local", "replicate"]
Drafts = Literal["auto", "always", "never"]
LONGEST_PROMPT = 2000
MOST_PROMPTS = 6
MOST_WEIGHTS = 8
MOST_LORAS = MAX_LORAS
MOST_SEEDS = 4
LARGEST_SEED = 2**53
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
    `usual` stands in the field where nothing is chosen, and `of_base` what the base suggests.

    In the form it stands in the group `place` (form.html has those with a place of their own), as a line of text, an
    `area`, or a choice of `choices`. `request` makes arguments of a GenerationRequest, by default the attribute's own.
    With `about` it is an argument of the endpoint, of the type `hint`, by default the attribute's. `infotext` has its
    names in images, A1111's first.
    """

    name: str
    label: str = ""
    read: Callable[[Any], Any] = str
    write: Callable[[Any], Any] = str
    is_list: bool = False
    is_checked: bool = False
    usual: Any = None
    of_base: Callable[[PipelineSpec], Any] | None = None
    place: Literal["", "numbers", "images", "expert"] = ""
    is_area: bool = False
    mode: Literal["", "numeric", "decimal"] = ""
    placeholder: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    suggestions: Callable[[], Sequence[str]] = tuple
    request: Callable[[Any], Mapping[str, Any]] | None = None
    about: str = ""
    hint: Any = None
    infotext: tuple[str, ...] = ()
    attribute: str = ""
    default: Any = None

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


def number(name: str, label: str, least: float, most: float, wrong: str, *, mode: Any = "decimal", **rest: Any) -> Any:
    """A number from `least` to `most`, a whole one with the mode "numeric"."""

    def read(text: str) -> float:
        if _NUMBER.fullmatch(text.strip()) is None or not least <= float(text) <= most:
            raise UsageError(_(wrong).format(most=most))
        if mode == "numeric" and "." in text:
            raise UsageError(_(wrong).format(most=most))
        return int(text) if mode == "numeric" else float(text)

    written = (lambda value: f"{value:g}") if mode == "decimal" else str
    return TryField(name=name, label=label, read=read, write=written, mode=mode, is_checked=True, **rest)


def choice(name: str, values: Iterable[Any], default: Any, **rest: Any) -> TryField:
    """One of a few values; what is none of them is the default."""
    known = {str(each): each for each in values}
    return TryField(name=name, read=lambda text: known.get(text, default), **rest)


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


def _or_none(name: str) -> Callable[[str], Mapping[str, Any]]:
    return lambda value: {name: value or None}


@dataclass(frozen=True, kw_only=True, slots=True)
class TrySettings:
    """One row a field. None and "" mean the base's default. The endpoint has its arguments in this order.

    `prompts` are further rows, each from so many `seeds`, `weights` those of LoRA `varied`. `clip_weights` and `blocks`
    (as lora/blocks.py reads them) are one for all LoRAs, or one for each.

    To add one that a GenerationRequest has, add a row: tests/hub_ui/test_adding_a_row.py does.
    """

    prompt: Annotated[str, TryField(name="prompt", read=prompt_text)] = ""
    negative: Annotated[
        str,
        TryField(
            name="negative",
            label=N_("Negative prompt"),
            read=prompt_text,
            place="expert",
            is_area=True,
            placeholder=N_("What should not be in it?"),
            about="What the image should not show.",
            infotext=("Negative prompt", "negativePrompt", "negative_prompt"),
        ),
    ] = ""
    base: Annotated[
        str,
        TryField(
            name="on",
            read=_name,
            request=_or_none("base"),
            about="The base model to generate with, as sdxl-1.0 or flux.1-dev. Default: the one that fits the LoRAs.",
            hint=str | None,
        ),
    ] = ""
    seed: Annotated[
        int | None,
        number(
            "seed",
            N_("Seed"),
            0,
            LARGEST_SEED,
            N_("A seed is a whole number from 0 to {most}. Press ⟳ for one."),
            mode="numeric",
            usual=417,
            place="numbers",
            request=lambda seed: {"seed": seed or 0},
            about="The same seed gives the same image. Default: a random one.",
            infotext=("Seed", "seed"),
        ),
    ] = None
    steps: Annotated[
        int | None,
        number(
            "steps",
            N_("Steps"),
            1,
            500,
            N_("Choose between 1 and {most} steps."),
            mode="numeric",
            usual=20,
            of_base=lambda base: base.steps,
            place="numbers",
            about="How many steps. Default: the base's own.",
            infotext=("Steps", "steps", "num_inference_steps"),
        ),
    ] = None
    guidance: Annotated[
        float | None,
        number(
            "cfg",
            N_("Guidance"),
            0,
            100,
            N_("Guidance is a number from 0 to 100, such as 7."),
            of_base=lambda base: base.guidance,
            place="expert",
            about="How closely the prompt is followed. Default: the base's own.",
            # Of FLUX, the first is what pipelines call guidance: Forge writes a CFG scale of 1 beside it.
            infotext=("Distilled CFG Scale", "CFG scale", "cfgScale", "guidance_scale", "guidance", "Guidance Scale"),
        ),
    ] = None
    size: Annotated[
        tuple[int, int] | None,
        TryField(
            name="size",
            label=N_("Size"),
            read=size_of,
            write=size_text,
            is_checked=True,
            of_base=lambda base: (base.width, base.height),
            place="numbers",
            placeholder="1024 × 1024",
            request=lambda size: dict(zip(("width", "height"), size or (None, None), strict=True)),
            infotext=("Size",),
        ),
    ] = None
    drafts: Annotated[
        Drafts,
        choice(
            "drafts",
            get_args(Drafts),
            "auto",
            label=N_("Drafts"),
            place="expert",
            choices={"auto": N_("sheets of over a minute"), "always": N_("always"), "never": N_("never")},
            request=lambda drafts: {"draft": {"auto": None, "always": True, "never": False}[drafts]},
        ),
    ] = "auto"
    sampler: Annotated[
        str,
        TryField(
            name="sampler",
            label=N_("Sampler"),
            read=_name,
            place="expert",
            placeholder=N_("the base's own"),
            suggestions=samplers.names,
            request=_or_none("sampler"),
            infotext=("Sampler", "sampler"),
        ),
    ] = ""
    quality: Annotated[
        Quality,
        choice(
            "quality",
            get_args(Quality),
            "balanced",
            label=N_("Quality of a base too large for this GPU"),
            place="expert",
            choices={"fast": N_("fast"), "balanced": N_("balanced"), "full": N_("full precision")},
        ),
    ] = "balanced"
    clip_weights: Annotated[
        tuple[float, ...],
        TryField(
            name="clip",
            label=N_("Clip weight"),
            read=lambda text: weights_of(text, _CLIP_WEIGHTS),
            write=weights_text,
            is_checked=True,
            place="expert",
            placeholder=N_("as the weight"),
        ),
    ] = ()
    blocks: Annotated[
        tuple[str, ...],
        TryField(
            name="blocks",
            label=N_("Block weights"),
            read=blocks_of,
            write="; ".join,
            is_checked=True,
            place="expert",
            placeholder=N_("such as OUTALL"),
        ),
    ] = ()
    strength: Annotated[
        float | None,
        number(
            "strength",
            N_("Strength"),
            0.01,
            1,
            N_("Strength is a number above 0 and up to 1, such as 0.6."),
            usual=DEFAULT_STRENGTH,
            place="images",
            request=lambda strength: {"strength": DEFAULT_STRENGTH if strength is None else strength},
        ),
    ] = None
    use_trigger_words: Annotated[
        bool, TryField(name="words", read=lambda text: text != "off", write=lambda on: "" if on else "off")
    ] = True
    # Of the comparison, not of each image.
    sheet: Annotated[
        ComparisonKind, choice("sheet", (each for each in get_args(ComparisonKind) if each != "one"), "pair")
    ] = "pair"
    prompts: Annotated[
        tuple[str, ...], TryField(name="row", read=lambda rows: rows_of("\n".join(rows)), write=tuple, is_list=True)
    ] = ()
    seeds: Annotated[int, choice("seeds", range(1, MOST_SEEDS + 1), 1)] = 1
    place: Annotated[Place, choice("place", get_args(Place), "local")] = "local"
    weights: Annotated[
        tuple[float, ...],
        TryField(
            name="weights",
            read=lambda text: tuple(dict.fromkeys(weights_of(text))),
            write=weights_text,
            is_checked=True,
        ),
    ] = ()
    varied: Annotated[int, choice("varied", range(MOST_LORAS), 0)] = 0

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
        shown = {}
        for each in TRY_FIELDS:
            suggested = each.of_base(base) if each.of_base and base else each.usual
            if getattr(self, each.attribute) == each.default and suggested is not None:
                shown[each.attribute] = suggested
        return replace(self, **shown)

    def arguments(self) -> dict[str, Any]:
        """Those of a GenerationRequest: what each image is made with."""
        found: dict[str, Any] = {}
        for each in TRY_FIELDS:
            if each.attribute not in OF_THE_COMPARISON:
                value = getattr(self, each.attribute)
                found |= each.request(value) if each.request else {each.attribute: value}
        return found


# They choose which images are made, and where.
OF_THE_COMPARISON = ("sheet", "prompts", "seeds", "place", "weights", "varied")


def is_right(row: TryField, given: Mapping[str, Sequence[str]]) -> bool:
    return not row.is_checked or not row.check("".join(given.get(row.name, ())[:1]))


def _fields() -> Iterator[TryField]:
    hints = get_type_hints(TrySettings, include_extras=True)
    for each in fields(TrySettings):
        kind, row = hints[each.name].__origin__, hints[each.name].__metadata__[0]
        yield replace(row, attribute=each.name, default=each.default, hint=row.hint or kind)


TRY_FIELDS: tuple[TryField, ...] = tuple(_fields())
