"""How much each visitor may use in a minute or an hour, and the sentence that they meet after that.

Counted for the person, and for the network address too, with more for all who share it: who drops the cookie is a new
person at the same address.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from cachetools import LRUCache

from connectors.errors import RateLimited, UsageError
from hub_ui import format
from hub_ui.hosting.limits import Limits
from hub_ui.hosting.visitor import Visitor, current_visitor
from hub_ui.i18n import N_, N_plural, _, ngettext

Use = Literal["searches", "opens", "bytes", "uploads", "images"]
_IN_BYTES = ("bytes", "uploads")
# People and addresses; those unused for longest are forgotten first.
MOST_KEYS = 20_000
# A window is counted in so many pieces, so that a person takes little memory, whatever they do.
_PIECES = 30


class LimitReached(RateLimited):
    """`retry_after` is when it goes on, in seconds."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What is counted in `seconds`: a limit of hosting/limits.py, and how it is said of a person and of an address."""

    limit: str
    seconds: float
    person: tuple[str, str]
    address: tuple[str, str]
    next: str


RULES: Mapping[Use, Rule] = {
    "searches": Rule(
        limit="searches_per_minute",
        seconds=60.0,
        person=N_plural("{most} search a minute a person.", "{most} searches a minute a person."),
        address=N_plural(
            "{most} search a minute for all people at one network address.",
            "{most} searches a minute for all people at one network address.",
        ),
        next=N_("The next one in {time}."),
    ),
    "opens": Rule(
        limit="opens_per_minute",
        seconds=60.0,
        person=N_plural("{most} LoRA opened a minute a person.", "{most} LoRAs opened a minute a person."),
        address=N_plural(
            "{most} LoRA opened a minute for all people at one network address.",
            "{most} LoRAs opened a minute for all people at one network address.",
        ),
        next=N_("The next one in {time}."),
    ),
    "bytes": Rule(
        limit="download_bytes_per_hour",
        seconds=3600.0,
        person=N_plural("{most} downloaded an hour a person.", "{most} downloaded an hour a person."),
        address=N_plural(
            "{most} downloaded an hour for all people at one network address.",
            "{most} downloaded an hour for all people at one network address.",
        ),
        next=N_("This one in {time}."),
    ),
    "uploads": Rule(
        limit="upload_bytes_per_hour",
        seconds=3600.0,
        person=N_plural("{most} uploaded an hour a person.", "{most} uploaded an hour a person."),
        address=N_plural(
            "{most} uploaded an hour for all people at one network address.",
            "{most} uploaded an hour for all people at one network address.",
        ),
        next=N_("This one in {time}."),
    ),
    "images": Rule(
        limit="images_per_hour",
        seconds=3600.0,
        person=N_plural("{most} image an hour a person.", "{most} images an hour a person."),
        address=N_plural(
            "{most} image an hour for all people at one network address.",
            "{most} images an hour for all people at one network address.",
        ),
        next=N_("The next one in {time}."),
    ),
}
DUPLICATE = N_("Duplicate this Space to have it for yourself.")
OWN_COMPUTER = N_("Run hub-ui on your own computer to have it for yourself.")


@dataclass
class Window:
    """What was used in the last so many seconds, by the piece of time in which it was."""

    pieces: deque[tuple[int, int]] = field(default_factory=deque)
    total: int = 0

    def wait(self, amount: int, most: int, now: float, width: float) -> float:
        """Seconds until `amount` more is at most `most`; 0 if it is now."""
        piece = math.floor(now / width)
        # One piece more than a window has: of the first one, only its end still counts.
        while self.pieces and self.pieces[0][0] < piece - _PIECES:
            self.total -= self.pieces.popleft()[1]
        over = self.total + amount - most
        if over <= 0:
            return 0.0
        for at, used in self.pieces:
            over -= used
            if over <= 0:
                return max(0.0, (at + _PIECES + 1) * width - now)
        return (_PIECES + 1) * width

    def add(self, amount: int, now: float, width: float) -> None:
        piece = math.floor(now / width)
        if self.pieces and self.pieces[-1][0] >= piece:
            at, used = self.pieces.pop()
            self.pieces.append((at, used + amount))
        else:
            self.pieces.append((piece, amount))
        self.total += amount


class Quotas:
    """Any thread may call any method. On one's own computer, where nobody is a visitor, nothing is counted."""

    def __init__(
        self,
        limits: Limits,
        *,
        advice: str = OWN_COMPUTER,
        report: Callable[[Use], None] = lambda _use: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`advice` is the last sentence of each refusal, and `report` hears of each."""
        self._report = report
        self._limits = limits
        self._advice = advice
        self._clock = clock
        self._windows: LRUCache[tuple[Use, str, str], Window] = LRUCache(MOST_KEYS)
        self._lock = threading.Lock()

    def spend(self, use: Use, amount: int = 1) -> None:
        """Counts it for the present visitor. Raises LimitReached, with when it goes on, and then counts nothing."""
        visitor = current_visitor()
        if visitor is None:
            return
        rule = RULES[use]
        most, width, now = getattr(self._limits, rule.limit), rule.seconds / _PIECES, self._clock()
        if amount > most:
            self._report(use)
            raise UsageError(self._sentence(rule.person, use, most, self._too_much(use, amount)))
        with self._lock:
            windows = {}
            for kind, name, bound in self._keys(visitor, most):
                key = (use, kind, name)
                window = windows[key] = self._windows.get(key) or Window()
                seconds = window.wait(amount, bound, now, width)
                if seconds > 0:
                    self._report(use)
                    words = rule.person if kind == "person" else rule.address
                    then = _(rule.next).format(time=format.duration(_round_up(seconds)))
                    raise LimitReached(self._sentence(words, use, bound, then), retry_after=seconds)
            # What is refused is not kept, so that nobody's window is forgotten for it.
            for key, window in windows.items():
                window.add(amount, now, width)
                self._windows[key] = window

    def _keys(self, visitor: Visitor, most: int) -> list[tuple[str, str, int]]:
        own = [("person", visitor.id, most)] if visitor.known or not visitor.address else []
        address = [("address", visitor.address, most * self._limits.people_per_address)] if visitor.address else []
        return own + address

    def _too_much(self, use: Use, amount: int) -> str:
        text = _("This takes {amount}.") if use in _IN_BYTES else _("These are {amount}.")
        return text.format(amount=_amount(use, amount))

    def _sentence(self, words: tuple[str, str], use: Use, most: int, then: str) -> str:
        return format.sentences(ngettext(*words, most).format(most=_amount(use, most)), then, _(self._advice))


def _amount(use: Use, amount: int) -> str:
    return format.size(amount) if use in _IN_BYTES else format.number(amount)


def _round_up(seconds: float) -> float:
    """Whole minutes, up, where there are some: nobody waits by the second."""
    return math.ceil(seconds / 60) * 60 if seconds > 90 else math.ceil(seconds)
