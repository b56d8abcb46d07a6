"""The form of the Try page: its components, what a set of LoRAs fills in, and what is read from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from connectors.claims.resolve import record_of
from connectors.errors import HubUiError, NotFound, UsageError
from connectors.record import Record
from connectors.ref import Ref
from hub_ui import format
from hub_ui.generate import base_models, samplers
from hub_ui.generate.comparison import DEFAULT_SWEEP, ComparisonKind, weight_range
from hub_ui.generate.request import DEFAULT_STRENGTH
from hub_ui.i18n import N_, _
from hub_ui.web.browse.header_reader import with_header_facts
from hub_ui.web.try_page.compatibility import choose_base, compatibility_problem, suggest_base, suggest_prompt
from hub_ui.web.view import (
    LARGEST_SEED,
    LONGEST_PROMPT,
    MOST_LORAS,
    MOST_WEIGHTS,
    TrySettings,
    View,
    blocks_of,
    blocks_text,
    clip_weights_of,
    prompt_text,
    quality_of,
    rows_of,
    size_of,
    size_text,
    weights_of,
    weights_text,
)
from hub_ui.services import Services
from hub_ui.widgets import cards
from hub_ui.widgets.render import Renderer, address, read_script, widget

DEFAULT_SEED = 417
USUAL_WEIGHTS: dict[ComparisonKind, tuple[float, ...]] = {"strip": DEFAULT_SWEEP, "grid": (0.0, 0.5, 1.0)}
DEFAULT_STEPS = 20
UNSEEN = N_("Its hub could not be asked just now. It is looked up again when you press the button.")
HERE, THERE = N_("This computer"), "Replicate"
OWN_SAMPLER = N_("the base's own")
QUALITIES = [(N_("fast"), "fast"), (N_("balanced"), "balanced"), (N_("full precision"), "full")]
CONTROL_KINDS = [
    (N_("edges (Canny)"), "canny"),
    (N_("depth"), "depth"),
    (N_("pose"), "pose"),
    (N_("as it is"), "ready"),
]


class Form:
    """The components, in the order of the page."""

    def __init__(self) -> None:
        self.stack = widget(elem_id="stack", script=read_script("stack"))
        self.prompt = gr.Textbox(
            label=N_("Prompt"),
            lines=3,
            max_lines=8,
            max_length=LONGEST_PROMPT,
            placeholder=N_("What should be in the image?"),
        )  # fmt: skip
        self.chips = widget(elem_id="chips")
        self.rows = gr.Textbox(
            label=N_("More prompts, one a line"), lines=3, max_lines=6, visible=False, elem_id="rows",
            placeholder=N_("a red boat"),
        )  # fmt: skip
        with gr.Row(elem_id="weights"):
            self.varied = gr.Dropdown(
                label=N_("LoRA"), choices=[], value=None, visible=False, elem_id="varied", min_width=120
            )
            self.weights = gr.Textbox(
                label=N_("Weights"), max_lines=1, visible=False, elem_id="weights-of", min_width=120
            )
        with gr.Row(elem_id="range"):
            # As with the numbers below: no minimum and maximum.
            self.range = [
                gr.Number(label=N_("From"), step=0.05, min_width=60, visible=False),
                gr.Number(label=N_("To"), step=0.05, min_width=60, visible=False),
                gr.Number(label=N_("Images"), precision=0, min_width=60, visible=False),
            ]
        self.base = gr.Dropdown(label=N_("Base"), choices=[], allow_custom_value=True, elem_id="base-choice")
        self.base_line = widget(elem_id="base")
        with gr.Row(elem_id="numbers"):
            # No minimum and maximum: Gradio would complain at each key, without saying what to do.
            self.seed = gr.Number(value=DEFAULT_SEED, label=N_("Seed"), precision=0, min_width=90)
            self.dice = gr.Button(N_("Another seed"), elem_id="dice", min_width=36, scale=0)
            self.steps = gr.Number(value=DEFAULT_STEPS, label=N_("Steps"), precision=0, min_width=70)
            self.size = gr.Textbox(label=N_("Size"), max_lines=1, min_width=110, placeholder="1024 × 1024")
        self._build_advanced()
        self.place = gr.Radio(label=N_("Run on"), choices=[HERE, THERE], value=HERE, visible=False, elem_id="place")

    def _build_advanced(self) -> None:
        """The settings that most users leave alone."""
        with gr.Accordion(N_("More"), open=False, elem_id="more"):
            self.negative = gr.Textbox(
                label=N_("Negative prompt"),
                lines=2,
                max_length=LONGEST_PROMPT,
                placeholder=N_("What should not be in it?"),
            )
            with gr.Row():
                self.guidance = gr.Number(label=N_("Guidance"), min_width=90)
                self.sampler = gr.Dropdown(
                    label=N_("Sampler"), choices=[OWN_SAMPLER, *samplers.names()], value=OWN_SAMPLER,
                    allow_custom_value=True, min_width=140,
                )  # fmt: skip
            self.image = gr.Image(
                label=N_("Start from an image"), type="filepath", sources=["upload", "clipboard"], height=140,
                elem_id="start", elem_classes="image-input",
            )  # fmt: skip
            self.strength = gr.Number(value=DEFAULT_STRENGTH, label=N_("Strength"), step=0.05, min_width=90)
            self.control = gr.Image(
                label=N_("Control image"), type="filepath", sources=["upload", "clipboard"], height=140,
                elem_id="control", elem_classes="image-input",
            )  # fmt: skip
            self.control_kind = gr.Dropdown(label=N_("Made into"), choices=CONTROL_KINDS, value="canny", min_width=120)
            self.quality = gr.Radio(
                label=N_("Quality of a base too large for this GPU"), choices=QUALITIES, value="balanced",
                elem_id="quality",
            )  # fmt: skip
            with gr.Row(elem_id="parts"):
                self.clip_weights = gr.Textbox(
                    label=N_("Clip weight"), max_lines=1, max_length=100, min_width=110, placeholder=N_("as the weight")
                )
                self.blocks = gr.Textbox(
                    label=N_("Block weights"),
                    max_lines=1,
                    max_length=4000,
                    min_width=110,
                    placeholder=N_("such as OUTALL"),
                )

    @property
    def fields(self) -> list[Any]:
        """What `read_form` reads, in its order."""
        return [
            self.prompt, self.rows, self.base, self.seed, self.steps, self.size, self.negative, self.guidance,
            self.sampler, self.place, self.control, self.control_kind, self.weights, self.varied, self.quality,
            self.clip_weights, self.blocks, self.image, self.strength,
        ]  # fmt: skip

    @property
    def outputs(self) -> list[Any]:
        """What `show` updates, in its order."""
        return [
            self.stack, self.chips, self.base, self.base_line, self.rows, self.place, self.weights, self.varied,
            self.prompt, self.seed, self.steps, self.size, self.negative, self.guidance, self.sampler, self.quality,
            self.clip_weights, self.blocks, self.strength, *self.range,
        ]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FormValues:
    """The form's values at a click."""

    settings: TrySettings
    control: str | None = None
    control_kind: str = "canny"
    image: str | None = None


