"""The form of the Compare page: what is read from it, what a set of LoRAs fills in, and what is wrong in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlencode

from connectors.claims.resolve import record_of
from connectors.errors import HubUiError, NotFound, UsageError
from connectors.record import Record
from connectors.ref import Ref
from hub_ui import format
from hub_ui.generate import base_models
from hub_ui.generate.comparison import DEFAULT_SWEEP, ComparisonKind, weight_range
from hub_ui.generate.request import DEFAULT_STRENGTH
from hub_ui.i18n import N_, _
from hub_ui.services import Services
from hub_ui.web.browse import cards
from hub_ui.web.browse.header_reader import with_header_facts
from hub_ui.web.try_page.compatibility import choose_base, compatibility_problem, suggest_base, suggest_prompt
from hub_ui.web.view import (
    LARGEST_SEED,
    MOST_FIELDS,
    MOST_WEIGHTS,
    TrySettings,
    View,
    blocks_of,
    blocks_text,
    clip_weights_of,
    size_of,
    size_text,
    weights_of,
    weights_text,
)

DEFAULT_SEED = 417
USUAL_WEIGHTS: dict[ComparisonKind, tuple[float, ...]] = {"strip": DEFAULT_SWEEP, "grid": (0.0, 0.5, 1.0)}
DEFAULT_STEPS = 20
UNSEEN = N_("Its hub could not be asked just now. It is looked up again when you press the button.")
QUALITIES = (("fast", N_("fast")), ("balanced", N_("balanced")), ("full", N_("full precision")))
CONTROL_KINDS = (
    ("canny", N_("edges (Canny)")),
    ("depth", N_("depth")),
    ("pose", N_("pose")),
    ("ready", N_("as it is")),
)


@dataclass(frozen=True, kw_only=True)
class FormValues:
    """The form's values at a click."""

    settings: TrySettings
    control: str | None = None
    control_kind: str = "canny"
    image: str | None = None


@dataclass(frozen=True, kw_only=True)
class PageState:
    """All that the address of the page says: the form, the job that is followed, and the image on the stage.

    `texts` are the fields as they were written, `problems` what is wrong with them, by the field's name. `image` and
    `control` are names of uploads, and so is `again`, an image that is to be made once more.
    """

    view: View
    texts: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    image: str = ""
    control: str = ""
    control_kind: str = "canny"
    again: str = ""
    job: str = ""
    shown: int | None = None

    @property
    def settings(self) -> TrySettings:
        return self.view.settings

    def to_address(self) -> str:
        kind = "" if self.control_kind == "canny" else self.control_kind
        more = [("image", self.image), ("control", self.control), ("made", kind), ("original", self.again)]
        more += [("job", self.job)]
        pairs = [(name, value) for name, value in more if value]
        pairs += [] if self.shown is None else [("shown", str(self.shown))]
        # What is wrong stays in its field.
        pairs += [(name, self.texts[name]) for name in self.problems if name in self.texts]
        return "&".join(filter(None, (self.view.to_address(), urlencode(pairs))))

    def check(self) -> None:
        """Raises UsageError for the first field that is wrong."""
        for text in self.problems.values():
            raise UsageError(text)


def read_address(query: str, level: str | None = None) -> PageState:
    """The form and what else the page's address says."""
    try:
        given = parse_qs(query, max_num_fields=MOST_FIELDS)
    except ValueError:
        given = {}
    return read_fields(replace(View.from_address(query, level), page="try"), given)


def read_fields(view: View, given: Mapping[str, Sequence[str]]) -> PageState:
    texts = {name: given[name][0][:4000] for name in RULES if given.get(name)}
    one = {name: values[0] for name, values in given.items() if values}
    shown = one.get("shown", "")
    if view.settings.strength == DEFAULT_STRENGTH:
        view = replace(view, settings=replace(view.settings, strength=None))
    problems = {name: text for name in texts if (text := problem(name, texts[name]))}
    if view.stack and view.settings.sheet == "both" and len(view.stack) < 2:
        problems["lora"] = _("Two LoRAs are compared here: add another one.")
    return PageState(
        view=view,
        texts=texts,
        problems=problems,
        image=one.get("image", "")[:60],
        control=one.get("control", "")[:60],
        control_kind=next((kind for kind, _label in CONTROL_KINDS if kind == one.get("made")), "canny"),
        again=one.get("original", "")[:60],
        job=one.get("job", "")[:60],
        shown=int(shown) if shown.isascii() and shown.isdigit() and len(shown) < 4 else None,
    )


def problem(name: str, text: str) -> str:
    """Why this text can't stand in that field; empty where it can."""
    if not text.strip():
        return ""
    try:
        RULES[name](text)
    except UsageError as error:
        return error.message
    return ""


