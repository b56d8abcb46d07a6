"""The limits that the operator of a hosted page sets, and the count of each visitor's use.

Each limit is a variable `HUB_UI_LIMIT_` and its name in capitals, such as HUB_UI_LIMIT_STEPS=40. Bytes may be written
with a unit: 500MB, 2GB.

Use is counted per visitor, and per network address with a higher limit, because a visitor who deletes the cookie is a
new visitor at the same address.
"""

import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from cachetools import LRUCache

from connectors.errors import RateLimited, UsageError, suggestion
from hub_ui.access.visitor import Visitor, current_visitor
from hub_ui.base import format
from hub_ui.base.i18n import N_, N_plural, _, ngettext

PREFIX = "HUB_UI_LIMIT_"
_NUMBER = re.compile(r"(\d{1,18})\s*(kB|MB|GB)?", re.ASCII)
_UNITS = {"": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_BASE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")


_PB = 10**15


def _limit(default: int, smallest: int, largest: int, text: str, *, shared: bool = False) -> Any:
    """Return a field of Limits. `text` describes it; `shared` means that all visitors share it."""
    row = {"default": default, "smallest": smallest, "largest": largest, "text": text, "shared": shared}
    return field(default=default, metadata=row)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The operator's limits. Empty `bases` allow all base models on the disk."""

    bases: frozenset[str] = frozenset()
    loras: int = _limit(4, 1, 20, "LoRAs in one generation")
    images: int = _limit(12, 1, 24, "images in one comparison")
    steps: int = _limit(60, 1, 500, "steps")
    side: int = _limit(1536, 64, 4096, "width and height, in pixels")
    frames: int = _limit(33, 1, 257, "frames of a video")
    own_queue: int = _limit(2, 1, 200, "generations waiting")
    images_per_hour: int = _limit(60, 1, 100_000, "images in an hour")
    searches_per_minute: int = _limit(60, 1, 100_000, "searches in a minute")
    opens_per_minute: int = _limit(60, 1, 100_000, "LoRAs opened in a minute")
    download_bytes_per_hour: int = _limit(5 * 10**9, 10**6, _PB, "bytes downloaded in an hour")
    lora_bytes: int = _limit(10**9, 10**6, 10**12, "size of a LoRA file")
    upload_bytes: int = _limit(20 * 10**6, 10**5, 10**9, "size of an upload, which is deleted after an hour")
    upload_bytes_per_hour: int = _limit(200 * 10**6, 10**5, _PB, "bytes uploaded in an hour")
    queue: int = _limit(20, 1, 200, "generations waiting", shared=True)
    downloads: int = _limit(10, 1, 200, "downloads at once", shared=True)
    cache_bytes: int = _limit(
        10 * 10**9, 10**6, _PB, "downloaded LoRAs on the disk; the least recently used are deleted first", shared=True
    )
    uploads_bytes: int = _limit(5 * 10**9, 10**6, _PB, "uploads on the disk", shared=True)
    people_per_address: int = _limit(
        10, 1, 100_000, "people at one network address: together they get so many times what one visitor gets",
        shared=True,
    )  # fmt: skip
    connections_per_address: int = _limit(200, 10, 100_000, "connections of one network address", shared=True)


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The name, range and description of one limit."""

    name: str
    default: int
    smallest: int
    largest: int
    text: str
    shared: bool

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()

    @property
    def takes_bytes(self) -> bool:
        return "bytes" in self.name

    def show(self, number: int) -> str:
        """Format a number for messages to the operator and for docs/hosting.md: "60", "1 GB"."""
        unit = next((u for u, size in reversed(_UNITS.items()) if u and number and number % size == 0), "")
        return f"{number // _UNITS[unit]:,} {unit}" if self.takes_bytes and unit else f"{number:,}"

    def parse(self, text: str) -> int:
        """Parse the limit's value. Raises UsageError with the valid range."""
        found = _NUMBER.fullmatch(text.strip())
        number = int(found[1]) * _UNITS[found[2] or ""] if found else -1
        if found is None or (found[2] and not self.takes_bytes) or not self.smallest <= number <= self.largest:
            raise UsageError(
                f"{self.variable}={printable(text)} is no whole number from {self.show(self.smallest)} to "
                f"{self.show(self.largest)}. Write one, or unset it for {self.show(self.default)}."
            )
        return number


TABLE = tuple(Limit(name=one.name, **one.metadata) for one in fields(Limits) if one.metadata)


def read_limits(environ: Mapping[str, str]) -> Limits:
    """Read the limits. Raises UsageError for an unknown limit or an invalid value."""
    rows = {limit.variable: limit for limit in TABLE}
    bases = PREFIX + "BASES"
    given: dict[str, Any] = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX):
            continue
        if variable not in rows and variable != bases:
            raise UsageError(
                f"{printable(variable)} is no limit.{suggestion(variable, [*rows, bases])} Unset it, or write one of: "
                f"{', '.join([bases, *rows])}."
            )
        if not text.strip():
            continue
        given |= {"bases": _bases(text)} if variable == bases else {rows[variable].name: rows[variable].parse(text)}
    return Limits(**given)


def _bases(text: str) -> frozenset[str]:
    names = text.lower().replace(",", " ").split()
    wrong = next((name for name in names if not _BASE.fullmatch(name)), None)
    if wrong is not None:
        raise UsageError(
            f"{PREFIX}BASES: {printable(wrong)} names no base model. Write ids of docs/base-models.md with commas "
            "between them, or unset it for all."
        )
    return frozenset(names)


