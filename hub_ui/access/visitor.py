"""Visitors of a hosted page, known by a random cookie, and whose key counts for them: their own, or the owner's.

All that is known of them is in memory, and gone with them.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any, Literal, Self

from cachetools import LRUCache, TTLCache

from connectors.errors import BadRef, UsageError
from connectors.guard import Asker
from connectors.record import Lora
from connectors.ref import Ref
from connectors.registry import HUBS, HubName
from hub_ui.base.context import use

# Those unused for longest go first.
MOST_VISITORS = 10_000
# Since their last request.
KEPT_SECONDS = 3_600.0
MOST_OWN = 50
# How long the answer to "may they have this file" counts, in which a hub may change its mind.
RIGHT_SECONDS = 600.0
MOST_RIGHTS = 200

# With whose right a hub is asked: that of anyone, without a key, or with the visitor's or the owner's key.
Right = Literal["anyone", "visitor", "owner"]
_Name = tuple[str, str]


class OwnLoras:
    """What a visitor's own keys opened and others may not see. Any thread may call any method."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._loras: LRUCache[_Name, Lora | None] = LRUCache(MOST_OWN)
        self._facts: LRUCache[str, tuple[HubName, str]] = LRUCache(MOST_OWN)
        self._rights: TTLCache[Ref, Right] = TTLCache(MOST_RIGHTS, RIGHT_SECONDS, timer=clock)
        self._lock = threading.Lock()

    def claim(self, ref: Ref) -> None:
        """From now on, what is found out about this LoRA is this visitor's alone."""
        with self._lock:
            self._loras.setdefault(_name(ref), None)

    def has(self, ref: Ref) -> bool:
        with self._lock:
            return _name(ref) in self._loras

    def put(self, lora: Lora) -> None:
        with self._lock:
            self._loras[_name(lora.ref)] = lora

    def lora(self, ref: Ref) -> Lora | None:
        """The LoRA that `ref`, or its version, belongs to."""
        with self._lock:
            if ref.id:
                return self._loras.get(_name(ref))
            known = [lora for lora in self._loras.values() if lora is not None and lora.hub == ref.hub]
        return next((lora for lora in known if lora.version(ref.version or "") is not None), None)

    def put_facts(self, key: str, hub: HubName, facts: str) -> None:
        with self._lock:
            self._facts[key] = hub, facts

    def facts(self, key: str) -> str | None:
        with self._lock:
            return self._facts.get(key, ("", None))[1]

    def put_right(self, ref: Ref, right: Right) -> None:
        with self._lock:
            self._rights[ref] = right

    def right(self, ref: Ref) -> Right | None:
        """With whose right the hub last gave this file; None if that was too long ago."""
        with self._lock:
            return self._rights.get(ref)

    def forget(self, hub: HubName) -> None:
        """All that a key of this hub opened."""
        with self._lock:
            for name in [name for name in self._loras if name[0] == hub]:
                del self._loras[name]
            for key in [key for key, (of, _) in self._facts.items() if of == hub]:
                del self._facts[key]
            for ref in [ref for ref in self._rights if ref.hub == hub]:
                del self._rights[ref]


@dataclass(kw_only=True, eq=False)
class Visitor:
    """One person. `keys` are their own, and count for their requests only; never in `repr`, a log or a file.

    `account` is the name with which they have signed in to Hugging Face, whose key is then among `keys`, where they
    `can_sign_in`. `address` is that of their last request's network, empty if nothing tells it (see web/visitors.py).
    Who is not `known` has brought no cookie of ours. `tried` is their library (see downloads.SessionLibraries).
    """

    id: str = field(repr=False)
    keys: dict[HubName, str] = field(default_factory=dict, repr=False)
    account: str = field(default="", repr=False)
    can_sign_in: bool = field(default=False, repr=False)
    own: OwnLoras = field(default_factory=OwnLoras, repr=False)
    tried: dict[Ref, Any] = field(default_factory=dict, repr=False)
    address: str = field(default="", repr=False)
    known: bool = field(default=True, repr=False)

    @property
    def person(self) -> str:
        """By whom is counted: all without a cookie at one address are the same person."""
        return self.id if self.known else f"at {self.address}"

    def put_key(self, hub: HubName, key: str) -> None:
        """Another key, or none, opens other things."""
        if self.keys.get(hub, "") != key:
            self.own.forget(hub)
        if key:
            self.keys[hub] = key
        else:
            self.keys.pop(hub, None)

    def sign_in(self, session: Mapping[str, Any], now: float) -> None:
        """`session` is the one that Gradio's sign-in writes; without one, or once it has ended, nobody is signed in."""
        found = sign_in_of(session)
        info = found if (found.get("expires_at") or now) >= now else {}
        self.put_key("huggingface", str(info.get("access_token") or ""))
        self.account = str((info.get("userinfo") or {}).get("preferred_username") or "") if info else ""


