"""The Train page: a LoRA of one's own images, trained on Replicate, and the trainings under way there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from connectors.errors import HubUiError, UsageError
from connectors.ref import Ref
from connectors.replicate.runs import Run
from connectors.replicate.trainings import Order
from hub_ui.i18n import N_, _
from hub_ui.pages.events import QUIET, Listeners, errors_as_messages, run_in_thread
from hub_ui.pages.try_page.generate import progress_text
from hub_ui.web.view import View
from hub_ui.services import Services
from hub_ui.training import Trainer, price, training_set
from hub_ui.widgets import result
from hub_ui.widgets.render import Renderer, act_data, widget

# No words about a price, and no button to start.
OUTDATED = "() => ['', {__type__: 'update', visible: false}]"


class TrainPage:
    """The components, in the order of the page."""

    def __init__(self, render: Renderer, view: gr.State) -> None:
        self.view = view
        with gr.Column(elem_id="train-form"):
            widget(lambda: render("training_intro"), elem_id="train-intro")
            self.images = gr.File(
                label=N_("Images, as a zip"), file_types=[".zip"], elem_id="train-pictures", height=120
            )
            self.destination = gr.Textbox(
                label=N_("Where to"), placeholder=N_("your-name/name-of-the-lora"), max_lines=1
            )
            with gr.Row():
                self.trigger = gr.Textbox(label=N_("Trigger word"), placeholder="CYBRPNK", max_lines=1, min_width=120)
                self.rank = gr.Number(value=16, label=N_("Rank"), precision=0, minimum=1, maximum=128, min_width=70)
                self.steps = gr.Number(
                    value=1000, label=N_("Steps"), precision=0, minimum=3, maximum=6000, min_width=80
                )
            self.look = gr.Button(N_("Look at the images and the price"), elem_id="train-look")
            self.said = widget(elem_id="train-said")
            self.start = gr.Button(N_("Start the training"), variant="primary", elem_id="train-start", visible=False)
        with gr.Column(elem_id="train-stage"):
            self.progress = widget(elem_id="train-progress")
            self.under_way = widget(elem_id="train-list")
        self.fields: list[Any] = [self.images, self.destination, self.trigger, self.rank, self.steps]


def connect(page: TrainPage, services: Services, render: Renderer, listeners: Listeners) -> None:
    trainer, looked = Trainer(services), gr.State(())

    def on_view(now: View) -> Any:
        return list_html(trainer, render) if now.page == "train" else gr.skip()

    def on_look(*values: Any) -> Any:
        with errors_as_messages():
            return *check_images(trainer, render, values), values

    def on_start(looked: tuple[Any, ...], *values: Any) -> Iterator[Any]:
        with errors_as_messages():
            # The answer about the price may come after another value is typed.
            if values != looked:
                raise UsageError(_("The price was for other values. Look at the images and the price again."))
            yield from start_training(trainer, render, values)

    def on_click(event: gr.EventData) -> Iterator[Any]:
        with errors_as_messages():
            yield from handle_click(trainer, render, act_data(event))

    outputs = [page.progress, page.under_way, page.start]
    listeners.add(on_view, [page.view], [page.under_way])
    page.look.click(on_look, page.fields, [page.said, page.start, looked], **QUIET)
    page.start.click(on_start, [looked, *page.fields], outputs, concurrency_limit=None, **QUIET)
    page.under_way.act(on_click, None, outputs, concurrency_limit=None, **QUIET)
    # The price was for other values, so it must be computed again.
    changes = [field.change for field in page.fields]
    gr.on(changes, None, None, [page.said, page.start], js=OUTDATED, **QUIET)


def order_of(values: tuple[Any, ...]) -> tuple[Order, Path]:
    """Raises UsageError for invalid values."""
    images, destination, trigger, rank, steps = values
    if not images:
        raise UsageError(_("Choose a zip of images first: 10 to 20 of the same thing, from several sides."))
    order = Order(
        destination=str(destination or "").strip(),
        trigger_word=str(trigger or "").strip(),
        rank=int(rank or 0),
        steps=int(steps or 0),
    )
    order.check()
    return order, Path(images)


def check_images(trainer: Trainer, render: Renderer, values: tuple[Any, ...]) -> tuple[str, Any]:
    """The zip's contents and the price of the training; nothing is sent yet."""
    trainer.services.policy.check("train")
    trainer.need_key()
    order, path = order_of(values)
    images = training_set(path)
    return render("training_price", price=price(order, images), notes=images.notes), gr.update(visible=True)


def start_training(trainer: Trainer, render: Renderer, values: tuple[Any, ...]) -> Iterator[Any]:
    """Updates of progress, list and start button, until the training has ended."""
    trainer.services.policy.check("train")
    order, path = order_of(values)
    images = training_set(path)
    yield result.progress_html(render, _("Uploading the images…"), None), gr.skip(), gr.update(visible=False)
    yield from follow_training(trainer, render, trainer.start(order, images))


def follow_training(trainer: Trainer, render: Renderer, run: Run) -> Iterator[Any]:
    """The training continues when this page is closed; its row in the list brings it back."""
    listed = list_html(trainer, render)
    steps = run_in_thread(lambda on_progress, _is_cancelled: trainer.follow(run, on_progress))
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            ref: Ref = end.value[1]
            break
        except HubUiError:
            yield "", list_html(trainer, render), gr.skip()
            raise
        yield result.progress_html(render, *progress_text(step)), listed, gr.skip()
    yield render("training_made", ref=ref), list_html(trainer, render), gr.skip()


def handle_click(trainer: Trainer, render: Renderer, act: dict[str, Any]) -> Iterator[Any]:
    """Follows or cancels a training of the list."""
    trainer.services.policy.check("train")
    run_id = str(act.get("id", ""))
    if act.get("act") == "follow":
        yield from follow_training(trainer, render, trainer.get(run_id))
    elif act.get("act") == "cancel":
        trainer.cancel(run_id)
        yield "", list_html(trainer, render), gr.skip()
    else:
        yield (gr.skip(),) * 3


def list_html(trainer: Trainer, render: Renderer) -> str:
    """The trainings under way with this key, or why they can't be listed."""
    try:
        return render("training_list", runs=trainer.list_running(), problem="")
    except HubUiError as error:
        return render("training_list", runs=(), problem=error.message)
