"""The grid of results: one card for each LoRA, image first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connectors.claims import base_models
from connectors.query_language import value_text
from connectors.record import Example, Nsfw, Record, is_marked, within
from connectors.ref import Ref
from connectors.registry import origin_label
from connectors.weights.file_type import What
from hub_ui import format
from hub_ui.i18n import N_, _
from hub_ui.web.layout.render import address


@dataclass(frozen=True, kw_only=True)
class Flag:
    """`tone`: "warn", "dark" or "good"."""

    text: str
    tone: str


OTHER = Flag(text=N_("not for images"), tone="warn")
NO_LORA = Flag(text=N_("file is no LoRA"), tone="warn")


@dataclass(frozen=True, kw_only=True)
class Card:
    """`search` looks for all of its creator. `usable`: its file is a LoRA, as far as known. `try_problem`
    says why it can't be tried here.
    """

    record: Record
    title: str
    creator: str
    search: str
    image: str
    video: str
    blurred: bool
    base: str
    downloads: str
    flag: Flag | None
    usable: bool
    try_problem: str


def card(
    record: Record,
    *,
    ceiling: Nsfw,
    in_library: Callable[[Ref], bool],
    what: What = "lora",
    try_problem: str = "",
) -> Card:
    """`what` its file is, as far as that was read. `try_problem` says why it can't be tried here."""
    example, moving = cover(record, ceiling), video(record, ceiling)
    return Card(
        record=record,
        title=format.title(record.title) or record.ref.id,
        creator=format.title(record.creator) or _("unknown"),
        search=f"creator:{value_text(record.creator)}" if record.creator else "",
        image=address(example.url) if example else "",
        video=address(moving.url) if moving else "",
        blurred=any(each is not None and not within(each.nsfw, "soft") for each in (example, moving)),
        base=base_label(record),
        downloads=format.count(record.downloads),
        flag=flag(record, in_library) if what == "lora" else OTHER if what.endswith("lora") else NO_LORA,
        usable=what == "lora",
        try_problem=try_problem,
    )


def cover(record: Record, ceiling: Nsfw) -> Example | None:
    """The first still image within the level of mature images."""
    return next((e for e in record.images if not e.video and within(e.nsfw, ceiling)), None)


def video(record: Record, ceiling: Nsfw) -> Example | None:
    """The first example within the level of mature images, if it is a video: it plays while the card is pointed at."""
    first = next((e for e in record.images if within(e.nsfw, ceiling)), None)
    return first if first is not None and first.video else None


def base_label(record: Record) -> str:
    """The base model, else the architecture of its file."""
    if record.base_model:
        return format.visible(base_models.label(record.base_model))
    if record.architecture and ("architecture" in record.conflicts or not record.raw_base_model):
        return base_models.architecture_label(record.architecture)
    return format.visible(record.raw_base_model)


def flag(record: Record, in_library: Callable[[Ref], bool]) -> Flag | None:
    """One flag at most, the most important first: danger, conflict, removed, not open, a real person, mature..."""
    if format.danger(record):
        return Flag(text=_("scan found danger"), tone="warn")
    if "architecture" in record.conflicts and record.architecture:
        return Flag(
            text=_("file says {base}").format(base=base_models.architecture_label(record.architecture)), tone="warn"
        )
    if "base_model" in record.conflicts and record.base_model:
        return Flag(
            text=_("file says {base}").format(base=format.visible(base_models.label(record.base_model))), tone="warn"
        )
    if record.access != "open":
        return Flag(text=_(format.ACCESS_FLAGS[record.access]), tone="dark")
    if is_marked(record.claims, "real_person"):
        return Flag(text=_("real person"), tone="dark")
    if record.nsfw in ("mature", "explicit"):
        return Flag(text=_("mature"), tone="dark")
    if in_library(record.ref):
        return Flag(text=_("in library"), tone="good")
    return None


@dataclass(frozen=True, kw_only=True)
class Neighbor:
    """A small card. `image` is empty where there is none to show."""

    ref: str
    title: str
    base: str
    image: str
    blurred: bool


@dataclass(frozen=True, kw_only=True)
class Link(Neighbor):
    """A LoRA by the name of its hub. `url` is its page there."""

    name: str
    note: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Related:
    """`homes` are on the same card, `also_on` are other ones under the same title by the same creator."""

    homes: tuple[Link, ...] = ()
    also_on: tuple[Link, ...] = ()
    similar: tuple[Neighbor, ...] = ()


def related(homes: Sequence[Record], also_on: Sequence[Record], similar: Sequence[Record], *, ceiling: Nsfw) -> Related:
    return Related(
        homes=tuple(link(record, ceiling) for record in homes),
        also_on=tuple(link(record, ceiling) for record in also_on),
        similar=tuple(neighbor(record, ceiling) for record in similar),
    )


def link(record: Record, ceiling: Nsfw) -> Link:
    access = _("open to everyone") if record.access == "open" else _(format.ACCESS_FLAGS[record.access])
    downloads = record.downloads
    counted = "" if downloads is None else _("{count} downloads").format(count=format.count(downloads))
    return Link(
        **vars(neighbor(record, ceiling)),
        name=origin_label(record.hub),
        note=format.join(format.title(record.creator), base_label(record), access, counted),
        url=address(record.url),
    )


def neighbor(record: Record, ceiling: Nsfw) -> Neighbor:
    example = cover(record, ceiling)
    return Neighbor(
        ref=str(record.ref),
        title=format.title(record.title) or record.ref.id,
        base=base_label(record),
        image=address(example.url) if example else "",
        blurred=example is not None and not within(example.nsfw, "soft"),
    )
