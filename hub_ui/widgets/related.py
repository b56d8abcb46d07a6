"""Below the panel's facts: the other homes of a LoRA, and LoRAs that are like it."""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.record import Nsfw, Record, within
from connectors.registry import origin_label
from hub_ui import format
from hub_ui.i18n import _
from hub_ui.widgets.cards import base_label, cover
from hub_ui.widgets.render import address


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
