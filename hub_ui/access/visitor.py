"""Visitors of a hosted page, identified by a random cookie, and the keys that are used for them.

All data of visitors is in memory only.
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

# The least recently used are dropped first.
MOST_VISITORS = 10_000
# Since their last request.
KEPT_SECONDS = 3_600.0
MOST_OWN = 50
# The time for which the right to a file is cached, after which the hub is queried again.
RIGHT_SECONDS = 600.0
MOST_RIGHTS = 200

# The key of a request to a hub: none, the visitor's or the owner's.
Right = Literal["anyone", "visitor", "owner"]
_Name = tuple[str, str]


class OwnLoras:
    """LoRAs that only a visitor's own keys can open, hidden from other visitors. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._loras: LRUCache[_Name, Lora | None] = LRUCache(MOST_OWN)
        self._facts: LRUCache[str, tuple[HubName, str]] = LRUCache(MOST_OWN)
        self._rights: TTLCache[Ref, Right] = TTLCache(MOST_RIGHTS, RIGHT_SECONDS, timer=clock)
        self._lock = threading.Lock()

    def claim(self, ref: Ref) -> None:
        """Mark a LoRA as private to this visitor before it is loaded."""
        with self._lock:
            self._loras.setdefault(_name(ref), None)

    def has(self, ref: Ref) -> bool:
        with self._lock:
            return _name(ref) in self._loras

    def put(self, lora: Lora) -> None:
        with self._lock:
            self._loras[_name(lora.ref)] = lora

    def lora(self, ref: Ref) -> Lora | None:
        """Return the LoRA of `ref`, or of its version if `ref` has no id."""
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
        """Return the key that last opened this file, or None if that is unknown or expired."""
        with self._lock:
            return self._rights.get(ref)

    def forget(self, hub: HubName) -> None:
        """Delete the data that a key of this hub opened."""
        with self._lock:
            for name in [name for name in self._loras if name[0] == hub]:
                del self._loras[name]
            for key in [key for key, (of, _) in self._facts.items() if of == hub]:
                del self._facts[key]
            for ref in [ref for ref in self._rights if ref.hub == hub]:
                del self._rights[ref]


@dataclass(kw_only=True, eq=False)
class Visitor:
    """One visitor.

    `keys` are the visitor's own, used for this visitor's requests only, and never written to `repr`, a log or a file.
    If visitors `can_sign_in` to Hugging Face, `account` is the name of the account, whose key is then in `keys`.
    `address` is the network address of the last request, or empty if it is unknown (see web/visitors.py). `known` is
    false for requests without our cookie. `tried` is the visitor's library (see downloads.SessionLibraries).
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
        """The id for counting. All requests without a cookie from one address count as the same visitor."""
        return self.id if self.known else f"at {self.address}"

    def put_key(self, hub: HubName, key: str) -> None:
        """Store or remove a key, and forget the LoRAs that the previous key opened."""
        if self.keys.get(hub, "") != key:
            self.own.forget(hub)
        if key:
            self.keys[hub] = key
        else:
            self.keys.pop(hub, None)

    def sign_in(self, session: Mapping[str, Any], now: float) -> None:
        """Take the account and the key from the session of Gradio's sign-in, or sign out if it is empty or expired."""
        found = sign_in_of(session)
        info = found if (found.get("expires_at") or now) >= now else {}
        self.put_key("huggingface", str(info.get("access_token") or ""))
        self.account = str((info.get("userinfo") or {}).get("preferred_username") or "") if info else ""


