"""The connectors and the catalog of a hosted page, which use a key only if a hub requires one.

All visitors share the catalog. A LoRA that only a visitor's own key opened is stored with that visitor instead. The
catalog may be filled from a snapshot, because a Space starts with an empty disk.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from connectors.connector import Connector, Download, HttpDownload, over_http
from connectors.errors import AccessError, Gated, HubUiError, KeyRequired, NotFound
from connectors.guard import without_guard
from connectors.query import Page, Query
from connectors.record import Lora
from connectors.ref import Ref
from connectors.registry import HUBS, HubName
from hub_ui.access.visitor import Right, SharedKeys, current_visitor, use_right
from hub_ui.base.disk import hash_of, replace_file
from hub_ui.base.i18n import _
from hub_ui.catalog import snapshot
from hub_ui.catalog.catalog import Catalog, not_found

_T = TypeVar("_T")


class VisitorConnector:
    """A connector that retries refused requests with the keys that the current visitor may use.

    `connector` must have been built with VisitorKeys. A LoRA that needed the visitor's own key is stored in Visitor.own
    and hidden from other visitors. Searches return public LoRAs only, because all visitors share the results.
    """

    def __init__(self, connector: Connector, shared: SharedKeys) -> None:
        self.connector = connector
        self.name = connector.name
        self._shared = shared
        self._needs_key = HUBS[self.name].needs_key

    def search(self, query: Query, cursor: str | None = None) -> Page:
        is_shared = self._shared.shares_list(self.name)
        default: list[Right] = ["owner"] if is_shared else ["anyone"]
        rights = self._rights(is_shared) if self._needs_key else default
        page, _right = self._try_rights(lambda _right: self.connector.search(query, cursor), rights)
        return replace(page, loras=tuple(lora for lora in page.loras if not lora.private))

    def get(self, ref: Ref) -> Lora:
        return self._get(ref)[0]

    def download(self, ref: Ref, lora: Lora | None = None) -> Download:
        return self._download(ref, lora)[0]

    def _download(self, ref: Ref, lora: Lora | None = None) -> tuple[Download, Right]:
        if self._needs_key:
            # The files of this hub are at public URLs, so access is decided by the LoRA's record.
            lora, right = (lora, self._right_of(lora)) if lora else self._get(ref)
            download, _right = self._try_rights(lambda _right: self.connector.download(ref, lora), [right])
        else:
            download, right = self._try_rights(
                lambda _right: self.connector.download(ref, lora), self._rights(self._shared.shares(ref))
            )
        visitor = current_visitor()
        if visitor is not None:
            visitor.own.put_right(ref, right)
            if right == "visitor":
                visitor.own.claim(ref)
        # Visitors must neither fill nor read the cache of huggingface_hub, which belongs to the owner.
        return over_http(download), right

    def locate(self, ref: Ref) -> Download:
        visitor = current_visitor()
        has_key = visitor is not None and self.name in visitor.keys
        right = self.check_access(ref) if has_key or self._shared.shares(ref) else "anyone"
        return self._try_rights(lambda _right: self.connector.locate(ref), [right])[0]

    def address(self, ref: Ref) -> HttpDownload:
        """Return the file's public address. It needs no request, so the hub's circuit breaker may be open."""
        with use_right("anyone"):
            return over_http(without_guard(self.connector).locate(ref))

    def is_anonymous(self, ref: Ref) -> bool:
        """Check whether the current visitor's requests for this file never use a key."""
        return self._rights(self._shared.shares(ref)) == ["anyone"]

    def check_access(self, ref: Ref) -> Right:
        """Return the right with which the current visitor may download this file. It is cached for ten minutes.

        Raise AccessError or NotFound with a message for visitors if the hub refuses the file.
        """
        visitor = current_visitor()
        cached = visitor.own.right(ref) if visitor is not None else None
        return cached or self._download(ref)[1]

    def _get(self, ref: Ref) -> tuple[Lora, Right]:
        def request(right: Right) -> Lora:
            lora = self.connector.get(ref)
            if right == "owner" and lora.private and not self._shared.shares(ref):
                raise NotFound(_not_found_text(HUBS[self.name].label), hub=self.name)
            return lora

        is_shared = self._shared.shares(ref) or (self._needs_key and self._shared.shares_list(self.name))
        lora, right = self._try_rights(request, self._rights(is_shared))
        visitor = current_visitor()
        if right != "visitor" or visitor is None or (self._needs_key and not lora.private):
            return replace(lora, private=False), right if right != "visitor" else "anyone"
        visitor.own.claim(lora.ref)
        # Drop the example images, because they would be stored in the image cache that all visitors share.
        versions = tuple(replace(version, examples=()) for version in lora.versions)
        return replace(lora, private=True, versions=versions), right

    def _right_of(self, lora: Lora) -> Right:
        return "visitor" if lora.private else "owner" if self._shared.shares(lora.ref) else "anyone"

    def _rights(self, is_shared: bool) -> list[Right]:
        """Return the rights to try, in order. For a hub that always needs a key, the visitor's own key is first."""
        visitor = current_visitor()
        own: list[Right] = ["visitor"] if visitor is not None and self.name in visitor.keys else []
        owner: list[Right] = ["owner"] if is_shared else []
        return (own + owner or ["anyone"]) if self._needs_key else ["anyone", *owner, *own]

    def _try_rights(self, request: Callable[[Right], _T], rights: Sequence[Right]) -> tuple[_T, Right]:
        """Return the first result that the hub does not refuse, and its right. Raise the last refusal."""
        for right in rights[:-1]:
            try:
                with use_right(right):
                    return request(right), right
            except (AccessError, NotFound):
                continue
        with refusals_for_visitors(self.name), use_right(rights[-1]):
            return request(rights[-1]), rights[-1]