def printable(text: str) -> str:
    """Shorten a variable's value and replace unprintable characters, for messages."""
    return _UNPRINTABLE.sub("?", text)[:80]


Use = Literal["searches", "opens", "bytes", "uploads", "images"]
_IN_BYTES = ("bytes", "uploads")
# Visitors and addresses together; the least recently used are dropped first.
MOST_KEYS = 20_000
# The last minute or hour is divided into pieces of time, so that a visitor's count takes constant memory.
_PIECES = 30
_Used = Mapping[int, int]


class LimitReached(RateLimited):
    """A limit was reached. `retry_after` is in seconds."""


# For each use: the name of its limit, and its text in messages.
RULES: Mapping[Use, tuple[str, tuple[str, str]]] = {
    "searches": (
        "searches_per_minute", N_plural("{most} search a minute {whose}.", "{most} searches a minute {whose}.")
    ),
    "opens": (
        "opens_per_minute", N_plural("{most} LoRA opened a minute {whose}.", "{most} LoRAs opened a minute {whose}.")
    ),
    "bytes": (
        "download_bytes_per_hour",
        N_plural("{most} downloaded an hour {whose}.", "{most} downloaded an hour {whose}."),
    ),
    "uploads": (
        "upload_bytes_per_hour", N_plural("{most} uploaded an hour {whose}.", "{most} uploaded an hour {whose}.")
    ),
    "images": ("images_per_hour", N_plural("{most} image an hour {whose}.", "{most} images an hour {whose}.")),
}  # fmt: skip
_PERSON, _ADDRESS = N_("a person"), N_("for all people at one network address")
DUPLICATE = N_("Duplicate this Space to have it for yourself.")
OWN_COMPUTER = N_("Run hub-ui on your own computer to have it for yourself.")


class Quotas:
    """The use of each visitor. Thread-safe. A local page has no visitors and counts nothing."""

    def __init__(
        self,
        limits: Limits,
        *,
        advice: str = OWN_COMPUTER,
        report: Callable[[Use], None] = lambda _use: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`advice` is the last sentence of each refusal; `report` is called for each refusal."""
        self._report = report
        self._limits = limits
        self._advice = advice
        self._clock = clock
        # The amount in each piece of time.
        self._used: LRUCache[tuple[Use, str, str], _Used] = LRUCache(MOST_KEYS)
        self._lock = threading.Lock()

    def spend(self, use: Use, amount: int = 1) -> None:
        """Count a use by the current visitor. Raises LimitReached, without counting, if it is over the limit."""
        visitor = current_visitor()
        if visitor is None:
            return
        limit = RULES[use][0]
        most, now = getattr(self._limits, limit), self._clock()
        width = (60.0 if limit.endswith("_per_minute") else 3600.0) / _PIECES
        if amount > most:
            self._report(use)
            takes = _("This takes {amount}.") if use in _IN_BYTES else _("These are {amount}.")
            takes = takes.format(amount=_amount(use, amount))
            raise UsageError(self._sentence(use, _PERSON, most, takes))
        with self._lock:
            now_used = {}
            for whose, name, bound in self._keys(visitor, most):
                used = self._used.get((use, whose, name), {})
                seconds = _wait(used, amount, bound, now, width)
                if seconds > 0:
                    self._report(use)
                    then = _("This one in {time}.") if use in _IN_BYTES else _("The next one in {time}.")
                    then = then.format(time=format.duration(_round_up(seconds)))
                    raise LimitReached(self._sentence(use, whose, bound, then), retry_after=seconds)
                now_used[use, whose, name] = _add(used, amount, now, width)
            # Refused uses are not stored, so that they don't push other visitors out of the cache.
            self._used.update(now_used)

    def _keys(self, visitor: Visitor, most: int) -> list[tuple[str, str, int]]:
        own = [(_PERSON, visitor.id, most)] if visitor.known or not visitor.address else []
        address = [(_ADDRESS, visitor.address, most * self._limits.people_per_address)] if visitor.address else []
        return own + address

    def _sentence(self, use: Use, whose: str, most: int, then: str) -> str:
        said = ngettext(*RULES[use][1], most).format(most=_amount(use, most), whose=_(whose))
        return format.sentences(said, then, _(self._advice))


def _wait(used: _Used, amount: int, most: int, now: float, width: float) -> float:
    """Return the seconds until the use plus `amount` is within `most`, or 0 if it is now."""
    # Count one extra piece, because the period begins within the first piece.
    first = math.floor(now / width) - _PIECES
    counted = sorted((at, number) for at, number in used.items() if at >= first)
    over = sum(number for _, number in counted) + amount - most
    if over <= 0:
        return 0.0
    for at, number in counted:
        over -= number
        if over <= 0:
            return max(0.0, (at + _PIECES + 1) * width - now)
    return (_PIECES + 1) * width


def _add(used: _Used, amount: int, now: float, width: float) -> _Used:
    """Add an amount to the current piece of time, and drop expired pieces."""
    piece = math.floor(now / width)
    return {**{at: number for at, number in used.items() if at >= piece - _PIECES}, piece: used.get(piece, 0) + amount}


def _amount(use: Use, amount: int) -> str:
    return format.size(amount) if use in _IN_BYTES else format.number(amount)


def _round_up(seconds: float) -> float:
    """Round up to whole minutes, or to whole seconds below 90 seconds."""
    return math.ceil(seconds / 60) * 60 if seconds > 90 else math.ceil(seconds)
