"""The panel of one LoRA: what the catalog knows at once, then what its hub and its file say."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

from markupsafe import Markup

from connectors.claims.content import content_tags
from connectors.claims.resolve import flatten, record_with_header
from connectors.errors import HubUiError, NotFound, Withheld
from connectors.record import Lora, Record, Version, within
from connectors.ref import LOCAL, Origin, Ref
from connectors.registry import HUBS
from connectors.weights.inspect import Facts
from hub_ui.access.quotas import LimitReached
from hub_ui.access.visitor import current_visitor
from hub_ui.app.compatibility import requirements
from hub_ui.app.services import Services
from hub_ui.base import format
from hub_ui.base.i18n import N_, _
from hub_ui.generate.try_fields import TrySettings, clamp_weight
from hub_ui.images.example_settings import Used
from hub_ui.web.browse.cards import Card, cover
from hub_ui.web.downloads.drawer import drawer_values
from hub_ui.web.layout.pages import Preview, prefix
from hub_ui.web.layout.render import Renderer, word
from hub_ui.web.lora import detail
from hub_ui.web.lora.fact_rows import Fact, rows
from hub_ui.web.view import StackedLora, View

MOST_NAMED = 4
MOST_SIMILAR = 8
MOST_HOMES = 20
MOST_FILES = 40
MOST_TAGS = 24
# Longer ones are CivitAI's, whose licence is a list of permissions.
LONGEST_LICENSE = 40
# There is no file to read.
GONE = ("archived", "removed", "generation-only")
READING = N_("Reading the file's header…")
NOTHING_SAID = MappingProxyType({"state": "", "unread": "", "missing": ""})


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Makes the values of lora/panel.html."""

    services: Services
    render: Renderer

    def values(self, view: View) -> dict[str, Any]:
        """What is known without asking anybody; the hub and the file are asked once it is there."""
        ref = Ref.parse(view.open)
        try:
            lora = self.services.lookup.known(ref.lora)
        except NotFound:
            return self.message(view, ref, _("Asking the hub…"))
        facts, is_unread = find_facts(self.services, lora, ref)
        return self.lora(view, lora, ref, facts, {"unread": _(READING)} if is_unread else {})

    def steps(self, view: View, seen: str = "") -> Iterator[dict[str, Any]]:
        """The panel again once the hub has answered, the file's header was read, and all versions are listed, as far as
        that says something new. `seen` is what the panel says already (its `fingerprint`).
        """
        ref = Ref.parse(view.open)
        try:
            lora, failure = self.services.lookup.get_or_recall(ref)
        except LimitReached as error:
            yield self.message(view, ref, error.message)
            return
        except HubUiError as error:
            hint = _("Check the address, or search for its name.") if type(error) is NotFound else ""
            text = format.sentences(error.message, hint)
            known = {} if isinstance(error, Withheld) else self.values(view)
            yield {**known, "state": text, "unread": ""} if known.get("lora") else self.message(view, ref, text)
            return
        if failure is not None:
            # A hub that does not answer about the LoRA says nothing of its file and its history either.
            age = format.ago(self.services.catalog.last_seen(lora.ref))
            state = format.sentences(failure.message, _("This was last seen {age}.").format(age=age) if age else "")
            yield self.lora(view, lora, ref, find_facts(self.services, lora, ref)[0], {"state": state})
            return
        for facts, said in self.read(lora, ref):
            found = self.fingerprint(lora, ref, facts, said)
            if found != seen:
                seen = found
                yield self.lora(view, lora, ref, facts, said)

    def fingerprint(self, lora: Lora, ref: Ref, facts: Facts | None, said: Mapping[str, str]) -> str:
        """Tells whether a panel says anything new. Making the panel takes far longer."""
        lookup, version = self.services.lookup, detail.version_and_file(lora, ref)[0]
        used = (lookup.find_usage(version) if version else None) or ()
        text = repr((lora, facts, lookup.find_history(ref), used, said))
        return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]

    def read(self, lora: Lora, ref: Ref) -> Iterator[tuple[Facts | None, dict[str, str]]]:
        """What the file proves, and what `lora` says in place of it, as it comes; once more when its history has come,
        and what people use.
        """
        lookup, (version, file) = self.services.lookup, detail.version_and_file(lora, ref)
        (facts, is_unread), said = find_facts(self.services, lora, ref), dict[str, str]()
        if file is not None and is_unread:
            yield None, {"unread": _(READING)}
            try:
                facts = lookup.inspect(file.ref)
            except HubUiError as error:
                said = {"unread": format.sentences(_("The file's header could not be read."), error.message)}
        yield facts, said
        lookup.fetch_history(ref)
        try:
            if version is not None:
                lookup.fetch_usage(version)
        except HubUiError as error:
            said = {**said, "missing": error.message}
        yield facts, said

    def title_of(self, name: str) -> str:
        """Of another LoRA: what the catalog knows of a ref, where that is for everybody, or the name itself."""
        with suppress(HubUiError):
            known = self.services.catalog.lora(Ref.parse(name))
            return known.title if within(known.nsfw, "soft") else name
        return name

    def message(self, view: View, ref: Ref, text: str) -> dict[str, Any]:
        return {"lora": None, "title": ref.id, "state": text, "drawer": None, "fingerprint": "", **links(view)}

    def lora(
        self, view: View, lora: Lora, ref: Ref, facts: Facts | None = None, said: Mapping[str, str] = NOTHING_SAID
    ) -> dict[str, Any]:
        """`facts` are those of the file that `ref` names. `said` is said in place of what is not known: by `state` of
        the LoRA, by `unread` of the file's header, and by `missing` of what people use.
        """
        lookup, (version, file) = self.services.lookup, detail.version_and_file(lora, ref)
        history, used = lookup.find_history(ref), (lookup.find_usage(version) if version else None) or ()
        record = flatten(lora, version, file)
        record = record_with_header(record, facts.adapter) if facts else record
        is_lora, catalog = facts is None or facts.adapter.is_lora, self.services.catalog
        needs, key = requirements(self.services, record), key_place(self.services, record.hub)
        in_library = self.services.downloads.holds(record.ref)
        return {
            **links(view),
            **self.actions(view, lora, record),
            # As far as they were seen: those on the same card, and other ones under the same title by the same creator.
            "homes": list(map(flatten, filter(None, map(catalog.find, catalog.homes(ref)[:MOST_HOMES])))),
            "also_on": [other for other in catalog.also_on(ref) if within(other.nsfw, view.query.nsfw)],
            # Asked for once a person gets there.
            "similar": None,
            "fingerprint": self.fingerprint(lora, ref, facts, said),
            "lora": lora,
            "record": record,
            "title": format.record_title(record),
            "images": detail.gallery(record, view.query.nsfw),
            "offer": detail.offer(record, version, facts, needs, key_place=key, in_library=in_library),
            **NOTHING_SAID,
            **said,
            "dispute": format.visible(" ".join(record.conflict_sentences)) if is_lora else "",
            "facts": by_source(rows(record, facts)),
            "read": None if said.get("state") else facts,
            "used": used,
            "title_of": self.title_of,
            "usage_address": usage_address(record.ref, used),
            "warnings": [format.visible(text) for text in facts.adapter.warnings] if facts and is_lora else (),
            "versions": detail.with_changes(lora, history, lambda known: lookup.with_header_facts(known)[0]),
            "shown": version.ref if version else None,
            "files": version.files[:MOST_FILES] if version else (),
            "description": self.description(lora, version, record),
            "tags": [tag for tag in content_tags(lora.tags) if format.visible(tag)][:MOST_TAGS],
        }

    def description(self, lora: Lora, version: Version | None, record: Record) -> Markup:
        # A model card's relative addresses lead to files beside it, of the same commit.
        base = f"{lora.url}/resolve/{version.ref.version}/" if lora.hub == "huggingface" and version else lora.url
        image_url = partial(self.render.image_url, ref=record.ref)
        return detail.description_html(lora.description, lora.description_format, base=base, image_url=image_url)

    def actions(self, view: View, lora: Lora, record: Record) -> dict[str, Any]:
        """What can be done with it. `file_link` is where a visitor of a hosted page gets the file, empty if there is
        none; None on a page of one's own. `is_favorite` is None where nobody has favourites.
        """
        services, ref = self.services, str(record.ref)
        policy, can_pull = services.policy, services.policy.allows("pull")
        # As Downloads.enqueue names it.
        getting = record.file.ref if record.file is not None and record.ref.is_pinned else record.ref
        return {
            "is_favorite": services.annotations.get(record.ref.lora).favorite if policy.allows("annotate") else None,
            # It starts at once, and its way back leads to the same list.
            "try_fields": [("lora", ref), *parse_qsl(View(query=view.query).to_address())],
            "is_stacked": any(stacked.ref == ref for stacked in view.stack),
            "stack_address": view.with_lora(ref, services.generation.default_weight(record.ref, record)).link(),
            "can_pull": can_pull,
            "getting": getting,
            # All of it, so that a row that moves comes with the stream that moves it (lora/changed.html).
            "drawer": drawer_values(services, getting) if can_pull else None,
            "file_link": file_link(services, lora, record) if services.visitor_downloads else None,
        }

    def preview(self, view: View) -> Preview:
        """Never above "safe": other sites show it to everybody."""
        ref = Ref.parse(view.open)
        hub = HUBS[ref.hub].label if ref.hub in HUBS else "hub-ui"
        unnamed = Preview(title=_("A LoRA on {hub}").format(hub=hub))
        try:
            record = flatten(self.services.catalog.lora(ref.lora))
        except NotFound:
            # A number says nothing.
            return Preview(title=ref.id) if "/" in ref.id else unnamed
        # What nobody has rated has its title, and no picture.
        if not within(record.nsfw, "soft"):
            return unnamed
        image = cover(record, "safe")
        kind = _(record.kind) if record.kind else ""
        words = format.join(format.base_label(record), kind, ", ".join(record.trigger_words[:MOST_NAMED]))
        url = self.render.image_url(image.url, record.ref, "panel") if image is not None else ""
        return Preview(title=format.record_title(record), text=format.visible(words), image=url)