def check_number(text: str, least: float, most: float, message: str, *, whole: bool = False) -> None:
    try:
        number = float(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most or (whole and number != int(number)):
        raise UsageError(message)


def check_seed(text: str) -> None:
    said = _("A seed is a whole number from 0 to {most}. Press ⟳ for one.").format(most=LARGEST_SEED)
    check_number(text, 0, LARGEST_SEED, said, whole=True)


def check_steps(text: str) -> None:
    check_number(text, 1, 500, _("Choose between 1 and {most} steps.").format(most=500), whole=True)


def check_size(text: str) -> None:
    size = size_of(text)
    if size is not None and max(size) > 4096:
        raise UsageError(_("Each side can have up to {most} pixels.").format(most=4096))


def check_guidance(text: str) -> None:
    check_number(text, 0, 100, _("Guidance is a number from 0 to 100, such as 7."))


def check_strength(text: str) -> None:
    check_number(text, 0.01, 1, _("Strength is a number above 0 and up to 1, such as 0.6."))


RULES: Mapping[str, Callable[[str], Any]] = {
    "seed": check_seed, "steps": check_steps, "size": check_size, "cfg": check_guidance, "strength": check_strength,
    "weights": weights_of, "clip": clip_weights_of, "blocks": blocks_of,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class StackItem:
    """A LoRA of the form. `problem` says why it can't be used with the others."""

    ref: str
    title: str
    line: str
    weight: float
    image: str = ""
    blurred: bool = False
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What the page shows of a form: its LoRAs, the texts of its fields, and what can be chosen there.

    `usual` are the weights of a sweep that nobody chose, empty for other comparisons; `base_problem`: whether the line
    says why there is no base; `unseen`: whether a LoRA is known to its hub alone.
    """

    items: tuple[StackItem, ...]
    words: tuple[str, ...]
    texts: Mapping[str, str]
    base: str
    bases: tuple[tuple[str, str], ...]
    base_line: str
    base_problem: bool
    usual: tuple[float, ...]
    range: tuple[float, float, int]
    runs_there: bool
    unseen: bool = False


def fill(services: Services, state: PageState, *, asks: bool = False) -> Filled:
    """The address leads, then the base's defaults. `asks`: whether hubs are asked for what was never seen."""
    view, settings = state.view, state.settings
    records = [find_record(services, ref, asks=asks) for ref in view.refs]
    base = suggest_base(services, settings, records)
    chosen, bases, line, is_problem = base_choice(services, settings, records)
    size = settings.size or ((base.width, base.height) if base else None)
    guidance = settings.guidance if settings.guidance is not None else (base.guidance if base else None)
    texts = {
        "prompt": settings.prompt or ("" if None in records else suggest_prompt(records)),
        "negative": settings.negative,
        "seed": str(DEFAULT_SEED if settings.seed is None else settings.seed),
        "steps": str(settings.steps or (base.steps if base else DEFAULT_STEPS)),
        "size": size_text(size) if size else "",
        "cfg": "" if guidance is None else f"{guidance:g}",
        "sampler": settings.sampler,
        "weights": weights_text(settings.weights),
        "clip": weights_text(settings.clip_weights),
        "blocks": blocks_text(settings.blocks),
        "strength": f"{DEFAULT_STRENGTH if settings.strength is None else settings.strength:g}",
    }
    usual = usual_weights(services, view, settings)
    now = settings.weights or usual or (0.0, 1.0)
    return Filled(
        items=tuple(stack_item(services, s.ref, s.weight, r, base) for s, r in zip(view.stack, records, strict=True)),
        words=tuple(dict.fromkeys(word for record in records if record for word in record.trigger_words)),
        # What is wrong stays as it was written.
        texts={**texts, **{name: state.texts[name] for name in state.problems if name in state.texts}},
        base=chosen,
        bases=bases,
        base_line=line,
        base_problem=is_problem,
        usual=usual,
        range=(min(now), max(now), len(now)),
        runs_there=bool(view.stack) and services.generation.runs_on_replicate(view.refs),
        unseen=None in records,
    )


def with_new_base(state: PageState) -> PageState:
    """Without what depends on the base: steps, size and guidance, which it suggests anew."""
    kept = {name: text for name, text in state.texts.items() if name not in ("steps", "size", "cfg")}
    settings = replace(state.settings, steps=None, size=None, guidance=None)
    problems = {name: text for name, text in state.problems.items() if name in kept or name not in RULES}
    return replace(state, view=replace(state.view, settings=settings), texts=kept, problems=problems)


def usual_weights(services: Services, view: View, settings: TrySettings) -> tuple[float, ...]:
    """Those of a sweep or a grid whose weights nobody chose; empty for other comparisons."""
    if settings.sheet != "strip" or not view.stack:
        return USUAL_WEIGHTS.get(settings.sheet, ())
    varied = view.refs[min(settings.varied, len(view.stack) - 1)]
    return sweep_around(services.generation.recommended_weight(varied))


def weights_under_pair(services: Services, view: View, varied: int) -> tuple[float, ...]:
    """Those under a pair: a sweep's, with the weight that the pair was made with."""
    if varied >= len(view.stack):
        return ()
    own = view.stack[varied].weight
    weights = sweep_around(services.generation.recommended_weight(view.refs[varied]))
    return tuple(sorted({*weights, own}))


def sweep_around(recommended: float | None) -> tuple[float, ...]:
    """Five weights from 0 on, with the recommended one in their middle, or last but one where it is large."""
    if recommended is None or not 0.2 <= recommended <= 1.5:
        return DEFAULT_SWEEP
    top = 2 * recommended if recommended <= 0.75 else recommended * 4 / 3
    return tuple(round(weight, 2) for weight in weight_range(0, min(2, top), 5))


def weights_in(low: str, high: str, count: str) -> str:
    """The text of evenly spaced weights. Raises UsageError for what is no range."""
    try:
        lowest, highest, number = float(low), float(high), int(count)
    except ValueError as error:
        raise UsageError(_("A sweep goes from a lower weight to a higher one, between -1 and 2.")) from error
    if not -1 <= lowest < highest <= 2:
        raise UsageError(_("A sweep goes from a lower weight to a higher one, between -1 and 2."))
    if not 2 <= number <= MOST_WEIGHTS:
        raise UsageError(_("A sweep has 2 to {most} images.").format(most=MOST_WEIGHTS))
    return weights_text([round(weight, 2) for weight in weight_range(lowest, highest, number)])


def find_record(services: Services, ref: Ref, *, asks: bool = True) -> Record | None:
    """The record of a ref, from the catalog or its hub; None if it can't be found."""
    try:
        return with_header_facts(services, record_of(services.catalog.lora(ref.lora), ref))[0]
    except NotFound:
        if not asks:
            return None
    try:
        return services.lookup.record(ref)
    except HubUiError:
        return None


def stack_item(
    services: Services, ref: str, weight: float, record: Record | None, base: base_models.PipelineSpec | None = None
) -> StackItem:
    if record is None:
        return StackItem(ref=ref, title=ref, line="", weight=weight, problem=_(UNSEEN))
    cover = cards.cover(record, "soft")
    rank = _("rank {n}").format(n=record.rank) if record.rank else ""
    usual = _("usually {weight}").format(weight=record.weight_text) if record.weight else ""
    return StackItem(
        ref=ref,
        title=format.visible(record.title),
        line=format.join(cards.base_label(record), rank, usual),
        weight=weight,
        image=cover.url if cover else "",
        problem=compatibility_problem(services, record, base),
    )


def base_choice(
    services: Services, settings: TrySettings, records: Sequence[Record | None]
) -> tuple[str, tuple[tuple[str, str], ...], str, bool]:
    """The chosen base, those to choose from, a line about it, and whether that is a problem."""
    first = next((record for record in records if record is not None), None)
    if first is None:
        return settings.base, (), "", False
    try:
        choice = choose_base(services, first, settings.base or None)
    except HubUiError as error:
        # The row of a LoRA shows its own problem already.
        unfit = bool(compatibility_problem(services, first))
        line = _("No base model for this LoRA here") if unfit else error.message
        return settings.base, () if unfit else choices(services, first.architecture), line, True
    disk = _("{n} GB on disk").format(n=f"{choice.gigabytes:g}")
    # The size of a user's own base is unknown.
    known = base_models.base_by_id(choice.id) is not None
    line = format.join(f"{choice.width} × {choice.height}", disk if known else "")
    offered = choices(services, choice.architecture)
    return choice.id, offered if choice.id in dict(offered) else (*offered, (choice.id, choice.id)), line, False


def choices(services: Services, architecture: str | None) -> tuple[tuple[str, str], ...]:
    bases = base_models.bases_for_architecture(architecture)
    return tuple((base.id, base.label) for base in bases if services.policy.allows_base(base.id))


def complete(state: PageState, filled: Filled) -> PageState:
    """With the prompt and the seed that the form suggests, for who starts without it."""
    seed = DEFAULT_SEED if state.settings.seed is None else state.settings.seed
    settings = replace(state.settings, prompt=state.settings.prompt or filled.texts["prompt"], seed=seed)
    return replace(state, view=replace(state.view, settings=settings))
