"""Cards of the list. The panel shows similar LoRAs as cards as well.

HeaderReader reads the headers of the visible cards' files in the background.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any

from cachetools import TTLCache
from markupsafe import Markup

from connectors.claims import base_models
from connectors.errors import HubDown, HubTimeout, HubUiError, RateLimited
from connectors.record import Example, Nsfw, Record, is_marked, within
from connectors.ref import Origin, Ref
from connectors.weights.file_type import What
from hub_ui.access.visitor import current_visitor
from hub_ui.app.compatibility import Requirements, requirements
from hub_ui.app.services import Services
from hub_ui.base import format
from hub_ui.base.i18n import _, language
from hub_ui.web.browse.search import Results
from hub_ui.web.layout.pages import prefix
from hub_ui.web.layout.render import Renderer, address, word
from hub_ui.web.view import View


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """A card of the list. `ceiling` is the level of mature images.

    The type of the file, `what`, is "lora" until its header was read (`is_read`). `try_problem` is the reason why the
    LoRA can't be tried here. `is_held` is true if the LoRA is in the library.
    """

    record: Record
    ceiling: Nsfw
    what: What = "lora"
    try_problem: str = ""
    is_read: bool = False
    is_held: bool = False

    @property
    def usable(self) -> bool:
        """Whether the file is a LoRA, or its header was not read yet."""
        return self.what == "lora"

    @property
    def examples(self) -> tuple[Example | None, Example | None]:
        """The still image, and the first example if it is a video, which plays on hover."""
        first = next((e for e in self.record.images if within(e.nsfw, self.ceiling)), None)
        return cover(self.record, self.ceiling), first if first is not None and first.video else None

    @property
    def image(self) -> str:
        return address(self.examples[0].url) if self.examples[0] else ""

    @property
    def video(self) -> str:
        return address(self.examples[1].url) if self.examples[1] else ""

    @property
    def blurred(self) -> bool:
        return any(example is not None and not within(example.nsfw, "soft") for example in self.examples)

    @property
    def flag(self) -> tuple[str, str] | None:
        """The most important remark about the card and its tone, or None.

        The order is: not a LoRA, danger, conflict, not open, real person, mature, in the library.
        """
        record = self.record
        if not self.usable:
            return _("not for images") if self.what.endswith("lora") else _("file is no LoRA"), "warn"
        if format.danger(record):
            return _("scan found danger"), "warn"
        base = ""
        if "architecture" in record.conflicts and record.architecture:
            base = base_models.architecture_label(record.architecture)
        elif "base_model" in record.conflicts and record.base_model:
            base = format.visible(base_models.label(record.base_model))
        if base:
            return _("file says {base}").format(base=base), "warn"
        if record.access != "open":
            return word("access", record.access), "dark"
        if is_marked(record.claims, "real_person"):
            return _("real person"), "dark"
        if record.nsfw in ("mature", "explicit"):
            return _("mature"), "dark"
        return (_("in library"), "good") if self.is_held else None


def cover(record: Record, ceiling: Nsfw) -> Example | None:
    """Return the first still image within the level of mature images."""
    return next((e for e in record.images if not e.video and within(e.nsfw, ceiling)), None)


MOST_KEPT, KEPT_SECONDS = 5_000, 600.0


@dataclass(frozen=True, kw_only=True)
class Cards:
    """A cache of cards and their HTML, half of the work for a page. A change of the catalog invalidates the cache."""

    services: Services
    render: Renderer
    _cards: TTLCache[Any, Card] = field(default_factory=lambda: TTLCache(MOST_KEPT, KEPT_SECONDS))
    _html: TTLCache[Any, Markup] = field(default_factory=lambda: TTLCache(MOST_KEPT, KEPT_SECONDS))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def html(self, view: View, now: Results, *, is_whole: bool) -> list[tuple[int, Markup]]:
        """Return the HTML of the cards in `now`, each with its number.

        Links of a whole page contain the search, so that they work without JavaScript. Links of a part don't, so that a
        morph leaves the cards unchanged; panel.js adds the search.
        """
        opened = replace(view, open="") if is_whole else View(stack=view.stack)
        searched = prefix(View(stack=view.stack).link(), "q")
        values = {"open_prefix": prefix(opened.link(), "open"), "search_prefix": searched}
        is_cached, key_suffix, downloads = opened == View(), self._key_suffix(now), self.services.downloads
        # A fast filter, because `holds` looks through thousands of entries.
        owned = frozenset(entry.ref.lora for entry in downloads.entries())
        shown = []
        for number, card in self.of(now):
            ref = card.record.ref
            is_held, is_open = ref.lora in owned and downloads.holds(ref), str(ref.lora) == view.open_lora
            key = (number, *key_suffix, is_held, is_open)
            with self._lock:
                html = self._html.get(key) if is_cached else None
            if html is None:
                shown_card = replace(card, is_held=is_held)
                html = Markup(self.render("browse/card", number=number, card=shown_card, is_open=is_open, **values))
                if is_cached:
                    with self._lock:
                        self._html[key] = html
            shown.append((number, html))
        return shown

    def of(self, now: Results) -> Iterator[tuple[int, Card]]:
        key_suffix = self._key_suffix(now)
        with self._lock:
            cached = {number: self._cards.get((number, *key_suffix)) for number in now.ids}
        missing = [number for number, card in cached.items() if card is None]
        records = self.services.catalog.cards(missing, now.query) if missing else {}
        for number, card in cached.items():
            if card is None and number in records:
                card = self._read(records[number], now.query.nsfw)
                with self._lock:
                    self._cards[(number, *key_suffix)] = card
            if card is not None:
                yield number, card

    def _key_suffix(self, now: Results) -> tuple[Any, ...]:
        """Return everything that a card's content depends on, except its number."""
        visitor = current_visitor()
        # A visitor's key may show more.
        person = visitor.id if visitor is not None and visitor.keys else ""
        return (self.services.catalog.change(), now.query.bases, now.query.nsfw, language().code, person)

    def _read(self, record: Record, ceiling: Nsfw) -> Card:
        known, facts = self.services.lookup.with_header_facts(record)
        what = facts.adapter.what if facts else "lora"
        needed = requirements(self.services, known) if what == "lora" else Requirements()
        problem = needed.text if needed.closed else ""
        return Card(record=known, ceiling=ceiling, what=what, try_problem=problem, is_read=facts is not None)


