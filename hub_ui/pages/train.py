"""Train: a LoRA of one's own pictures, made on Replicate; what is under way there, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from connectors.errors import HubUiError, UsageError
from connectors.ref import Ref
from connectors.replicate.runs import Run
from connectors.replicate.trainings import Order
from hub_ui.pages.events import QUIET, stepping, told
from hub_ui.pages.try_page.generate import step_words
from hub_ui.pages.view import View
from hub_ui.services import Services
from hub_ui.training import Trainer, price, training_set
from hub_ui.widgets import result, trainings
from hub_ui.widgets.render import Renderer
from hub_ui.widgets.widget import act_data, widget


@dataclass(frozen=True, kw_only=True)
class TrainPage:
    pictures: gr.File
    destination: gr.Textbox
    trigger: gr.Textbox
    rank: gr.Number
    steps: gr.Number
    look: gr.Button
    start: gr.Button
    said: gr.HTML
    progress: gr.HTML
    under_way: gr.HTML

    @property
    def fields(self) -> list[Any]:
        return [self.pictures, self.destination, self.trigger, self.rank, self.steps]


def build(render: Renderer) -> TrainPage:
    with gr.Column(elem_id="train-form"):
        widget(trainings.intro_html(render), elem_id="train-intro")
        pictures = gr.File(label="Pictures, as a zip", file_types=[".zip"], elem_id="train-pictures", height=120)
        destination = gr.Textbox(label="Where to", placeholder="your-name/name-of-the-lora", max_lines=1)
        with gr.Row():
            trigger = gr.Textbox(label="Trigger word", placeholder="CYBRPNK", max_lines=1, min_width=120)
            rank = gr.Number(value=16, label="Rank", precision=0, minimum=1, maximum=128, min_width=70)
            steps = gr.Number(value=1000, label="Steps", precision=0, minimum=3, maximum=6000, min_width=80)
        look = gr.Button("Look at the pictures and the price", elem_id="train-look")
        said = widget(elem_id="train-said")
        start = gr.Button("Start the training", variant="primary", elem_id="train-start", visible=False)
    with gr.Column(elem_id="train-stage"):
        shown = widget(elem_id="train-progress")
        under_way = widget(elem_id="train-list")
    return TrainPage(
        pictures=pictures, destination=destination, trigger=trigger, rank=rank, steps=steps, look=look, start=start,
        said=said, progress=shown, under_way=under_way,
    )  # fmt: skip


def connect(page: TrainPage, services: Services, render: Renderer, *, view: gr.State) -> None:
    trainer = Trainer(services=services)

    def on_view(now: View) -> Any:
        return list_html(trainer, render) if now.page == "train" else gr.skip()

    def on_look(*values: Any) -> Any:
        with told():
            return looked(trainer, render, values)

    def on_start(*values: Any) -> Iterator[Any]:
        with told():
            yield from started(trainer, render, values)

    def on_click(event: gr.EventData) -> Iterator[Any]:
        with told():
            yield from clicked(trainer, render, act_data(event))

    shown = [page.progress, page.under_way, page.start]
    view.change(on_view, [view], [page.under_way], **QUIET)
    page.look.click(on_look, page.fields, [page.said, page.start], **QUIET)
    page.start.click(on_start, page.fields, shown, concurrency_limit=None, **QUIET)
    page.under_way.act(on_click, None, shown, concurrency_limit=None, **QUIET)
    # What was agreed to is what is started: another word, and the price is asked for again.
    for field in page.fields:
        field.change(lambda: ("", gr.update(visible=False)), None, [page.said, page.start], **QUIET)


def order_of(values: tuple[Any, ...]) -> tuple[Order, Path]:
    """Raises UsageError for what can't be trained."""
    pictures, destination, trigger, rank, steps = values
    if not pictures:
        raise UsageError("Choose a zip of pictures first: 10 to 20 of the same thing, from several sides.")
    order = Order(
        destination=str(destination or "").strip(),
        trigger_word=str(trigger or "").strip(),
        rank=int(rank or 0),
        steps=int(steps or 0),
    )
    order.check()
    return order, Path(pictures)


def looked(trainer: Trainer, render: Renderer, values: tuple[Any, ...]) -> tuple[str, Any]:
    """What is in the zip and what it would cost; nothing is sent yet."""
    trainer.services.policy.check("train")
    trainer.need_key()
    order, path = order_of(values)
    pictures = training_set(path)
    return trainings.price_html(render, price(order, pictures), pictures.notes), gr.update(visible=True)


def started(trainer: Trainer, render: Renderer, values: tuple[Any, ...]) -> Iterator[Any]:
    """Steps of (progress, list, start button), until the LoRA is there."""
    trainer.services.policy.check("train")
    order, path = order_of(values)
    pictures = training_set(path)
    yield result.progress_html(render, "Uploading the pictures…", None), gr.skip(), gr.update(visible=False)
    run = trainer.start(order, pictures)
    yield from followed(trainer, render, run)


def followed(trainer: Trainer, render: Renderer, run: Run) -> Iterator[Any]:
    """The training goes on when this page is left; its row in the list brings it back."""
    listed = list_html(trainer, render)
    steps = stepping(lambda report, _cancelled: trainer.follow(run, report))
    try:
        ref: Ref = yield from _steps(render, steps, listed)
    except HubUiError:
        yield "", list_html(trainer, render), gr.skip()
        raise
    yield trainings.made_html(render, str(ref)), list_html(trainer, render), gr.skip()


def _steps(render: Renderer, steps: Any, listed: str) -> Any:
    while True:
        try:
            step = next(steps)
        except StopIteration as done:
            return done.value[1]
        yield result.progress_html(render, *step_words(step)), listed, gr.skip()


def clicked(trainer: Trainer, render: Renderer, act: dict[str, Any]) -> Iterator[Any]:
    """Follow or cancel one of the list."""
    trainer.services.policy.check("train")
    run_id = str(act.get("id", ""))
    if act.get("act") == "follow":
        yield from followed(trainer, render, trainer.get(run_id))
    elif act.get("act") == "cancel":
        trainer.cancel(run_id)
        yield "", list_html(trainer, render), gr.skip()
    else:
        yield gr.skip(), gr.skip(), gr.skip()


def list_html(trainer: Trainer, render: Renderer) -> str:
    """The trainings under way with this key; a hub that can't be asked is said in place."""
    try:
        return trainings.list_html(render, [_row(run) for run in trainer.under_way()])
    except HubUiError as error:
        return trainings.list_html(render, (), problem=error.message)


def _row(run: Run) -> trainings.Row:
    share = f", {round(100 * run.progress)} %" if run.progress is not None else ""
    return trainings.Row(id=run.id, line=f"{run.status}{share}")
