"""A hub and the catalog as visitors of a hosted page meet them: as anyone does, with a key only where that opens more.

The catalog is everybody's, and beside it has what only a visitor's own keys opened. It may start with a snapshot: a
Space begins with an empty disk each time.
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
    """`connector` has VisitorKeys.

    What a hub tells anyone is everybody's. What it refuses is asked again with a key, and what only a visitor's own key
    opens is theirs alone (Visitor.own). Searches are of what is open, since their results are everybody's.
    """

    def __init__(self, connector: Connector, shared: SharedKeys) -> None:
        self.connector = connector
        self.name = connector.name
        self._shared = shared
        self._needs_key = HUBS[self.name].needs_key

    def search(self, query: Query, cursor: str | None = None) -> Page:
        is_shared = self._shared.shares_list(self.name)
        usual: list[Right] = ["owner"] if is_shared else ["anyone"]
        rights = self._rights(is_shared) if self._needs_key else usual
        page, _right = self._ask(lambda _right: self.connector.search(query, cursor), rights)
        return replace(page, loras=tuple(lora for lora in page.loras if not lora.private))

    def get(self, ref: Ref) -> Lora:
        return self._get(ref)[0]

    def download(self, ref: Ref, lora: Lora | None = None) -> Download:
        return self._download(ref, lora)[0]

    def _download(self, ref: Ref, lora: Lora | None = None) -> tuple[Download, Right]:
        if self._needs_key:
            # Its files are at public addresses, so that it is the record that says who may have them.
            known, right = (lora, self._right_of(lora)) if lora else self._get(ref)
            found, _right = self._ask(lambda _right: self.connector.download(ref, known), [right])
        else:
            found, right = self._ask(
                lambda _right: self.connector.download(ref, lora), self._rights(self._shared.shares(ref))
            )
        visitor = current_visitor()
        if visitor is not None:
            visitor.own.put_right(ref, right)
            if right == "visitor":
                visitor.own.claim(ref)
        # Hugging Face's cache is the owner's: visitors must neither fill it nor be served from it.
        return over_http(found), right

    def locate(self, ref: Ref) -> Download:
        visitor = current_visitor()
        has_key = visitor is not None and self.name in visitor.keys
        right = self.check_access(ref) if has_key or self._shared.shares(ref) else "anyone"
        return self._ask(lambda _right: self.connector.locate(ref), [right])[0]

    def address(self, ref: Ref) -> HttpDownload:
        """Where anyone gets the file: told without a request and without a key, also while the hub is left alone."""
        with use_right("anyone"):
            return over_http(without_guard(self.connector).locate(ref))

    def asks_as_anyone(self, ref: Ref) -> bool:
        """Whether the file is asked for without any key, for the present visitor."""
        return self._rights(self._shared.shares(ref)) == ["anyone"]

    def check_access(self, ref: Ref) -> Right:
        """With whose right the present visitor may have this file, asked of the hub at most every ten minutes.

        Raises the refusal, for a visitor to read.
        """
        visitor = current_visitor()
        known = visitor.own.right(ref) if visitor is not None else None
        return known or self._download(ref)[1]

    def _get(self, ref: Ref) -> tuple[Lora, Right]:
        def ask(right: Right) -> Lora:
            lora = self.connector.get(ref)
            if right == "owner" and lora.private and not self._shared.shares(ref):
                raise NotFound(_nothing(HUBS[self.name].label), hub=self.name)
            return lora

        is_shared = self._shared.shares(ref) or (self._needs_key and self._shared.shares_list(self.name))
        lora, right = self._ask(ask, self._rights(is_shared))
        visitor = current_visitor()
        if right != "visitor" or visitor is None or (self._needs_key and not lora.private):
            return replace(lora, private=False), right if right != "visitor" else "anyone"
        visitor.own.claim(lora.ref)
        # Images would go through the image cache, which is everybody's.
        versions = tuple(replace(version, examples=()) for version in lora.versions)
        return replace(lora, private=True, versions=versions), right

    def _right_of(self, lora: Lora) -> Right:
        return "visitor" if lora.private else "owner" if self._shared.shares(lora.ref) else "anyone"

    def _rights(self, is_shared: bool) -> list[Right]:
        """In the order in which they are tried. Where all need a key, one's own comes first."""
        visitor = current_visitor()
        own: list[Right] = ["visitor"] if visitor is not None and self.name in visitor.keys else []
        owner: list[Right] = ["owner"] if is_shared else []
        return (own + owner or ["anyone"]) if self._needs_key else ["anyone", *owner, *own]

    def _ask(self, ask: Callable[[Right], _T], rights: Sequence[Right]) -> tuple[_T, Right]:
        """The answer to the first of `rights` that the hub does not refuse. Raises the last refusal."""
        for right in rights[:-1]:
            try:
                with use_right(right):
                    return ask(right), right
            except (AccessError, NotFound):
                continue
        with refusals_for_visitors(self.name), use_right(rights[-1]):
            return ask(rights[-1]), rights[-1]


@contextmanager
def refusals_for_visitors(hub: HubName) -> Iterator[None]:
    """A visitor is told what they can do, and must not hear of the owner's keys."""
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
        text = _("{label} has nothing of that name that your account may see.") if has_key else _nothing(label)
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


def _nothing(label: str) -> str:
    return _("{label} has nothing of that name that is open to everyone.").format(label=label)


_MARK = "snapshot.sha256"


class VisitorCatalog(Catalog):
    """Nothing private is written: it is kept for the visitor whose key opened it, and dropped where there is none."""

    def add(self, loras: Iterable[Lora], *, found_by: str = "", at: datetime | None = None) -> int:
        visitor = current_visitor()
        everybodys = []
        for lora in loras:
            if visitor is not None and (lora.private or visitor.own.has(lora.ref)):
                visitor.own.put(lora)
            elif not lora.private:
                everybodys.append(lora)
        return super().add(everybodys, found_by=found_by, at=at)

    def lora(self, ref: Ref) -> Lora:
        visitor = current_visitor()
        own = visitor.own.lora(ref) if visitor is not None else None
        if own is not None:
            return own
        lora = super().lora(ref)
        if lora.private:
            # The words of one that is not there: nobody learns that there is one.
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
        own = visitor.own.facts(sha256) if visitor is not None else None
        return own or super().facts(sha256)


def load_once(file: Path, catalog: Catalog, home: Path, note: Callable[[str], None]) -> None:
    """A file that is damaged or not there is reported, and the page starts without it."""
    try:
        mark, sha256 = home / _MARK, hash_of(file).sha256 if file.is_file() else ""
        if sha256 and mark.is_file() and mark.read_text(encoding="utf-8") == sha256:
            return
        done = snapshot.load(
            file,
            lambda loras, at: catalog.add(loras, at=at),
            lambda number, total: note(f"{file.name}: {number:,} of {total:,} LoRAs read"),
        )
        replace_file(mark, sha256.encode())
        note(f"{file.name}: {done.loras:,} LoRAs in the catalog")
    except HubUiError as error:
        note(error.message)
