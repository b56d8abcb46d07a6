"""A hub as visitors of a hosted page meet it: as anyone does, and with a key only where that opens more."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from huggingface_hub import hf_hub_url

from connectors.connector import Connector, Download, HttpDownload
from connectors.errors import AccessError, Gated, HubUiError, KeyRequired, NotFound
from connectors.guard import without_guard
from connectors.query import Page, Query
from connectors.record import Lora
from connectors.ref import Ref
from connectors.registry import HUBS, HubName
from hub_ui.hosting.keys import SharedKeys, use_right
from hub_ui.hosting.visitor import Right, current_visitor
from hub_ui.i18n import _

_T = TypeVar("_T")


class VisitorConnector:
    """`connector` has VisitorKeys.

    What a hub tells anyone is everybody's. What it refuses is asked again with a key, and what only a visitor's own key
    opens is theirs alone (Visitor.own). Searches are of what is open, since their results are everybody's.
    """

    def __init__(self, connector: Connector, shared: SharedKeys) -> None:
        self.connector = connector
        self.name = connector.name
        self.label = connector.label
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
                raise NotFound(_nothing(self.label), hub=self.name)
            return lora

        is_shared = self._shared.shares(ref) or (self._needs_key and self._shared.shares_list(self.name))
        lora, right = self._ask(ask, self._rights(is_shared))
        visitor = current_visitor()
        if right != "visitor" or visitor is None or (self._needs_key and not lora.private):
            return replace(lora, private=False), right if right != "visitor" else "anyone"
        visitor.own.claim(lora.ref)
        return without_images(replace(lora, private=True)), right

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


def over_http(found: Download) -> HttpDownload:
    """Hugging Face's cache is the owner's: visitors must neither fill it nor be served from it."""
    if isinstance(found, HttpDownload):
        return found
    url = hf_hub_url(found.repo, found.path, revision=found.commit, endpoint=found.endpoint)
    headers = {"Authorization": f"Bearer {found.token}"} if found.token else {}
    return HttpDownload(ref=found.ref, name=found.name, url=url, headers=headers, size=found.size, sha256=found.sha256)


def without_images(lora: Lora) -> Lora:
    """They would go through the image cache, which is everybody's."""
    return replace(lora, versions=tuple(replace(version, examples=()) for version in lora.versions))


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