class Visitors:
    """All visitors with a cookie, for KEPT_SECONDS after their last request. Thread-safe."""

    def __init__(
        self,
        *,
        can_sign_in: bool = False,
        most: int = MOST_VISITORS,
        trusts_proxy: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`trusts_proxy` means that addresses are read from X-Forwarded-For."""
        self.trusts_proxy = trusts_proxy
        self._can_sign_in = can_sign_in
        # Visitors with keys have a cache of their own, so that other visitors can't push them out.
        self._with_keys: TTLCache[str, Visitor] = TTLCache(most, KEPT_SECONDS, timer=clock)
        self._visitors: TTLCache[str, Visitor] = TTLCache(most, KEPT_SECONDS, timer=clock)
        self._signed_out: LRUCache[bytes, None] = LRUCache(most)
        self._lock = threading.Lock()

    def sign_out(self, session: Mapping[str, Any]) -> None:
        """Invalidate Gradio's session. The session is stored in the cookie, which may have been copied."""
        with self._lock:
            self._signed_out[_digest(session)] = None

    def is_signed_out(self, session: Mapping[str, Any]) -> bool:
        with self._lock:
            return _digest(session) in self._signed_out

    def find(self, cookie: str, address: str = "", peer: str = "") -> Visitor:
        """Return the visitor with this cookie, or a new visitor whose id is the cookie to set.

        A new visitor is not stored, because most clients without a cookie are programs and new at each request.
        `address` is the network address if it is known (see web/visitors.py). New clients without it count by `peer`.
        """
        with self._lock:
            known = self._with_keys.get(cookie) or self._visitors.get(cookie)
            visitor = known or Visitor(id=secrets.token_urlsafe(32), can_sign_in=self._can_sign_in, known=False)
            visitor.address = address if known else address or peer
        if known:
            self.keep(known)
        return visitor

    def keep(self, visitor: Visitor) -> None:
        """Store a visitor for KEPT_SECONDS from now on."""
        with self._lock:
            # Writing the entry again restarts its time in a TTLCache.
            visitor.known, has_keys = True, bool(visitor.keys)
            (self._with_keys if has_keys else self._visitors)[visitor.id] = visitor
            (self._visitors if has_keys else self._with_keys).pop(visitor.id, None)


_VISITOR: ContextVar[Visitor | None] = ContextVar("visitor", default=None)


def current_visitor() -> Visitor | None:
    """Return the visitor of the current request, or None on a local page. New threads must copy the context."""
    return _VISITOR.get()


use_visitor = partial(use, _VISITOR)


def sign_in_of(session: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the data of Gradio's sign-in, or an empty mapping."""
    found = session.get("oauth_info")
    return found if isinstance(found, Mapping) else {}


def _digest(session: Mapping[str, Any]) -> bytes:
    """Return a digest that identifies a session without storing its token."""
    info = sign_in_of(session)
    return sha256(f"{info.get('access_token')} {info.get('expires_at')}".encode()).digest()


def _name(ref: Ref) -> _Name:
    """Return hub and id, case-folded because hubs ignore the case of ids."""
    return ref.hub, ref.id.casefold()


VARIABLE = "HUB_UI_SHARED_KEYS"
_LIST = "list"


@dataclass(frozen=True, kw_only=True)
class SharedKeys:
    """The owner's `keys`, and their permitted uses for all visitors: the lists of some hubs, and single LoRAs."""

    keys: Mapping[HubName, str] = field(default_factory=dict, repr=False)
    lists: frozenset[HubName] = frozenset()
    refs: frozenset[Ref] = frozenset()

    @classmethod
    def parse(cls, text: str, keys: Mapping[HubName, str]) -> Self:
        """Parse "replicate:list civitai:123 huggingface:OWNER/NAME". Raises UsageError."""
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


# Requests to hubs in the block use this key.
use_right = partial(use, _RIGHT)


def asker(hub: HubName) -> Asker:
    """Return the identity of the current requests, so that responses to a visitor's key are not shared."""
    visitor, right = current_visitor(), _RIGHT.get()
    # Fall back to the visitor's id if the key has just been removed, because the response is still private.
    return Asker(right=right, key=visitor.keys.get(hub, visitor.id) if visitor and right == "visitor" else None)


def owner(keys: Mapping[HubName, str], hub: HubName) -> Asker:
    """Return the identity of requests from a local page. Responses depend on the key."""
    return Asker(right=sha256(keys.get(hub, "").encode()).hexdigest())


class LiveKeys(Mapping[HubName, str]):
    """Keys that may change: connectors read them at each request. The `repr` shows hubs only."""

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
    """The keys that the current request may use: none unless `use_right` permits the visitor's or the owner's."""

    def __init__(self, owner: Mapping[HubName, str]) -> None:
        self._owner = owner

    def now(self) -> Mapping[HubName, str]:
        visitor = current_visitor()
        if _RIGHT.get() == "owner":
            return self._owner
        return visitor.keys if visitor is not None and _RIGHT.get() == "visitor" else {}