def read_form(view: View, values: Sequence[Any]) -> FormValues:
    """`values` are those of `Form.fields`. Raises UsageError for an invalid size or seed."""
    prompt, rows, base, seed, steps, size, negative, guidance, sampler, place, *more = values
    control, kind, weights, varied, quality, clip_weights, blocks, image, strength = more
    if seed is not None and not 0 <= seed <= LARGEST_SEED:
        text = _("A seed is a whole number from 0 to {most}. Press ⟳ for one.")
        raise UsageError(text.format(most=LARGEST_SEED))
    settings = TrySettings(
        prompt=prompt_text(prompt),
        negative=prompt_text(negative),
        seed=int(seed) if seed is not None else DEFAULT_SEED,
        steps=None if steps is None else int(steps),
        guidance=None if guidance is None else float(guidance),
        size=size_of(size),
        base=str(base or "").strip(),
        sampler="" if sampler in (None, OWN_SAMPLER) else str(sampler),
        use_trigger_words=view.settings.use_trigger_words,
        sheet=view.settings.sheet,
        prompts=rows_of(rows),
        place="replicate" if place == THERE else "local",
        weights=weights_of(weights),
        varied=varied if isinstance(varied, int) and 0 <= varied < len(view.stack) else 0,
        quality=quality_of(quality),
        clip_weights=clip_weights_of(clip_weights),
        blocks=blocks_of(blocks),
        strength=None if strength in (None, DEFAULT_STRENGTH) else float(strength),
    )
    return FormValues(settings=settings, control=control, control_kind=str(kind or "canny"), image=image)