def find_facts(services: Services, lora: Lora, ref: Ref) -> tuple[Facts | None, bool]:
    """What the file that `ref` names is known to prove, and whether there is a header that was not read yet."""
    file = detail.version_and_file(lora, ref)[1]
    facts = services.lookup.find_facts(file) if file else None
    return facts, file is not None and facts is None and file.format != "pickle" and lora.access not in GONE


def usage_address(ref: Ref, used: Sequence[Used]) -> str:
    """The Compare page with what most people use; empty where that is not known."""
    if not used:
        return ""
    first: dict[str, Any] = {one.field: one.value for one in reversed(used)}
    settings = {name: first[name] for name in ("steps", "guidance", "sampler") if name in first}
    stacked = StackedLora(ref=str(ref), weight=clamp_weight(first.get("weight", 1.0)))
    return View(page="try", stack=(stacked,), settings=TrySettings(**settings)).link()


def by_source(facts: Sequence[Fact]) -> dict[str, list[Fact]]:
    """What each source says; that of the file comes first, and has no name. What the licence permits is said by chips
    (`permissions`).
    """
    header, found = word("source", "header"), dict[str, list[Fact]]({"": []})
    for fact in facts:
        if fact.name != _("It permits") and (fact.name != _("Licence") or len(fact.value) <= LONGEST_LICENSE):
            found.setdefault("" if fact.source == header else fact.source, []).append(fact)
    return found


