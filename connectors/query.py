"""Query: a search over all hubs, with one annotated attribute for each filter. Page: one hub's results for a query.

The annotation of a filter (query_fields.py) defines everything about it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Annotated, Literal, get_args, get_type_hints

from connectors.claims import base_models
from connectors.claims.license import Use
from connectors.claims.resolve import best, shown_access
from connectors.errors import BadQuery
from connectors.query_fields import (
    AGES,
    RANKS,
    SIZES,
    Column,
    Facet,
    Field,
    Range,
    Said,
    choose,
    names,
    numbers,
    single,
)
from connectors.record import NSFW_LEVELS, Access, Kind, Lora, Nsfw
from connectors.ref import Ref
from connectors.registry import HUBS, HubName, find_origin

__all__ = ["BY_KEY", "FIELDS", "LONGEST_TEXT", "Page", "Query", "Range", "Sort"]
LONGEST_TEXT = 200
_MB = 10**6
Sort = Literal["relevance", "downloads", "likes", "newest"]
_YES_NO = {"yes": True, "no": False}
_USES = {
    "sell": "may be sold",
    "sell_images": "images may be sold",
    "run_as_service": "paid services may run it",
    "merge": "may be merged",
    "no_credit": "no credit needed",
}
_USE_WORDS = {"images": "sell_images", "service": "run_as_service", "merges": "merge"}
# Words that can mean any of three uses.
_COMMERCIAL = ("commercial", "commercial_use", "commercially", "noncommercial", "non_commercial")
_SORTS = {
    "relevance": "most relevant first",
    "downloads": "most downloaded first",
    "likes": "most liked first",
    "newest": "newest first",
}
# Tags that describe a file or page on Hugging Face, not its content. Tags with a colon ("region:us") are left out too.
_TECHNICAL_TAGS = frozenset(["lora", "safetensors", "diffusers", "diffusers-training", "text-to-image", "peft"])


def _read_hub(text: str) -> str:
    names_by_label = {hub.label.casefold(): hub.name for hub in HUBS.values()}
    name = names_by_label.get(text.casefold()) or find_origin(text)
    return name if name in HUBS else choose(text, tuple(HUBS), "hub")


def _read_license(text: str) -> str:
    """Return the use that `text` names, or `text` itself as the name of a licence. Raises BadQuery for "commercial"."""
    word = text.casefold().replace("-", "_").replace(" ", "_")
    if word in _COMMERCIAL:
        possible_uses = ("sell_images", "run_as_service", "sell")
        uses = ", ".join(f"license:{use} ({_USES[use]})" for use in possible_uses)
        raise BadQuery(f"“{text}” can mean three uses. Choose one of: {uses}; with a minus in front, what excludes it.")
    use = _USE_WORDS.get(word, word)
    return use if use in get_args(Use) else text


def _read_trigger(text: str) -> str:
    return text.casefold() if text.casefold() in ("any", "none") else text


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """The conditions of a search. The defaults match everything; values of one list are alternatives.

    `text` has plain words and `phrases` exact sequences of words. Phrases must be found; if there is no LoRA with all
    plain words, some of them may be missing. `excluded` has pairs of a key in the query language ("text" for words) and
    a value that must not match.

    `bases` are base model ids, architecture ids, or names as a hub writes them. Runners, which are not LoRAs, are left
    out unless `kinds` has their kind. `licenses` are uses that a licence must allow (claims/license.py) or names of
    licences. `triggers` are trigger words, "any" or "none". `rank` is a number, `size` is in bytes, and `age` is in
    seconds since the last update. A LoRA without the value matches no range.

    `nsfw` is the highest level wanted. The level of a LoRA is that of its strongest image, or the level that its author
    or hub gives it if that is higher. The default "soft" finds content that hubs call safe for work and unrated
    content, which is most of Hugging Face and Replicate. "safe" finds only content that is rated safe.
    """

    text: str = ""
    phrases: tuple[str, ...] = ()
    excluded: tuple[tuple[str, str], ...] = ()
    limit: int = 24

    # The filters, in the order of the documentation.
    hubs: Annotated[
        tuple[HubName, ...],
        names(
            "hub",
            "The hub that lists it; `hf` is short for `huggingface`.",
            "civitai",
            Column(name="hubs", read=lambda entry: (entry.lora.hub,)),
            name=lambda hub: HUBS[hub].label,
            read=_read_hub,
            choices=lambda: tuple(HUBS),
            has_parameter=True,
            facet=Facet(name="Hub"),
        ),
    ] = ()
    bases: Annotated[
        tuple[str, ...],
        names(
            "base",
            "The base model or architecture: an id, a label, or a name as a hub writes it. `flux` is all of FLUX.",
            "flux1",
            Column(name="keys"),
            name=base_models.label,
            read=base_models.find_id,
            unfold=base_models.unfold_series,
            choices=base_models.choices,
            is_open=True,
            has_parameter=True,
            also=("base_model",),
            facet=Facet(name="Base model", is_open=True, term="base-model"),
        ),
    ] = ()
    kinds: Annotated[
        tuple[Kind, ...],
        names(
            "kind",
            "What it is made for. A `runner`, a hosted model that takes LoRAs, is found by asking for it alone.",
            "style,concept",
            Column(name="kind", read=lambda entry: entry.text("kind"), merge="first"),
            labels={kind: kind for kind in get_args(Kind)},
            read=lambda text: choose(text, get_args(Kind), "kind"),
            choices=lambda: get_args(Kind),
            has_parameter=True,
            also=("type",),
            facet=Facet(name="Kind", left_out=lambda kind: kind == "runner", is_open=True, term="kind"),
        ),
    ] = ()
    creators: Annotated[
        tuple[str, ...],
        names(
            "creator",
            "The person who published it, by the name on the hub.",
            '"Ada L"',
            Column(name="creators", read=lambda entry: (entry.lora.creator or "",)),
            other="by {name}",
            is_open=True,
            also=("author",),
            facet=Facet(name="Creator", most=8),
        ),
    ] = ()
    tags: Annotated[
        tuple[str, ...],
        names(
            "tag",
            "A tag that its author gave it.",
            "anime",
            Column(name="tags", read=lambda entry: entry.lora.tags),
            other="tag {name}",
            is_open=True,
            facet=Facet(name="Tag", most=8, left_out=lambda tag: ":" in tag or tag in _TECHNICAL_TAGS),
        ),
    ] = ()
    licenses: Annotated[
        tuple[str, ...],
        names(
            "license",
            "A use that its licence must allow (`images` and `service` are short forms), or the licence's name.",
            "sell",
            Column(name="license", read=lambda entry: entry.text("license"), merge="lead"),
            Column(name="permits", read=Said.uses, are_choices=True, merge="lead"),
            labels=_USES,
            other="licence {name}",
            read=_read_license,
            choices=lambda: get_args(Use),
            is_open=True,
            also=("licence",),
            facet=Facet(
                name="Licence permits",
                labels={
                    "sell_images": "selling images",
                    "run_as_service": "paid services",
                    "sell": "selling it",
                    "merge": "merging it",
                    "no_credit": "no credit",
                },
            ),
        ),
    ] = ()
    access: Annotated[
        tuple[Access, ...],
        names(
            "access",
            "What it takes to download it.",
            "open",
            Column(name="access", read=lambda entry: (shown_access(entry.lora, entry.version),), merge="lead"),
            labels={value: value for value in get_args(Access)}
            | {"login": "needs a key", "paid": "early access", "generation-only": "hub only"},
            read=lambda text: choose(text, get_args(Access), "access"),
            choices=lambda: get_args(Access),
            facet=Facet(name="Access"),
        ),
    ] = ()
    triggers: Annotated[
        tuple[str, ...],
        names(
            "trigger",
            "`any` or `none`, or one of its trigger words.",
            "any",
            Column(name="triggers", read=Said.trigger_words),
            labels={"any": "any trigger word", "none": "no trigger word"},
            other="trigger word {name}",
            read=_read_trigger,
            choices=lambda: ("any", "none"),
            is_open=True,
            can_exclude=False,
        ),
    ] = ()
    rank: Annotated[
        Range | None,
        numbers(
            "rank",
            "The rank of its matrices.",
            ">=16",
            Column(name="rank", read=lambda entry: best(entry.likely, "rank")),
            RANKS,
            usual=(">=8", ">=16", ">=32", ">=64", "<=8", "<=16"),
            facet=Facet(name="Rank", steps=(4, 8, 16, 32, 64, 128), is_open=True, term="rank"),
        ),
    ] = None
    size: Annotated[
        Range | None,
        numbers(
            "size",
            "The size of its file in `kb`, `mb` or `gb`. A lone size is the largest.",
            "<200mb",
            Column(name="size", read=lambda entry: entry.file.size if entry.file else None),
            SIZES,
            usual=("<20mb", "<50mb", "<100mb", "<200mb", "<500mb"),
            facet=Facet(
                name="File size", steps=(10 * _MB, 25 * _MB, 50 * _MB, 100 * _MB, 200 * _MB, 400 * _MB), unit=_MB
            ),
        ),
    ] = None
    age: Annotated[
        Range | None,
        numbers(
            "updated",
            "How long ago it was updated, in `h`, `d`, `w`, `m` or `y`. A lone time is the longest.",
            "<30d",
            Column(name="newest"),
            AGES,
            usual=("<7d", "<30d", "<90d", "<1y"),
        ),
    ] = None
    installed: Annotated[
        bool | None,
        single(
            "installed",
            "Whether a file of it is in the library.",
            "no",
            _YES_NO,
            {"yes": "installed", "no": "not installed"},
            facet=Facet(name="Library", labels={"yes": "In the library"}),
        ),
    ] = None
    favorite: Annotated[
        bool | None,
        single(
            "favorite",
            "Whether you have made it a favourite.",
            "yes",
            _YES_NO,
            {"yes": "favourites", "no": "no favourite"},
            facet=Facet(name="Favourites", labels={"yes": "Your favourites"}),
        ),
    ] = None
    sort: Annotated[
        Sort,
        single(
            "sort",
            "The order of the results.",
            "likes",
            {sort: sort for sort in get_args(Sort)},
            _SORTS,
            has_parameter=True,
        ),
    ] = "relevance"
    nsfw: Annotated[
        Nsfw,
        single(
            "nsfw",
            "The highest level of mature images to show. `safe` is what is rated so; `soft` also what nobody has "
            "rated.",
            "mature",
            {level: level for level in NSFW_LEVELS},
            {level: f"up to {level}" for level in NSFW_LEVELS},
            has_parameter=True,
        ),
    ] = "soft"

    @property
    def words(self) -> str:
        """The words and phrases as one text, for hubs that don't support phrases."""
        return " ".join(filter(None, (self.text, *self.phrases)))[:LONGEST_TEXT].rstrip()

    def may_ask(self, hub: HubName) -> bool:
        """Return whether the query includes LoRAs of this hub."""
        return (not self.hubs or hub in self.hubs) and ("hub", hub) not in self.excluded

    @property
    def creator(self) -> str | None:
        """The creator if there is only one, since hubs can't search for several alternatives.

        The same is true of tags.
        """
        return self.creators[0] if len(self.creators) == 1 else None

    @property
    def tag(self) -> str | None:
        return self.tags[0] if len(self.tags) == 1 else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page of a hub's results.

    `cursor` is opaque and continues the same query at the same hub; None is the end. An empty page may have a cursor,
    because CivitAI filters after paging. `withheld` are LoRAs on the page that must not be shown (see
    Lora.is_withheld).
    """

    loras: tuple[Lora, ...]
    cursor: str | None = None
    withheld: tuple[Ref, ...] = ()


def _fields() -> Iterator[Field]:
    hints = get_type_hints(Query, include_extras=True)
    for attribute in fields(Query):
        for row in getattr(hints[attribute.name], "__metadata__", ()):
            yield replace(row, attribute=attribute.name, default=attribute.default)


FIELDS: tuple[Field, ...] = tuple(_fields())
BY_KEY = {name: field for field in FIELDS for name in (field.key, *field.also)}