def read_form_for_new_base(view: View, values: Sequence[Any]) -> TrySettings:
    """The form's values except those that depend on the base: steps, size and guidance."""
    prompt, rows, base, seed, _steps, _size, negative, _guidance, *others = values
    return read_form(view, (prompt, rows, str(base or "")[:300], seed, None, "", negative, None, *others)).settings


@dataclass(frozen=True, kw_only=True)
class FormSource:
    """What the form was filled in for: it is filled in again only when this changes."""

    refs: tuple[str, ...] = ()
    settings: TrySettings | None = None

    @property
    def name(self) -> str:
        """Tells it from others, on the page too."""
        return f"{hash(self):x}"

    @staticmethod
    def of(view: View) -> FormSource:
        """Only what fills fields: a click on a tab must not undo the user's input."""
        typed = replace(view.settings, use_trigger_words=True, sheet="pair")
        return FormSource(refs=tuple(s.ref for s in view.stack), settings=typed)


def show(
    services: Services, render: Renderer, view: View, before: FormSource, weights: str = "", base_now: str | None = ""
) -> tuple[Any, ...]:
    """Updates of `Form.outputs` for the LoRAs of `view`, and the form's new source. `weights` and `base_now` stand in
    their fields.
    """
    if view.page != "try":
        return (gr.skip(),) * 23
    settings, now = view.settings, FormSource.of(view)
    changed = now != before
    records = [find_record(services, ref) for ref in view.refs]
    base = suggest_base(services, settings, records)
    items = [stack_item(services, s.ref, s.weight, record, base) for s, record in zip(view.stack, records, strict=True)]
    words_ = list(dict.fromkeys(word for record in records if record for word in record.trigger_words))
    usual = usual_weights(services, view, settings)
    can_run_there = services.generation.runs_on_replicate(view.refs)
    place = THERE if can_run_there and settings.place == "replicate" else HERE
    return (
        render("stack", layers=items, most=MOST_LORAS, name=view.stack_name),
        render("trigger_chips", words=words_, used=settings.use_trigger_words),
        # A base that is chosen while this is on its way stays.
        *base_choice(services, render, settings, records, changed=changed or not base_now),
        field_update("\n".join(settings.prompts), changed, visible=settings.sheet == "grid"),
        # The user's choice stays while nothing else changes.
        field_update(place, changed or not can_run_there, visible=can_run_there),
        field_update(
            weights_text(settings.weights),
            changed,
            visible=bool(usual),
            placeholder=weights_text(usual),
        ),
        field_update(
            min(settings.varied, len(items) - 1) if items else None,
            changed,
            visible=bool(usual) and len(items) > 1,
            choices=[(item.title, i) for i, item in enumerate(items)],
        ),
        *(field_values(settings, records, base) if changed else (gr.skip(),) * 11),
        *(
            field_update(value, changed or not weights, visible=bool(usual))
            for value in range_of(settings.weights or usual)
        ),
        now,
    )


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