MOST_CARDS = 24
AT_ONCE = 2
PATIENCE_SECONDS = 30.0
# Failed reads are retried after this time, not with every search.
AGAIN_AFTER_SECONDS = 600.0
MOST_FAILED = 10_000
_UPDATE_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class HeaderReader:
    """A reader of file headers, shared by all visitors, with at most AT_ONCE concurrent requests to each hub."""

    services: Services
    _pools: dict[Origin, ThreadPoolExecutor] = field(default_factory=dict)
    _failed: TTLCache[Ref, bool] = field(default_factory=lambda: TTLCache(MOST_FAILED, AGAIN_AFTER_SECONDS))
    _closed: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        for connector in self.services.connectors:
            self._pools[connector.name] = ThreadPoolExecutor(AT_ONCE)

    def read(self, records: Sequence[Record]) -> Iterator[None]:
        """Read the headers of MOST_CARDS records, and yield after each progress. Stop after PATIENCE_SECONDS."""
        stops: dict[Origin, threading.Event] = defaultdict(threading.Event)
        unread = [record for record in records if self._is_unread(record)][:MOST_CARDS]
        running = {self._pools[record.hub].submit(self._read_one, record, stops[record.hub]) for record in unread}
        deadline = time.monotonic() + PATIENCE_SECONDS
        try:
            while running and time.monotonic() < deadline:
                done, running = wait(running, timeout=_UPDATE_SECONDS)
                if any(future.result() for future in done):
                    yield
        finally:
            for stop in stops.values():
                stop.set()

    def close(self) -> None:
        """Wait for the running reads, because the catalog closes next."""
        self._closed.set()
        for pool in self._pools.values():
            pool.shutdown()

    def _is_unread(self, record: Record) -> bool:
        file = record.file
        if self._closed.is_set() or record.hub not in self._pools:
            return False
        if file is None or file.format != "safetensors" or record.access != "open":
            return False
        return file.ref not in self._failed and self.services.lookup.find_facts(file) is None

    def _read_one(self, record: Record, stop: threading.Event) -> bool:
        """Read a header, and return whether that succeeded. Set `stop` if the hub is down or limits requests."""
        # While this read was queued, its caller may have stopped, or another caller may have read the header.
        if stop.is_set() or not self._is_unread(record):
            return False
        try:
            self.services.lookup.inspect(record.ref)
        except HubUiError as error:
            if record.file is not None:
                with self._lock:
                    self._failed[record.file.ref] = True
            if isinstance(error, RateLimited | HubDown | HubTimeout):
                stop.set()
            return False
        return True
