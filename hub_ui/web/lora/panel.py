"""The panel of one LoRA: what the catalog knows at once, then what its hub and its file say."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from connectors.claims.resolve import flatten
from connectors.errors import HubUiError, NotFound, Withheld
from connectors.record import Lora, Nsfw, Record, within
from connectors.ref import LOCAL, Ref
from connectors.registry import HUBS, HubName
from connectors.weights.inspect import Facts
from hub_ui import format
from hub_ui.hosting.quotas import LimitReached
from hub_ui.hosting.visitor import current_visitor
from hub_ui.i18n import N_, _
from hub_ui.services import Services
from hub_ui.web.browse.cards import Related, base_label, cover, related
from hub_ui.web.downloads.drawer import DrawerParts
from hub_ui.web.layout.pages import Preview, page_address, prefix
from hub_ui.web.layout.render import Renderer
from hub_ui.web.lora import detail
from hub_ui.web.lora.detail import Detail, Keys, Place, description_html
from hub_ui.web.lora.fact_rows import Fact
from hub_ui.web.try_page.compatibility import requirements
from hub_ui.web.view import View

MOST_NAMED = 4
MOST_SIMILAR = 8
MOST_HOMES = 20
# Longer ones are CivitAI's, whose licence is a list of permissions.
LONGEST_LICENSE = 40
PERMISSIONS: Mapping[str, str] = {
    "sell_images": N_("sell images"),
    "merge": N_("merge"),
    "run_as_service": N_("offer it as a service"),
    "sell": N_("sell the file"),
}
READING = N_("Reading the file's header…")
# There is no file to read.
GONE = ("archived", "removed", "generation-only")
UNREAD = N_("The file's header could not be read.")


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Makes the values of lora/panel.html."""

    services: Services
    render: Renderer

    def values(self, view: View) -> dict[str, Any]:
        """What is known without asking anybody; the hub and the file are asked once it is there."""
        ref = Ref.parse(view.open)
        try:
            lora = self.services.catalog.lora(ref.lora)
        except NotFound:
            return self.message(view, ref, _("Asking the hub…"))
        return self.lora(view, lora, ref)

    def steps(self, view: View) -> Iterator[str]:
        """The panel again once the hub has answered, the file's header was read, and all versions are listed."""
        ref = Ref.parse(view.open)
        try:
            lora, failure = self.services.lookup.get_or_recall(ref)
        except LimitReached as error:
            yield self.html(self.message(view, ref, error.message))
            return
        except HubUiError as error:
            hint = _("Check the address, or search for its name.") if type(error) is NotFound else ""
            text = format.sentences(error.message, hint)
            known = {} if isinstance(error, Withheld) else self.values(view)
            is_known = known.get("detail") is not None
            yield self.html({**known, "state": text} if is_known else self.message(view, ref, text))
            return
        if failure is not None:
            # A hub that does not answer about the LoRA says nothing of its file and its history either.
            state = format.sentences(failure.message, last_seen(self.services, lora.ref))
            yield self.html(self.lora(view, lora, ref, state=state))
            return
        yield from self.read(view, lora, ref)

    def read(self, view: View, lora: Lora, ref: Ref) -> Iterator[str]:
        lookup, file = self.services.lookup, detail.version_and_file(lora, ref)[1]
        is_readable = file is not None and file.format != "pickle" and lora.access not in GONE
        facts, state = None, ""
        if file is not None and is_readable and lookup.find_facts(file) is None:
            yield self.html(self.lora(view, lora, ref, state=_(READING)))
            try:
                facts = lookup.inspect(file.ref)
            except HubUiError as error:
                state = format.sentences(_(UNREAD), error.message)
        yield self.html(self.lora(view, lora, ref, facts=facts, state=state))
        before = lookup.find_history(ref)
        if lookup.fetch_history(ref) != before:
            yield self.html(self.lora(view, lora, ref, facts=facts, state=state))

    def html(self, values: dict[str, Any]) -> str:
        return self.render("lora/panel", **values)

    def message(self, view: View, ref: Ref, text: str) -> dict[str, Any]:
        return {"detail": None, "title": ref.id, "state": text, **links(view)}

    def lora(self, view: View, lora: Lora, ref: Ref, *, facts: Facts | None = None, state: str = "") -> dict[str, Any]:
        """`facts` are those just read; without them, those in the catalog."""
        services, file = self.services, detail.version_and_file(lora, ref)[1]
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
        on_hub, version = lora.hub == "huggingface", shown.version
        # A model card's relative addresses lead to files beside it, of the same commit.
        base = f"{lora.url}/resolve/{version.ref.version}/" if on_hub and version is not None else lora.url
        image_url = partial(self.render.image_url, ref=shown.record.ref)
        text = description_html(lora.description, lora.description_format, base=base, image_url=image_url)
        more = {
            "facts": tuple(fact_groups(shown, "" if state else shown.state)),
            "permissions": permissions(shown.record),
            "description": text,
            "title": shown.title,
            "state": state,
        }
        # It starts at once, and its way back leads to the same list.
        tried = [("lora", str(shown.record.ref)), *parse_qsl(View(query=view.query).to_address())]
        stacked = view.with_lora(str(shown.record.ref), services.generation.default_weight(shown.record.ref))
        addresses = {"try_fields": tried, "stack_address": page_address(stacked.to_address())}
        record = shown.record
        # As Downloads.enqueue names it.
        getting = record.file.ref if record.file is not None and record.ref.is_pinned else record.ref
        row = DrawerParts(services=services).find(getting) if services.policy.allows("pull") else None
        coming = {"getting": getting, "row": row}
        return {"detail": shown, "record": record, **coming, **more, **addresses, **links(view)}

    def preview(self, view: View) -> Preview:
        """Never above "safe": other sites show it to everybody."""
        ref = Ref.parse(view.open)
        try:
            record = flatten(self.services.catalog.lora(ref.lora))
        except NotFound:
            return Preview(title=ref.id)
        # What nobody has rated has its title, and no picture.
        if not within(record.nsfw, "soft"):
            return Preview(
                title=_("A LoRA on {hub}").format(hub=HUBS[record.hub].label if record.hub in HUBS else "hub-ui")
            )
        image = cover(record, "safe")
        kind = _(record.kind) if record.kind else ""
        words = format.join(base_label(record), kind, ", ".join(record.trigger_words[:MOST_NAMED]))
        url = self.render.image_url(image.url, record.ref, "panel") if image is not None else ""
        return Preview(title=format.title(record.title) or ref.id, text=format.visible(words), image=url)


