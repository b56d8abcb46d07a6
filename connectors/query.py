"""Query: a search over all hubs. Page: one hub's answer to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from connectors.errors import BadQuery, suggestion
from connectors.record import Access, Kind, Lora, Nsfw
from connectors.ref import Ref
from connectors.registry import HUBS, HubName

LONGEST_TEXT = 200
Sort = Literal["relevance", "downloads", "likes", "newest"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """Whole numbers from `least` to `most`, both ends included; None leaves an end open."""

    least: int | None = None
    most: int | None = None

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        return (self.least is None or number >= self.least) and (self.most is None or number <= self.most)


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """An empty `text` lists everything, an empty tuple filters nothing, and values of one filter are alternatives.

    `text` has plain words, `phrases` words that stand side by side: those must be found, and of the plain ones as many
    as anything has. `excluded` has pairs of a key of the query language ("text", "tag", "creator", "hub", "base",
    "kind", "license", "access") and a value that must not be there.

    `bases` are base model ids, architecture ids, or names as a hub writes them. Without `kinds`, runners, which are no
    LoRAs, are left out. `licenses` are uses that a licence must allow (claims/license.py) or names of licences.
    `triggers` are trigger words, "any" or "none". `rank` is a number, `size` in bytes, `age` in seconds since the last
    update. A LoRA without the value is in no range.

    `nsfw` is the strongest level wanted. A LoRA is as strong as its strongest image, or as its author or hub calls
    it. "soft", the default, finds what hubs call safe for work and what nobody has rated, which is most of Hugging
    Face and Replicate. "safe" finds what is rated safe and nothing else.
    """

    text: str = ""
    phrases: tuple[str, ...] = ()
    excluded: tuple[tuple[str, str], ...] = ()
    hubs: tuple[HubName, ...] = ()
    bases: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    creators: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    access: tuple[Access, ...] = ()
    triggers: tuple[str, ...] = ()
    rank: Range | None = None
    size: Range | None = None
    age: Range | None = None
    installed: bool | None = None
    favorite: bool | None = None
    sort: Sort = "relevance"
    limit: int = 24
    nsfw: Nsfw = "soft"

    @property
    def words(self) -> str:
        """The words that must be found, as one text: what a hub that knows no phrases is asked for."""
        return " ".join(filter(None, (self.text, *self.phrases)))[:LONGEST_TEXT].rstrip()

    def may_ask(self, hub: HubName) -> bool:
        """Whether LoRAs of this hub are wanted."""
        return (not self.hubs or hub in self.hubs) and ("hub", hub) not in self.excluded

    @property
    def creator(self) -> str | None:
        """The one creator that is asked for. Hubs can't be asked for "one of these", nor for one tag of several."""
        return self.creators[0] if len(self.creators) == 1 else None

    @property
    def tag(self) -> str | None:
        return self.tags[0] if len(self.tags) == 1 else None

    @staticmethod
    def of(
        text: str = "",
        *,
        hubs: tuple[str, ...] = (),
        bases: tuple[str, ...] = (),
        kinds: tuple[str, ...] = (),
        sort: str | None = None,
        limit: int = 24,
        nsfw: str | None = None,
    ) -> Query:
        """Checks text from a command line or an address bar. Raises BadQuery with the allowed values."""
        return Query(
            text=" ".join(text.split())[:LONGEST_TEXT],
            hubs=tuple(_one_of(hub, tuple(HUBS), "hub") for hub in hubs),
            bases=tuple(base for base in bases if base),
            kinds=tuple(_one_of(kind, get_args(Kind), "kind") for kind in kinds),
            sort=_one_of(sort or "relevance", get_args(Sort), "sort"),
            limit=max(1, min(limit, 10_000)),
            nsfw=_one_of(nsfw or "soft", get_args(Nsfw), "nsfw level"),
        )


def _one_of(value: str, allowed: tuple[str, ...], what: str) -> Any:
    if value not in allowed:
        near = suggestion(value, allowed)
        raise BadQuery(f"“{value[:40]}” is no {what}.{near} Choose one of: {', '.join(allowed)}.")
    return value


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One hub's answer. `cursor` is opaque and continues the same query at the same hub; None is the end.

    A page may be empty and still carry a cursor (CivitAI filters after paging). `total` is None if a hub doesn't count.
    `withheld` are LoRAs that the hub listed and that nobody is shown (see Lora.is_withheld).
    """

    hub: HubName
    loras: tuple[Lora, ...]
    cursor: str | None = None
    total: int | None = None
    withheld: tuple[Ref, ...] = ()
