"""The panel of one LoRA: first the catalog's data, then the data of its hub and of its file's header."""

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
# Longer licences are CivitAI's lists of permissions, which the panel shows as chips.
LONGEST_LICENSE = 40
# The LoRA has no file to read.
GONE = ("archived", "removed", "generation-only")
READING = N_("Reading the file's header…")
NOTHING_SAID = MappingProxyType({"state": "", "unread": "", "missing": ""})


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The values of lora/panel.html."""

    services: Services
    render: Renderer

    def values(self, view: View) -> dict[str, Any]:
        """Return the values from the catalog alone. `steps` requests the rest when the panel is open."""
        ref = Ref.parse(view.open)
        try:
            lora = self.services.lookup.known(ref.lora)
        except NotFound:
            return self.message(view, ref, _("Asking the hub…"))
        facts, is_unread = find_facts(self.services, lora, ref)
        return self.lora(view, lora, ref, facts, {"unread": _(READING)} if is_unread else {})

    def steps(self, view: View, seen: str = "") -> Iterator[dict[str, Any]]:
        """Yield the values again after the hub's response, the file's header and the list of versions.

        Only values with a new `fingerprint` are yielded. `seen` is the fingerprint of the panel on the page.
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
            # If the hub does not respond for the LoRA, don't request its file and history.
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
        """Return a hash of the panel's data, which is much faster than rendering the panel."""
        lookup, version = self.services.lookup, detail.version_and_file(lora, ref)[0]
        used = (lookup.find_usage(version) if version else None) or ()
        text = repr((lora, facts, lookup.find_history(ref), used, said))
        return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]

    def read(self, lora: Lora, ref: Ref) -> Iterator[tuple[Facts | None, dict[str, str]]]:
        """Yield the facts of the file, and messages in place of missing facts.

        Yield them once more after the history and the usual settings were requested.
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
        """Return the title of another LoRA, named by a ref, or `name` if it is unknown or above soft."""
        with suppress(HubUiError):
            known = self.services.catalog.lora(Ref.parse(name))
            return known.title if within(known.nsfw, "soft") else name
        return name

    def message(self, view: View, ref: Ref, text: str) -> dict[str, Any]:
        return {"lora": None, "title": ref.id, "state": text, "drawer": None, "fingerprint": "", **links(view)}

    def lora(
        self, view: View, lora: Lora, ref: Ref, facts: Facts | None = None, said: Mapping[str, str] = NOTHING_SAID
    ) -> dict[str, Any]:
        """Return the values for a known LoRA. `facts` belong to the file of `ref`.

        `said` has messages for missing data: `state` for the LoRA, `unread` for the file's header, and `missing` for
        the usual settings.
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
            # From the catalog: the copies on the same card, and LoRAs of the same title and creator on other hubs.
            "homes": list(map(flatten, filter(None, map(catalog.find, catalog.homes(ref)[:MOST_HOMES])))),
            "also_on": [other for other in catalog.also_on(ref) if within(other.nsfw, view.query.nsfw)],
            # The page requests these when they scroll into view.
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
        # Relative addresses in a model card refer to files of the same commit.
        base = f"{lora.url}/resolve/{version.ref.version}/" if lora.hub == "huggingface" and version else lora.url
        image_url = partial(self.render.image_url, ref=record.ref)
        return detail.description_html(lora.description, lora.description_format, base=base, image_url=image_url)

    def actions(self, view: View, lora: Lora, record: Record) -> dict[str, Any]:
        """Return the values of the panel's buttons.

        `file_link` is the download link for a visitor of a hosted page, empty without a file, or None on a local page.
        `is_favorite` is None if the page has no favourites.
        """
        services, ref = self.services, str(record.ref)
        policy, can_pull = services.policy, services.policy.allows("pull")
        # Downloads.enqueue uses the same ref.
        getting = record.file.ref if record.file is not None and record.ref.is_pinned else record.ref
        return {
            "is_favorite": services.annotations.get(record.ref.lora).favorite if policy.allows("annotate") else None,
            # The form starts at once, and keeps the search for the way back.
            "try_fields": [("lora", ref), *parse_qsl(View(query=view.query).to_address())],
            "is_stacked": any(stacked.ref == ref for stacked in view.stack),
            "stack_address": view.with_lora(ref, services.generation.default_weight(record.ref, record)).link(),
            "can_pull": can_pull,
            "getting": getting,
            # Render the whole drawer, so that a moving row arrives with the stream that moves it (lora/changed.html).
            "drawer": drawer_values(services, getting) if can_pull else None,
            "file_link": file_link(services, lora, record) if services.visitor_downloads else None,
        }

    def preview(self, view: View) -> Preview:
        """Return the link preview. It never shows content above "safe", because other sites show it to all visitors."""
        ref = Ref.parse(view.open)
        hub = HUBS[ref.hub].label if ref.hub in HUBS else "hub-ui"
        unnamed = Preview(title=_("A LoRA on {hub}").format(hub=hub))
        try:
            record = flatten(self.services.catalog.lora(ref.lora))
        except NotFound:
            # CivitAI's ids are numbers, which would not help as a title.
            return Preview(title=ref.id) if "/" in ref.id else unnamed
        # An unrated LoRA is shown with its title, but without a picture.
        if not within(record.nsfw, "soft"):
            return unnamed
        image = cover(record, "safe")
        kind = _(record.kind) if record.kind else ""
        words = format.join(format.base_label(record), kind, ", ".join(record.trigger_words[:MOST_NAMED]))
        url = self.render.image_url(image.url, record.ref, "panel") if image is not None else ""
        return Preview(title=format.record_title(record), text=format.visible(words), image=url)