def permissions(record: Record) -> tuple[tuple[str, str], ...]:
    """What the licence allows and what not, each with its tone; nothing of what is not known."""
    found = []
    for use, words in PERMISSIONS.items():
        allowed = record.permissions.get(use)
        if allowed is not None:
            found.append((f"{'✓' if allowed else '×'} {_(words)}", "good" if allowed else ""))
    if record.permissions.get("no_credit") is False:
        found.append((_("credit needed"), "warn"))
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class FactGroup:
    """What one source says, read from the file first."""

    heading: str
    note: str
    facts: tuple[Fact, ...]


def fact_groups(shown: Detail, read: str) -> Iterator[FactGroup]:
    """The source of a fact is its group's heading. What the licence permits is said by chips (`permissions`).

    `read` says how much of the file was read.
    """
    header, by_source = _(format.SOURCE_WORDS["header"]), dict[str, list[Fact]]()
    for fact in shown.facts:
        if fact.name != _("It permits") and (fact.name != _("Licence") or len(fact.value) <= LONGEST_LICENSE):
            by_source.setdefault(fact.source, []).append(fact)
    for source in sorted(by_source, key=lambda name: name != header):
        heading = _("Read from the file") if source == header else _("According to {source}").format(source=source)
        note = read if source == header else ""
        yield FactGroup(heading=heading, note=note, facts=tuple(by_source[source]))


def links(view: View) -> dict[str, Any]:
    """Where the panel leads: back to the list, to other LoRAs of it, and to other searches."""
    closed = View.from_address(view.to_address())
    address = View(query=closed.query, stack=closed.stack).to_address()
    return {
        "view": view,
        "close_address": page_address(address),
        "open_prefix": prefix(address, "open"),
        "search_prefix": prefix(View(stack=closed.stack).to_address(), "q"),
        "address": view.to_address(),
    }


def last_seen(services: Services, ref: Ref) -> str:
    """How old what is shown of a LoRA is, in a sentence."""
    age = format.ago(services.catalog.last_seen(ref))
    return _("This was last seen {age}.").format(age=age) if age else ""


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