@contextmanager
def refusals_for_visitors(hub: HubName) -> Iterator[None]:
    """Replace refusals by errors that tell a visitor what to do and do not mention the owner's keys."""
    try:
        yield
    except (KeyRequired, Gated, NotFound) as error:
        raise _refusal(error, hub) from error


def _refusal(error: HubUiError, hub: HubName) -> HubUiError:
    visitor = current_visitor()
    has_key = visitor is not None and hub in visitor.keys
    label = HUBS[hub].label
    if isinstance(error, NotFound):
        if "key" not in error.message:
            return error
        text = _("{label} has nothing of that name that your account may see.") if has_key else _not_found_text(label)
        return NotFound(text.format(label=label), hub=error.hub)
    if has_key and isinstance(error, Gated):
        text = _(
            "Its author grants access one by one, and your account at {label} has none yet. Ask for it on the LoRA's "
            "own page there."
        )
    elif has_key:
        text = _("{label} does not let your account have this. Check your key under Settings.")
    elif not HUBS[hub].signs_in:
        text = _("{label} gives this only to people with a key. Add yours for this visit under Settings.")
    elif visitor is not None and visitor.can_sign_in:
        text = _("{label} gives this only to people who have signed in. Sign in under Settings.")
    else:
        text = _(
            "{label} hands this to signed-in people only, and this shared page has no sign-in. Choose another LoRA, or "
            "run hub-ui on your own computer with a key of your own."
        )
    return AccessError(text.format(label=label), hub=error.hub)


def _not_found_text(label: str) -> str:
    return _("{label} has nothing of that name that is open to everyone.").format(label=label)


_MARK = "snapshot.sha256"


class VisitorCatalog(Catalog):
    """A catalog without private LoRAs. They are stored with the visitor whose key opened them, or dropped."""

    def add(self, loras: Iterable[Lora], *, found_by: str = "", at: datetime | None = None) -> int:
        visitor = current_visitor()
        public_loras = []
        for lora in loras:
            if visitor is not None and (lora.private or visitor.own.has(lora.ref)):
                visitor.own.put(lora)
            elif not lora.private:
                public_loras.append(lora)
        return super().add(public_loras, found_by=found_by, at=at)

    def lora(self, ref: Ref) -> Lora:
        visitor = current_visitor()
        private = visitor.own.lora(ref) if visitor is not None else None
        if private is not None:
            return private
        lora = super().lora(ref)
        if lora.private:
            # Raise the same error as for an unknown LoRA, so that visitors can't find out that it exists.
            raise not_found(ref)
        return lora

    def remember_facts(self, sha256: str, facts_json: str, ref: Ref | None = None) -> None:
        visitor = current_visitor()
        if visitor is not None and ref is not None and visitor.own.has(ref):
            visitor.own.put_facts(sha256, ref.hub, facts_json)
        else:
            super().remember_facts(sha256, facts_json)

    def facts(self, sha256: str) -> str | None:
        visitor = current_visitor()
        private = visitor.own.facts(sha256) if visitor is not None else None
        return private or super().facts(sha256)


def load_once(file: Path, catalog: Catalog, home: Path, note: Callable[[str], None]) -> None:
    """Load a snapshot into the catalog, unless the same bytes were loaded before.

    Report errors through `note`, so that the page starts without a snapshot if the file is missing or damaged.
    """
    try:
        mark, sha256 = home / _MARK, hash_of(file).sha256 if file.is_file() else ""
        if sha256 and mark.is_file() and mark.read_text(encoding="utf-8") == sha256:
            return
        loaded = snapshot.load(
            file,
            lambda loras, at: catalog.add(loras, at=at),
            lambda number, total: note(f"{file.name}: {number:,} of {total:,} LoRAs read"),
        )
        replace_file(mark, sha256.encode())
        note(f"{file.name}: {loaded.loras:,} LoRAs in the catalog")
    except HubUiError as error:
        note(error.message)