def find_facts(services: Services, lora: Lora, ref: Ref) -> tuple[Facts | None, bool]:
    """Return the known facts of the file of `ref`, and whether its header has yet to be read."""
    file = detail.version_and_file(lora, ref)[1]
    facts = services.lookup.find_facts(file) if file else None
    return facts, file is not None and facts is None and file.format != "pickle" and lora.access not in GONE


def usage_address(ref: Ref, used: Sequence[Used]) -> str:
    """Return the address of the Compare page with the usual settings, or "" if they are unknown."""
    if not used:
        return ""
    first: dict[str, Any] = {one.field: one.value for one in reversed(used)}
    settings = {name: first[name] for name in ("steps", "guidance", "sampler") if name in first}
    stacked = StackedLora(ref=str(ref), weight=clamp_weight(first.get("weight", 1.0)))
    return View(page="try", stack=(stacked,), settings=TrySettings(**settings)).link()


def by_source(facts: Sequence[Fact]) -> dict[str, list[Fact]]:
    """Group facts by source. The file's group comes first and is named "".

    Permissions and long licences are left out, because the panel shows them as chips (`permissions`).
    """
    header, found = word("source", "header"), dict[str, list[Fact]]({"": []})
    for fact in facts:
        if fact.name != _("It permits") and (fact.name != _("Licence") or len(fact.value) <= LONGEST_LICENSE):
            found.setdefault("" if fact.source == header else fact.source, []).append(fact)
    return found


def links(view: View) -> dict[str, Any]:
    """Return the addresses of the panel's links: to the list, to other LoRAs and to other searches."""
    address = View(query=view.query, stack=view.stack).link()
    return {
        "view": view,
        "close_address": address,
        "open_prefix": prefix(address, "open"),
        "search_prefix": prefix(View(stack=view.stack).link(), "q"),
        "address": view.to_address(),
        # The number of the user's action that this response belongs to (navigation.js).
        "act": 0,
        # The texts of saved searches (NewsRoutes.texts).
        "saved": frozenset(),
    }


def file_link(services: Services, lora: Lora, record: Record) -> str:
    """Return a visitor's download link (see hosting/downloads.py), or "" without a file."""
    downloads = services.visitor_downloads
    if downloads is None or record.file is None or record.hub == LOCAL:
        return ""
    return downloads.link(record.file.ref, is_open=record.access == "open" and not lora.private)


def find_similar(services: Services, view: View) -> list[tuple[Card, str]]:
    """Return similar cards with the reasons, or an empty list for an unknown LoRA."""
    ceiling = view.query.nsfw
    with suppress(NotFound):
        similar = services.catalog.similar(Ref.parse(view.open), limit=MOST_SIMILAR, nsfw=ceiling)
        return [(Card(record=near.record, ceiling=ceiling), near.reason) for near in similar]
    return []


def key_place(services: Services, hub: Origin) -> detail.Place | None:
    """Return the place for entering a hub's key, or None if a key exists or is not needed."""
    settings, visitor = services.settings, current_visitor()
    owns = services.policy.allows("use keys")
    if hub == LOCAL or hub in (settings.tokens if owns else visitor.keys if visitor else ()):
        return None
    if owns:
        return "demo" if settings.demo else "own"
    return "visit" if not HUBS[hub].signs_in else "sign-in" if settings.sign_in else "shared"