class Visitors:
    """Any thread may call any method."""

    def __init__(
        self,
        *,
        can_sign_in: bool = False,
        most: int = MOST_VISITORS,
        trusts_proxy: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`trusts_proxy`: whether X-Forwarded-For tells their addresses."""
        self.trusts_proxy = trusts_proxy
        self._can_sign_in = can_sign_in
        # Apart, so that a crowd of others does not drive out who has keys.
        self._with_keys: TTLCache[str, Visitor] = TTLCache(most, KEPT_SECONDS, timer=clock)
        self._visitors: TTLCache[str, Visitor] = TTLCache(most, KEPT_SECONDS, timer=clock)
        self._signed_out: LRUCache[bytes, None] = LRUCache(most)
        self._lock = threading.Lock()

    def sign_out(self, session: Mapping[str, Any]) -> None:
        """Gradio's session is in its cookie, of which somebody may have a copy. From now on it counts for nobody."""
        with self._lock:
            self._signed_out[_digest(session)] = None

    def is_signed_out(self, session: Mapping[str, Any]) -> bool:
        with self._lock:
            return _digest(session) in self._signed_out

    def find(self, cookie: str, address: str = "", peer: str = "") -> Visitor:
        """The visitor with that cookie, else a new one, whose id is the cookie to set.

        A new one is not kept: who brings no cookie is mostly a program, and new with each request. `address` is
        theirs, if something tells it (see web/visitors.py). Programs without one count by their `peer`.
        """
        with self._lock:
            known = self._with_keys.get(cookie) or self._visitors.get(cookie)
            visitor = known or Visitor(id=secrets.token_urlsafe(32), can_sign_in=self._can_sign_in, known=False)
            visitor.address = address if known else address or peer
        if known:
            self.keep(known)
        return visitor

    def keep(self, visitor: Visitor) -> None:
        """For an hour from now on."""
        with self._lock:
            # Put in anew, since that is what makes the hour begin anew.
            visitor.known, has_keys = True, bool(visitor.keys)
            (self._with_keys if has_keys else self._visitors)[visitor.id] = visitor
            (self._visitors if has_keys else self._with_keys).pop(visitor.id, None)


_VISITOR: ContextVar[Visitor | None] = ContextVar("visitor", default=None)


def current_visitor() -> Visitor | None:
    """Who asks for what is done just now; None on one's own computer. A new thread has to copy the context."""
    return _VISITOR.get()


use_visitor = partial(use, _VISITOR)


def sign_in_of(session: Mapping[str, Any]) -> Mapping[str, Any]:
    """What Gradio's sign-in wrote; empty for who has not signed in."""
    found = session.get("oauth_info")
    return found if isinstance(found, Mapping) else {}


def _digest(session: Mapping[str, Any]) -> bytes:
    """In place of the token, which is not kept."""
    info = sign_in_of(session)
    return sha256(f"{info.get('access_token')} {info.get('expires_at')}".encode()).digest()


def _name(ref: Ref) -> _Name:
    """Hubs don't tell upper and lower case apart."""
    return ref.hub, ref.id.casefold()


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


# Hubs are queried with this right while the block runs.
use_right = partial(use, _RIGHT)


def asker(hub: HubName) -> Asker:
    """Who asks the hub just now: what only a visitor's own key opens is nobody else's answer."""
    visitor, right = current_visitor(), _RIGHT.get()
    # Their id where the key was removed just now: such an answer is still nobody else's.
    return Asker(right=right, key=visitor.keys.get(hub, visitor.id) if visitor and right == "visitor" else None)


def owner(keys: Mapping[HubName, str], hub: HubName) -> Asker:
    """Who asks the hub from a page of their own: with another key it may say something else."""
    return Asker(right=sha256(keys.get(hub, "").encode()).hexdigest())


class LiveKeys(Mapping[HubName, str]):
    """Keys as they are just now: connectors read them at each request. Its `repr` has none."""

    def now(self) -> Mapping[HubName, str]:
        raise NotImplementedError

    def __getitem__(self, hub: HubName) -> str:
        return self.now()[hub]

    def __iter__(self) -> Iterator[HubName]:
        return iter(self.now())

    def __len__(self) -> int:
        return len(self.now())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self)})"


class VisitorKeys(LiveKeys):
    """Those that a request may use. None, unless `use_right` says so."""

    def __init__(self, owner: Mapping[HubName, str]) -> None:
        self._owner = owner

    def now(self) -> Mapping[HubName, str]:
        visitor = current_visitor()
        if _RIGHT.get() == "owner":
            return self._owner
        return visitor.keys if visitor is not None and _RIGHT.get() == "visitor" else {}
