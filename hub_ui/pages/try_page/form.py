"""The form of the Try page: its components, what a set of LoRAs fills in, and what is read from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from connectors.errors import HubUiError, NotFound, UsageError
from connectors.record import Record
from connectors.ref import Ref
from hub_ui.generate import base_models, samplers
from hub_ui.generate.comparison import USUAL_STRIP, SheetKind
from hub_ui.pages.browse.header_reader import proved
from hub_ui.pages.try_page.compatibility import base_for, misfit, suggested_base, suggestion
from hub_ui.pages.try_page.settings import (
    LARGEST_SEED,
    LONGEST_PROMPT,
    TrySettings,
    prompt_text,
    rows_of,
    size_of,
    size_text,
    weights_of,
    weights_text,
)
from hub_ui.pages.view import View
from hub_ui.services import Services, record_of
from hub_ui.widgets import cards, format, try_form
from hub_ui.widgets import try_form as widgets_try_form
from hub_ui.widgets.render import Renderer, address
from hub_ui.widgets.widget import widget

DEFAULT_SEED = 417
USUAL_WEIGHTS: dict[SheetKind, tuple[float, ...]] = {"strip": USUAL_STRIP, "grid": (0.0, 0.5, 1.0)}
DEFAULT_STEPS = 20
UNSEEN = "Its hub could not be asked just now. It is looked up again when you press the button."
HERE, THERE = "This computer", "Replicate"
OWN_SAMPLER = "the base's own"
CONTROL_KINDS = [("edges (Canny)", "canny"), ("depth", "depth"), ("pose", "pose"), ("as it is", "ready")]


@dataclass(frozen=True, kw_only=True)
class Form:
    """The components. `fields` are read when something is made, in this order (see `filled`)."""

    stack: gr.HTML
    chips: gr.HTML
    base_line: gr.HTML
    dice: gr.Button
    prompt: gr.Textbox
    rows: gr.Textbox
    base: gr.Dropdown
    seed: gr.Number
    steps: gr.Number
    size: gr.Textbox
    negative: gr.Textbox
    guidance: gr.Number
    sampler: gr.Dropdown
    place: gr.Radio
    control: gr.Image
    control_kind: gr.Dropdown
    weights: gr.Textbox
    varied: gr.Dropdown

    @property
    def fields(self) -> list[Any]:
        return [
            self.prompt, self.rows, self.base, self.seed, self.steps, self.size, self.negative, self.guidance,
            self.sampler, self.place, self.control, self.control_kind, self.weights, self.varied,
        ]  # fmt: skip

    @property
    def painted(self) -> list[Any]:
        """What `show` paints, in its order."""
        return [
            self.stack, self.chips, self.base, self.base_line, self.rows, self.place, self.weights, self.varied,
            self.prompt, self.seed,
            self.steps, self.size, self.negative, self.guidance, self.sampler,
        ]  # fmt: skip


def build() -> Form:
    layers = widget(elem_id="stack")
    prompt = gr.Textbox(
        label="Prompt", lines=3, max_lines=8, max_length=LONGEST_PROMPT, placeholder="What should be in the picture?"
    )
    chips = widget(elem_id="chips")
    rows = gr.Textbox(
        label="More prompts, one a line", lines=3, max_lines=6, visible=False, elem_id="rows", placeholder="a red boat"
    )
    with gr.Row(elem_id="weights"):
        varied = gr.Dropdown(label="LoRA", choices=[], value=None, visible=False, elem_id="varied", min_width=120)
        weights = gr.Textbox(label="Weights", max_lines=1, visible=False, elem_id="weights-of", min_width=120)
    base = gr.Dropdown(label="Base", choices=[], allow_custom_value=True, elem_id="base-choice", filterable=True)
    base_line = widget(elem_id="base")
    with gr.Row(elem_id="numbers"):
        # No minimum and maximum: Gradio would tell of them at each key, without saying what to do.
        seed = gr.Number(value=DEFAULT_SEED, label="Seed", precision=0, min_width=90)
        dice = gr.Button("Another seed", elem_id="dice", min_width=36, scale=0)
        steps = gr.Number(value=DEFAULT_STEPS, label="Steps", precision=0, min_width=70)
        size = gr.Textbox(label="Size", max_lines=1, min_width=110, placeholder="1024 × 1024")
    negative, guidance, sampler, control, kind = _more()
    place = gr.Radio(label="Run on", choices=[HERE, THERE], value=HERE, visible=False, elem_id="place")
    return Form(
        stack=layers, chips=chips, base_line=base_line, dice=dice, prompt=prompt, rows=rows, base=base, seed=seed,
        steps=steps, size=size, negative=negative, guidance=guidance, sampler=sampler, place=place, control=control,
        control_kind=kind, weights=weights, varied=varied,
    )  # fmt: skip


def _more() -> tuple[gr.Textbox, gr.Number, gr.Dropdown, gr.Image, gr.Dropdown]:
    """What most people leave as it is."""
    with gr.Accordion("More", open=False, elem_id="more"):
        negative = gr.Textbox(
            label="Negative prompt", lines=2, max_length=LONGEST_PROMPT, placeholder="What should not be in it?"
        )
        with gr.Row():
            guidance = gr.Number(label="Guidance", min_width=90)
            sampler = gr.Dropdown(
                label="Sampler",
                choices=[OWN_SAMPLER, *samplers.names()],
                value=OWN_SAMPLER,
                allow_custom_value=True,
                min_width=140,
            )
        control = gr.Image(
            label="Control picture", type="filepath", sources=["upload", "clipboard"], height=140, elem_id="control"
        )
        kind = gr.Dropdown(label="Made into", choices=CONTROL_KINDS, value="canny", min_width=120)
    return negative, guidance, sampler, control, kind


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What the form holds when something is asked for."""

    wish: TrySettings
    control: str | None = None
    control_kind: str = "canny"