def range_of(weights: Sequence[float]) -> tuple[float | None, float | None, int | None]:
    """The lowest, the highest, and how many."""
    return (min(weights), max(weights), len(weights)) if weights else (None, None, None)


def weights_in(low: float | None, high: float | None, count: int | None) -> str:
    """The text of evenly spaced weights. Raises UsageError for what is no range."""
    if low is None or high is None or not -1 <= low < high <= 2:
        raise UsageError(_("A sweep goes from a lower weight to a higher one, between -1 and 2."))
    if count is None or not 2 <= count <= MOST_WEIGHTS:
        raise UsageError(_("A sweep has 2 to {most} images.").format(most=MOST_WEIGHTS))
    return weights_text([round(weight, 2) for weight in weight_range(low, high, int(count))])


def field_update(value: Any, changed: bool, **properties: Any) -> Any:
    return gr.update(**properties, value=value) if changed else gr.update(**properties)


def field_values(
    settings: TrySettings, records: Sequence[Record | None], choice: base_models.PipelineSpec | None
) -> tuple[Any, ...]:
    """The fields from the prompt on, in the order of `Form.outputs`: from `view`, else the base's defaults."""
    size = settings.size or ((choice.width, choice.height) if choice else None)
    return (
        settings.prompt or suggest_prompt(records),
        DEFAULT_SEED if settings.seed is None else settings.seed,
        settings.steps or (choice.steps if choice else DEFAULT_STEPS),
        size_text(size) if size else "",
        settings.negative,
        settings.guidance if settings.guidance is not None else (choice.guidance if choice else None),
        settings.sampler or OWN_SAMPLER,
        settings.quality,
        weights_text(settings.clip_weights),
        blocks_text(settings.blocks),
        DEFAULT_STRENGTH if settings.strength is None else settings.strength,
    )


def find_record(services: Services, ref: Ref) -> Record | None:
    """The record of a ref, from the catalog or its hub; None if it can't be found."""
    try:
        return with_header_facts(services, record_of(services.catalog.lora(ref.lora), ref))[0]
    except NotFound:
        pass
    try:
        return services.lookup.record(ref)
    except HubUiError:
        return None


@dataclass(frozen=True, kw_only=True)
class StackItem:
    """A LoRA of the stack. `problem` says why it can't be used with the others."""

    ref: str
    title: str
    line: str
    weight: float
    image: str = ""
    problem: str = ""


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
        image=address(cover.url) if cover else "",
        problem=compatibility_problem(services, record, base),
    )


def base_choice(
    services: Services, render: Renderer, settings: TrySettings, records: Sequence[Record | None], *, changed: bool
) -> tuple[Any, str]:
    """The bases to choose from, the chosen one if the form has `changed`, and a line about it."""
    first = next((record for record in records if record is not None), None)
    if first is None:
        return field_update(settings.base, changed, choices=[]), ""
    try:
        choice = choose_base(services, first, settings.base or None)
    except HubUiError as error:
        # The row of a LoRA shows its own problem already.
        unfit = bool(compatibility_problem(services, first))
        choices = [] if unfit else _choices(services, first.architecture)
        line = _("No base model for this LoRA here") if unfit else error.message
        return field_update(settings.base, changed, choices=choices), render("base", line=line, problem=True)
    steps, disk = _("{n} steps").format(n=choice.steps), _("{n} GB on disk").format(n=f"{choice.gigabytes:g}")
    # The size of a user's own base is unknown.
    known = base_models.base_by_id(choice.id) is not None
    line = format.join(steps, f"{choice.width} × {choice.height}", disk if known else "")
    update = field_update(choice.id, changed, choices=_choices(services, choice.architecture))
    return update, render("base", line=line, problem=False)


def _choices(services: Services, architecture: str | None) -> list[tuple[str, str]]:
    bases = base_models.bases_for_architecture(architecture)
    return [(base.label, base.id) for base in bases if services.policy.allows_base(base.id)]
