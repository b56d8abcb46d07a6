"""The filters of the query language as one table: what each key's values look like, how they are read and written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from connectors.claims import base_models
from connectors.claims.license import Use
from connectors.errors import BadQuery, suggestion
from connectors.query import Range, Sort
from connectors.query_ranges import AGES, RANKS, SIZES, Units, range_label, range_text, read_range
from connectors.record import NSFW_LEVELS, Access, Kind
from connectors.registry import HUBS, find_origin

INSTALLED = {"yes": True, "no": False}
_USES = {
    "sell": "may be sold",
    "sell_images": "images may be sold",
    "run_as_service": "paid services may run it",
    "merge": "may be merged",
    "no_credit": "no credit needed",
}
_USE_WORDS = {"images": "sell_images", "service": "run_as_service", "merges": "merge"}
# What people ask for who mean one of three uses.
_COMMERCIAL = ("commercial", "commercial_use", "commercially", "noncommercial", "non_commercial")
_ACCESS = {"login": "needs a key", "paid": "early access", "generation-only": "hub only"}
_SORTS = {
    "relevance": "most relevant first",
    "downloads": "most downloaded first",
    "likes": "most liked first",
    "newest": "newest first",
}
_TRIGGERS = {"any": "any trigger word", "none": "no trigger word"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One filter. `attribute` is its name in Query, and `example` stands in documentation and lists of suggestions.

    A `list` has several values, which are alternatives; a `range` is one Range; of a `single` value the last one
    counts. Values other than `choices` are allowed where `is_open`. `read` raises BadQuery; `write` is its
    other direction; `label` is what a chip says.
    """

    key: str
    attribute: str
    form: Literal["list", "range", "single"]
    meaning: str
    example: str
    read: Callable[[str], Any]
    write: Callable[[Any], str]
    label: Callable[[Any], str]
    choices: Callable[[], tuple[str, ...]] = tuple
    is_open: bool = False
    can_exclude: bool = False
    also: tuple[str, ...] = ()


def _list(
    key: str,
    attribute: str,
    meaning: str,
    example: str,
    *,
    read: Callable[[str], str] = str,
    label: Callable[[str], str] = str,
    choices: Callable[[], tuple[str, ...]] = tuple,
    is_open: bool = False,
    can_exclude: bool = True,
    also: tuple[str, ...] = (),
) -> Field:
    return Field(
        key=key,
        attribute=attribute,
        form="list",
        meaning=meaning,
        example=example,
        read=read,
        write=str,
        label=label,
        choices=choices,
        is_open=is_open,
        can_exclude=can_exclude,
        also=also,
    )


def _range(key: str, attribute: str, units: Units, lead: str, meaning: str, example: str) -> Field:
    def label(value: Range) -> str:
        return f"{lead} {range_label(value, units)}"

    return Field(
        key=key,
        attribute=attribute,
        form="range",
        meaning=meaning,
        example=example,
        read=lambda text: read_range(text, units, key),
        write=lambda value: range_text(value, units),
        label=label,
    )


def _single(key: str, choices: dict[str, Any], labels: dict[str, str], meaning: str, example: str) -> Field:
    words = {value: word for word, value in choices.items()}
    return Field(
        key=key,
        attribute=key,
        form="single",
        meaning=meaning,
        example=example,
        read=lambda text: choices[_choose(text, tuple(choices), key)],
        write=lambda value: words[value],
        label=lambda value: labels.get(words[value], words[value]),
        choices=lambda: tuple(choices),
    )


def _choose(text: str, choices: tuple[str, ...], key: str) -> str:
    word = text.casefold()
    if word not in choices:
        near = suggestion(word, choices)
        raise BadQuery(f"“{text[:40]}” is no value for {key}.{near} Choose one of: {', '.join(choices)}.")
    return word


def _read_hub(text: str) -> str:
    spelled = {hub.label.casefold(): hub.name for hub in HUBS.values()}
    name = spelled.get(text.casefold()) or find_origin(text)
    return name if name in HUBS else _choose(text, tuple(HUBS), "hub")


def _read_base(text: str) -> str:
    """The id of a known base model or architecture, so that a typed filter is the same as a chosen one."""
    if text.casefold() in base_models.ARCHITECTURES:
        return text.casefold()
    found = base_models.by_id(text.casefold()) or base_models.identify(text)
    return found.id if found else text


