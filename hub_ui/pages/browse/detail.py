"""The detail panel: one LoRA beside the list, what can be done with it, and its example images."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from connectors.claims.resolve import flatten, record_of
from connectors.errors import HubUiError, NotFound, Withheld
from connectors.record import Lora, Nsfw, Record, within
from connectors.ref import LOCAL, Ref
from connectors.registry import HUBS, HubName
from connectors.weights.inspect import Facts
from hub_ui import format
from hub_ui.hosting.quotas import LimitReached
from hub_ui.hosting.visitor import current_visitor
from hub_ui.i18n import N_, _
from hub_ui.images import example_settings
from hub_ui.images.example_settings import ExampleSettings
from hub_ui.pages.events import IN_ORDER, QUIET, Turns, errors_as_messages, while_current
from hub_ui.pages.library.downloads import Downloads
from hub_ui.pages.try_page.compatibility import requirements
from hub_ui.pages.try_page.page import TryPage
from hub_ui.pages.view import LONGEST_PROMPT, StackedLora, TrySettings, View, clamp_weight, prompt_text
from hub_ui.services import Services
from hub_ui.widgets import detail
from hub_ui.widgets.detail import Keys, Place
from hub_ui.widgets.related import Related, related
from hub_ui.widgets.render import Renderer, act_data, read_script, widget

MOST_NAMED = 4
MOST_SIMILAR = 8
MOST_HOMES = 20
READING = N_("Reading the file's header…")
# There is no file to read.
GONE = ("archived", "removed", "generation-only")
UNREAD = N_("The file's header could not be read.")


class DetailPanel:
    """`download` is the line below the panel with the progress of its download."""

    def __init__(self, view: gr.State) -> None:
        self.view = view
        with gr.Column(elem_id="detail"):
            self.panel = widget(elem_id="panel", script=read_script("panel"))
            self.download = widget(elem_id="pulling")


def connect(page: DetailPanel, downloads: Downloads, services: Services, render: Renderer) -> None:
    view, opened, turns = page.view, gr.State(""), Turns()

    def on_view(now: View, before: str, request: gr.Request) -> Iterator[Any]:
        if now.open == before:
            yield gr.skip(), gr.skip()
            return
        turn = turns.take(request)
        steps = show(services, render, now)
        yield from while_current(steps, lambda: turns.is_at(request, turn), (gr.skip(), gr.skip()))

    def on_pull(requested: int, event: gr.EventData) -> Any:
        with errors_as_messages():
            return requested + 1 if pull(services, act_data(event)) else gr.skip()

    def paint_again(now: View, request: gr.Request) -> Any:
        """The open LoRA, unless another one was opened meanwhile."""
        turn = turns.now(request)
        html = catalog_html(services, render, now, Ref.parse(now.open)) if now.open else ""
        return html if html and turns.is_at(request, turn) else gr.skip()

    def on_favorite(now: View, request: gr.Request, event: gr.EventData) -> Any:
        with errors_as_messages():
            return paint_again(now, request) if switch_favorite(services, act_data(event)) else gr.skip()

    def on_add(now: View, request: gr.Request, event: gr.EventData) -> Any:
        with errors_as_messages():
            return paint_again(now, request) if add(services, act_data(event)) else gr.skip()

    # "multiple": opening another LoRA does not wait for a slow hub or file.
    opening: dict[str, Any] = {"trigger_mode": "multiple", "concurrency_limit": None, **QUIET}
    view.change(on_view, [view, opened], [page.panel, opened], **opening)
    page.panel.act(on_pull, [downloads.requested], [downloads.requested], trigger_mode="multiple", **QUIET)
    if services.visitor_downloads is not None:
        page.panel.act(on_add, [view], [page.panel], trigger_mode="multiple", **QUIET)
    if services.policy.allows("annotate"):
        page.panel.act(on_favorite, [view], [page.panel], trigger_mode="multiple", **QUIET)
    downloads.arrived.change(paint_again, [view], [page.panel], **QUIET)


def show(services: Services, render: Renderer, view: View) -> Iterator[Any]:
    """Yields what the catalog knows, then what the hub says now, then what the file says, then all versions."""
    if not view.open:
        yield "", ""
        return
    ref = Ref.parse(view.open)
    known = catalog_html(services, render, view, ref)
    yield known or detail.message_html(render, ref.id, _("Asking the hub…")), view.open
    try:
        lora, failure = services.lookup.get_or_recall(ref)
    except LimitReached as error:
        yield detail.message_html(render, ref.id or view.open, error.message), view.open
        return
    except HubUiError as error:
        is_withheld = isinstance(error, Withheld)
        hint = _("Check the address, or search for its name.") if type(error) is NotFound else ""
        yield (
            ("" if is_withheld else known)
            or detail.message_html(render, ref.id or view.open, format.sentences(error.message, hint)),
            view.open,
        )
        return
    if failure is not None:
        # A hub that does not answer about the LoRA says nothing of its file and its history either.
        state = format.sentences(failure.message, last_seen(services, lora.ref))
        yield lora_html(services, render, view, lora, ref, state=state), view.open
        return
    for html in panel_html(services, render, view, lora, ref):
        yield html, view.open


def last_seen(services: Services, ref: Ref) -> str:
    """How old what is shown of a LoRA is, in a sentence."""
    age = format.ago(services.catalog.last_seen(ref))
    return _("This was last seen {age}.").format(age=age) if age else ""


def panel_html(services: Services, render: Renderer, view: View, lora: Lora, ref: Ref) -> Iterator[str]:
    """The panel, again once its file's header has been read, and again with the versions that the hub lists apart."""
    file = detail.version_and_file(lora, ref)[1]
    is_readable = file is not None and file.format != "pickle" and lora.access not in GONE
    facts, state = None, ""
    if file is not None and is_readable and services.lookup.find_facts(file) is None:
        yield lora_html(services, render, view, lora, ref, state=_(READING))
        try:
            facts = services.lookup.inspect(file.ref)
        except HubUiError as error:
            state = format.sentences(_(UNREAD), error.message)
    yield lora_html(services, render, view, lora, ref, facts=facts, state=state)
    before = services.lookup.find_history(ref)
    if services.lookup.fetch_history(ref) != before:
        yield lora_html(services, render, view, lora, ref, facts=facts, state=state)