def filled(view: View, values: Sequence[Any]) -> Filled:
    """`values` are those of `Form.fields`. Raises UsageError for a size or a seed that is none."""
    prompt, rows, base, seed, steps, size, negative, guidance, sampler, place, control, kind, weights, varied = values
    if seed is not None and not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"A seed is a whole number from 0 to {LARGEST_SEED}. Press ⟳ for one.")
    wish = TrySettings(
        prompt=prompt_text(prompt),
        negative=prompt_text(negative),
        seed=int(seed) if seed is not None else DEFAULT_SEED,
        steps=None if steps is None else int(steps),
        guidance=None if guidance is None else float(guidance),
        size=size_of(size),
        base=str(base or "").strip(),
        sampler="" if sampler in (None, OWN_SAMPLER) else str(sampler),
        use_trigger_words=view.wish.use_trigger_words,
        sheet=view.wish.sheet,
        prompts=rows_of(rows),
        place="replicate" if place == THERE else "local",
        weights=weights_of(weights),
        varied=varied if isinstance(varied, int) and 0 <= varied < len(view.stack) else 0,
    )
    return Filled(wish=wish, control=control, control_kind=str(kind or "canny"))


def rebased(view: View, values: Sequence[Any]) -> TrySettings:
    """What is written, but for what another base has its own values of: steps, size and guidance."""
    prompt, rows, base, seed, _steps, _size, negative, _guidance, *others = values
    return filled(view, (prompt, rows, str(base or "")[:300], seed, None, "", negative, None, *others)).wish


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What the form was filled in for: it is filled in anew only when this changes."""

    refs: tuple[str, ...] = ()
    wish: TrySettings | None = None

    @staticmethod
    def of(view: View) -> Shown:
        """Without what is not typed into a field: a click on a tab must not undo what a person has written."""
        w = view.wish
        typed = TrySettings(
            prompt=w.prompt, negative=w.negative, seed=w.seed, steps=w.steps, guidance=w.guidance, size=w.size,
            base=w.base, sampler=w.sampler, prompts=w.prompts, place=w.place, weights=w.weights, varied=w.varied,
        )  # fmt: skip
        return Shown(refs=tuple(s.ref for s in view.stack), wish=typed)


def show(services: Services, render: Renderer, view: View, before: Shown) -> tuple[Any, ...]:
    """What `Form.painted` names, for the LoRAs of `view`; then what it is filled in for now."""
    if view.page != "try":
        return tuple(gr.skip() for _ in range(16))
    refs = tuple(s.ref for s in view.stack)
    records = [known(services, Ref.parse(ref)) for ref in refs]
    base = suggested_base(services, view.wish, records)
    layers = [layer(services, s.ref, s.weight, record, base) for s, record in zip(view.stack, records, strict=True)]
    now = Shown.of(view)
    return (
        try_form.stack_html(render, layers),
        chips_html(render, view, records),
        *base_choice(services, render, view.wish, records),
        rows_update(view.wish, changed=now != before),
        place_update(services, view, changed=now != before),
        weights_update(view.wish, changed=now != before),
        varied_update(view, [layer.title for layer in layers], changed=now != before),
        *((gr.skip(),) * 7 if now == before else values(view.wish, records, base)),
        now,
    )


def values(
    wish: TrySettings, records: Sequence[Record | None], choice: base_models.PipelineSpec | None
) -> tuple[Any, ...]:
    """Prompt, seed, steps, size, negative prompt, guidance, sampler: as wished, else as the base suggests."""
    size = wish.size or ((choice.width, choice.height) if choice else None)
    return (
        wish.prompt or suggestion(records),
        DEFAULT_SEED if wish.seed is None else wish.seed,
        wish.steps or (choice.steps if choice else DEFAULT_STEPS),
        size_text(size) if size else "",
        wish.negative,
        wish.guidance if wish.guidance is not None else (choice.guidance if choice else None),
        wish.sampler or OWN_SAMPLER,
    )


def known(services: Services, ref: Ref) -> Record | None:
    """The record behind a ref, remembered or asked for; None leaves the row to say so."""
    try:
        return proved(services, record_of(services.catalog.lora(ref.lora), ref))[0]
    except NotFound:
        pass
    try:
        return services.record(ref)
    except HubUiError:
        return None


def layer(
    services: Services, ref: str, weight: float, record: Record | None, base: base_models.PipelineSpec | None = None
) -> try_form.Layer:
    if record is None:
        return try_form.Layer(ref=ref, title=ref, line="", weight=weight, problem=UNSEEN)
    picture = cards.cover(record, "soft")
    parts = (
        cards.base_label(record),
        f"rank {record.rank}" if record.rank else "",
        f"usually {record.recommended_weight}" if record.weight else "",
    )
    return try_form.Layer(
        ref=ref,
        title=format.visible(record.title),
        line=" · ".join(part for part in parts if part),
        weight=weight,
        image=address(picture.url) if picture else "",
        problem=misfit(services, record, base),
    )


def chips_html(render: Renderer, view: View, records: Sequence[Record | None]) -> str:
    found = dict.fromkeys(word for record in records if record for word in record.trigger_words)
    return widgets_try_form.trigger_chips_html(render, tuple(found), used=view.wish.use_trigger_words)


def base_choice(
    services: Services, render: Renderer, wish: TrySettings, records: Sequence[Record | None]
) -> tuple[Any, str]:
    """The bases to choose from, and a line about the one that is chosen."""
    first = next((record for record in records if record is not None), None)
    if first is None:
        return gr.update(choices=[], value=wish.base), ""
    try:
        choice = base_for(services, first, wish.base or None)
    except HubUiError as error:
        # What is wrong with the LoRA itself already stands in its row.
        if misfit(services, first):
            said = render("base", line="No base model for this LoRA here", problem=True)
            return gr.update(choices=[], value=wish.base), said
        return gr.update(choices=_choices(first.architecture), value=wish.base), render(
            "base", line=error.message, problem=True
        )
    line = f"{choice.steps} steps · {choice.width} × {choice.height}"
    # Of a person's own base nobody knows the size yet.
    line += f" · {choice.gigabytes:g} GB on disk" if base_models.by_id(choice.id) else ""
    return gr.update(choices=_choices(choice.architecture), value=choice.id), render("base", line=line, problem=False)


def _choices(architecture: str | None) -> list[tuple[str, str]]:
    return [(base.label, base.id) for base in base_models.for_architecture(architecture)]


def rows_update(wish: TrySettings, *, changed: bool) -> Any:
    shown: dict[str, Any] = {"visible": wish.sheet == "grid"}
    return gr.update(**shown, value="\n".join(wish.prompts)) if changed else gr.update(**shown)


def weights_update(wish: TrySettings, *, changed: bool) -> Any:
    """Of what is compared at several weights; the usual ones stand in the empty field."""
    usual = USUAL_WEIGHTS.get(wish.sheet, ())
    shown: dict[str, Any] = {"visible": bool(usual), "placeholder": weights_text(usual)}
    return gr.update(**shown, value=weights_text(wish.weights)) if changed else gr.update(**shown)


def varied_update(view: View, titles: Sequence[str], *, changed: bool) -> Any:
    """Which of several LoRAs has these weights, while the others keep theirs."""
    choices = [(title, i) for i, title in enumerate(titles)]
    shown: dict[str, Any] = {"visible": view.wish.sheet in USUAL_WEIGHTS and len(titles) > 1, "choices": choices}
    if not changed:
        return gr.update(**shown)
    return gr.update(**shown, value=min(view.wish.varied, len(titles) - 1) if titles else None)


def place_update(services: Services, view: View, *, changed: bool) -> Any:
    """Offered where a key is, and LoRAs that Replicate can run. What was chosen stays while nothing else changes."""
    offered = services.runs_elsewhere([Ref.parse(s.ref) for s in view.stack])
    if offered and not changed:
        return gr.update(visible=True)
    return gr.update(visible=offered, value=THERE if offered and view.wish.place == "replicate" else HERE)