def base_label(base: str) -> str:
    known = base_models.by_id(base)
    return known.label if known else base_models.architecture_label(base)


def _read_license(text: str) -> str:
    """A use that a licence allows; any other text is the name of a licence."""
    word = text.casefold().replace("-", "_").replace(" ", "_")
    if word in _COMMERCIAL:
        meant = ("sell_images", "run_as_service", "sell")
        uses = ", ".join(f"license:{use} ({_USES[use]})" for use in meant)
        raise BadQuery(f"“{text}” can mean three uses. Choose one of: {uses}; with a minus in front, what excludes it.")
    use = _USE_WORDS.get(word, word)
    return use if use in get_args(Use) else text


def _read_trigger(text: str) -> str:
    return text.casefold() if text.casefold() in _TRIGGERS else text


FIELDS: tuple[Field, ...] = (
    _list(
        "hub",
        "hubs",
        "The hub that lists it; `hf` is short for `huggingface`.",
        "civitai",
        read=_read_hub,
        label=lambda hub: HUBS[hub].label,
        choices=lambda: tuple(HUBS),
    ),
    _list(
        "base",
        "bases",
        "The base model or architecture: an id, a label, or a name as a hub writes it.",
        "flux1",
        read=_read_base,
        label=base_label,
        choices=base_models.choices,
        is_open=True,
        also=("base_model",),
    ),
    _list(
        "kind",
        "kinds",
        "What it is made for. A `runner`, a hosted model that takes LoRAs, is found by asking for it alone.",
        "style,concept",
        read=lambda text: _choose(text, get_args(Kind), "kind"),
        choices=lambda: get_args(Kind),
        also=("type",),
    ),
    _list(
        "creator",
        "creators",
        "The person who published it, by the name on the hub.",
        '"Ada L"',
        label=lambda name: f"by {name}",
        is_open=True,
        also=("author",),
    ),
    _list("tag", "tags", "A tag that its author gave it.", "anime", label=lambda tag: f"tag {tag}", is_open=True),
    _list(
        "license",
        "licenses",
        "A use that its licence must allow (`images` and `service` are short forms), or the licence's name.",
        "sell",
        read=_read_license,
        label=lambda value: _USES.get(value, f"licence {value}"),
        choices=lambda: get_args(Use),
        is_open=True,
        also=("licence",),
    ),
    _list(
        "access",
        "access",
        "What it takes to download it.",
        "open",
        read=lambda text: _choose(text, get_args(Access), "access"),
        label=lambda value: _ACCESS.get(value, value),
        choices=lambda: get_args(Access),
    ),
    _list(
        "trigger",
        "triggers",
        "`any` or `none`, or one of its trigger words.",
        "any",
        read=_read_trigger,
        label=lambda value: _TRIGGERS.get(value, f"trigger word {value}"),
        choices=lambda: tuple(_TRIGGERS),
        is_open=True,
        can_exclude=False,
    ),
    _range("rank", "rank", RANKS, "rank", "The rank of its matrices.", ">=16"),
    _range(
        "size",
        "size",
        SIZES,
        "size",
        "The size of its file in `kb`, `mb` or `gb`. A lone size is the largest.",
        "<200mb",
    ),
    _range(
        "updated",
        "age",
        AGES,
        "updated",
        "How long ago it was updated, in `h`, `d`, `w`, `m` or `y`. A lone time is the longest.",
        "<30d",
    ),
    _single(
        "installed",
        INSTALLED,
        {"yes": "installed", "no": "not installed"},
        "Whether a file of it is in the library.",
        "no",
    ),
    _single(
        "favorite",
        INSTALLED,
        {"yes": "favourites", "no": "no favourite"},
        "Whether you have made it a favourite.",
        "yes",
    ),
    _single("sort", {sort: sort for sort in get_args(Sort)}, _SORTS, "The order of the results.", "likes"),
    _single(
        "nsfw",
        {level: level for level in NSFW_LEVELS},
        {level: f"up to {level}" for level in NSFW_LEVELS},
        "The highest level of mature images to show. `safe` is what is rated so; `soft` also what nobody has rated.",
        "mature",
    ),
)
BY_KEY = {name: field for field in FIELDS for name in (field.key, *field.also)}