def catalog_html(services: Services, render: Renderer, view: View, ref: Ref) -> str:
    try:
        return lora_html(services, render, view, services.catalog.lora(ref.lora), ref)
    except NotFound:
        return ""


def lora_html(
    services: Services,
    render: Renderer,
    view: View,
    lora: Lora,
    ref: Ref,
    *,
    facts: Facts | None = None,
    state: str = "",
) -> str:
    """`facts` are those just read; without them, those in the catalog."""
    file = detail.version_and_file(lora, ref)[1]
    facts = facts or (services.lookup.find_facts(file) if file else None)
    shown = detail.detail(
        lora,
        ref,
        ceiling=view.query.nsfw,
        in_library=services.downloads.holds,
        take_home=take_home(services, lora) if services.visitor_downloads else None,
        facts=facts,
        state=state,
        can_pull=services.policy.allows("pull"),
        keys=keys(services),
        needs=lambda record: requirements(services, record),
        related=find_related(services, ref, view.query.nsfw),
        is_favorite=services.annotations.get(ref).favorite if services.policy.allows("annotate") else None,
        find_facts=services.lookup.find_facts,
        history=services.lookup.find_history(ref),
    )
    return detail.html(render, shown)


def take_home(services: Services, lora: Lora) -> Callable[[Record], str]:
    """Gives the link of a file for a visitor (see hosting/downloads.py); empty where there is no file."""
    downloads = services.visitor_downloads

    def link(record: Record) -> str:
        if downloads is None or record.file is None or record.hub == LOCAL:
            return ""
        return downloads.link(record.file.ref, is_open=record.access == "open" and not lora.private)

    return link


def find_related(services: Services, ref: Ref, ceiling: Nsfw) -> Related:
    """Other places of the same LoRA, and others like it, as far as they were seen."""
    catalog = services.catalog
    try:
        similar = catalog.similar(ref, limit=MOST_SIMILAR, nsfw=ceiling)
        homes = [flatten(catalog.lora(home)) for home in catalog.homes(ref)[:MOST_HOMES]]
    except NotFound:
        return Related()
    also_on = [record for record in catalog.also_on(ref) if within(record.nsfw, ceiling)]
    return related(homes, also_on, similar, ceiling=ceiling)