def links(view: View) -> dict[str, Any]:
    """Where the panel leads: back to the list, to other LoRAs of it, and to other searches."""
    address = View(query=view.query, stack=view.stack).link()
    return {
        "view": view,
        "close_address": address,
        "open_prefix": prefix(address, "open"),
        "search_prefix": prefix(View(stack=view.stack).link(), "q"),
        "address": view.to_address(),
        # Which act of a person it answers (navigation.js).
        "act": 0,
        # The texts of saved searches (NewsRoutes.texts).
        "saved": frozenset(),
    }


def file_link(services: Services, lora: Lora, record: Record) -> str:
    """Where a visitor gets the file (see hosting/downloads.py); empty where there is none."""
    downloads = services.visitor_downloads
    if downloads is None or record.file is None or record.hub == LOCAL:
        return ""
    return downloads.link(record.file.ref, is_open=record.access == "open" and not lora.private)


def find_similar(services: Services, view: View) -> list[tuple[Card, str]]:
    """Cards like the open one, each with why; none for a LoRA that was never seen."""
    ceiling = view.query.nsfw
    with suppress(NotFound):
        similar = services.catalog.similar(Ref.parse(view.open), limit=MOST_SIMILAR, nsfw=ceiling)
        return [(Card(record=near.record, ceiling=ceiling), near.reason) for near in similar]
    return []


def key_place(services: Services, hub: Origin) -> detail.Place | None:
    """Where a key for a hub goes; None where there is one, or none is needed."""
    settings, visitor = services.settings, current_visitor()
    owns = services.policy.allows("use keys")
    if hub == LOCAL or hub in (settings.tokens if owns else visitor.keys if visitor else ()):
        return None
    if owns:
        return "demo" if settings.demo else "own"
    return "visit" if not HUBS[hub].signs_in else "sign-in" if settings.sign_in else "shared"
