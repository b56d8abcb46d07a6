"""Whose key counts for a request of a hosted page: the visitor's own, the owner's for what the owner lists, or none."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

from connectors.errors import BadRef, UsageError
from connectors.guard import Asker
from connectors.ref import Ref
from connectors.registry import HUBS, HubName
from hub_ui.hosting.visitor import Right, current_visitor

VARIABLE = "HUB_UI_SHARED_KEYS"
_LIST = "list"


@dataclass(frozen=True, kw_only=True)
class SharedKeys:
    """The owner's `keys` and what everybody may use them for: the lists of some hubs, and single LoRAs."""

    keys: Mapping[HubName, str] = field(default_factory=dict, repr=False)
    lists: frozenset[HubName] = frozenset()
    refs: frozenset[Ref] = frozenset()

    @classmethod
    def parse(cls, text: str, keys: Mapping[HubName, str]) -> Self:
        """Reads "replicate:list civitai:123 huggingface:OWNER/NAME". Raises UsageError."""
        lists, refs = set(), set()
        for word in text.replace(",", " ").split():
            hub, _, what = word.partition(":")
            if hub in HUBS and what == _LIST:
                lists.add(hub)
                continue
            try:
                refs.add(Ref.parse(word).lora)
            except BadRef as error:
                raise UsageError(
                    f"{VARIABLE} has “{word[:60]}”, which is neither a hub's list, such as replicate:list, nor a LoRA, "
                    "such as civitai:123. Change it, or take it out."
                ) from error
        return cls(keys=keys, lists=frozenset(lists), refs=frozenset(refs))

    def shares_list(self, hub: HubName) -> bool:
        return hub in self.lists and hub in self.keys

    def shares(self, ref: Ref) -> bool:
        return ref.lora in self.refs and ref.hub in self.keys


_RIGHT: ContextVar[Right] = ContextVar("right", default="anyone")


@contextmanager
def use_right(right: Right) -> Iterator[None]:
    """Hubs are asked with this right while the block runs."""
    token = _RIGHT.set(right)
    try:
        yield
    finally:
        _RIGHT.reset(token)


def asker(hub: HubName) -> Asker:
    """Who asks the hub just now: what only a visitor's own key opens is nobody else's answer."""
    visitor, right = current_visitor(), _RIGHT.get()
    # Their id where the key was removed just now: such an answer is still nobody else's.
    return Asker(right=right, key=visitor.keys.get(hub, visitor.id) if visitor and right == "visitor" else None)


def owner(keys: Mapping[HubName, str], hub: HubName) -> Asker:
    """Who asks the hub from a page of their own: with another key it may say something else."""
    return Asker(right=sha256(keys.get(hub, "").encode()).hexdigest())


class VisitorKeys(Mapping[HubName, str]):
    """The keys that a request may use just now: connectors read them each time. None, unless `use_right` says so."""

    def __init__(self, owner: Mapping[HubName, str]) -> None:
        self._owner = owner

    def __getitem__(self, hub: HubName) -> str:
        return self._now()[hub]

    def __iter__(self) -> Iterator[HubName]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def __repr__(self) -> str:
        return "VisitorKeys()"

    def _now(self) -> Mapping[HubName, str]:
        visitor = current_visitor()
        if _RIGHT.get() == "owner":
            return self._owner
        return visitor.keys if visitor is not None and _RIGHT.get() == "visitor" else {}