def keys(services: Services) -> Keys:
    settings, visitor = services.settings, current_visitor()
    if services.policy.allows("use keys"):
        places: dict[HubName, Place] = dict.fromkeys(settings.endpoints, "demo" if settings.demo else "own")
        return Keys(hubs=frozenset(settings.tokens), places=places)
    signed: Place = "sign-in" if settings.sign_in else "shared"
    places = {hub: signed if HUBS[hub].signs_in else "visit" for hub in settings.endpoints}
    return Keys(hubs=frozenset(visitor.keys if visitor else ()), places=places)


def pull(services: Services, act: dict[str, Any]) -> bool:
    """Queues the download; returns whether the click requested it."""
    if act.get("act") != "pull":
        return False
    services.policy.check("pull")
    services.downloads.enqueue(Ref.parse(str(act.get("ref", ""))))
    return True


def add(services: Services, act: dict[str, Any]) -> bool:
    """Puts a LoRA into a visitor's own library; returns whether the click requested it."""
    if act.get("act") != "add" or services.visitor_downloads is None:
        return False
    services.visitor_downloads.add(Ref.parse(str(act.get("ref", ""))))
    return True


def switch_favorite(services: Services, act: dict[str, Any]) -> Ref | None:
    """Makes a LoRA a favourite, or none any more; returns it, None for another click."""
    if act.get("act") != "favorite":
        return None
    services.policy.check("annotate")
    ref = Ref.parse(str(act.get("ref", ""))).lora
    services.annotations.change(ref, favorite=not services.annotations.get(ref).favorite)
    return ref


def connect_examples(panel: gr.HTML, page: TryPage, services: Services, render: Renderer) -> None:
    def on_click(now: View, event: gr.EventData) -> Any:
        with errors_as_messages():
            return use_example(services, render, now, act_data(event))

    panel.act(on_click, [page.view], [page.view, page.said], **IN_ORDER)
    # A note about one example does not belong to the next result.
    page.make.click(None, None, [page.said], js="() => ''", **QUIET)


def use_example(services: Services, render: Renderer, view: View, clicked: dict[str, Any]) -> tuple[Any, Any]:
    """The Try page with the example's settings, and a line about the rest. Skips other clicks of the panel."""
    index = str(clicked.get("index", ""))
    if clicked.get("act") != "example" or not index.isdigit():
        return gr.skip(), gr.skip()
    ref = Ref.parse(str(clicked.get("ref", "")))
    lora = services.catalog.lora(ref.lora)
    record = record_of(lora, ref)
    if int(index) >= len(record.images):
        raise NotFound(_("This image is no longer shown by its hub. Open the LoRA again."))
    found = example_settings.settings(record.images[int(index)])
    stacked = StackedLora(ref=str(ref), weight=example_weight(found, lora, ref))
    tried = replace(view, page="try", open="", stack=(stacked,), settings=try_settings(found, lora, ref))
    return tried, render("hint", text=describe_example(found, lora, ref))


def example_weight(found: ExampleSettings, lora: Lora, ref: Ref) -> float:
    version = lora.version(ref.version) or lora.version(None)
    given = found.weight(version) if version is not None else found.scale
    return 1.0 if given is None else clamp_weight(given)


def try_settings(found: ExampleSettings, lora: Lora, ref: Ref) -> TrySettings:
    version = lora.version(ref.version) or lora.version(None)
    used = found.used(version) if version is not None else None
    size = (found.width, found.height) if found.width and found.height else None
    return TrySettings(
        prompt=prompt_text(found.prompt),
        negative=prompt_text(found.negative),
        seed=found.seed,
        steps=found.steps,
        guidance=found.guidance,
        sampler=found.sampler or "",
        size=size,
        clip_weights=(clamp_weight(used.clip_weight),) if used and used.clip_weight is not None else (),
        # Whether they fit shows where the base is known.
        blocks=(used.blocks[:LONGEST_PROMPT],) if used and used.blocks else (),
    )


def describe_example(found: ExampleSettings, lora: Lora, ref: Ref) -> str:
    """What was used, what was not, and which other LoRAs the image was made with."""
    version = lora.version(ref.version) or lora.version(None)
    others = found.others(version) if version is not None else found.loras
    names = ", ".join(format.visible(other.name)[:60] for other in others[:MOST_NAMED])
    return format.sentences(
        _("The settings of an example of “{title}”.").format(title=format.visible(lora.title)),
        found.sentence() or "",
        _("It was made with other LoRAs too: {names}.").format(names=names) if others else "",
    )
