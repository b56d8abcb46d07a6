"""The rows of a visitor's library: what they have tried or added, and what the operator offers."""

from dataclasses import dataclass

from connectors.claims import base_models
from connectors.ref import Ref
from hub_ui import format
from hub_ui.hosting.downloads import VisitorDownloads
from hub_ui.hosting.session_library import SessionEntry
from hub_ui.web.frame.pages import lora_address
from hub_ui.web.view import View

MOST_WORDS = 4


@dataclass(frozen=True, kw_only=True)
class VisitItem:
    """`link` is where its file is downloaded from, `is_outside` at its hub. `address` opens it, `try_address` tries it.
    `is_shared`: it is the operator's.
    """

    ref: Ref
    title: str
    base: str
    words: tuple[str, ...]
    size: int
    license: str
    link: str
    address: str
    try_address: str
    is_shared: bool

    @property
    def is_outside(self) -> bool:
        return self.link.startswith("http")


def visit_items(downloads: VisitorDownloads, view: View) -> list[VisitItem]:
    return [visit_item(downloads, item, view) for item in downloads.sessions.entries()]


def visit_item(downloads: VisitorDownloads, item: SessionEntry, view: View) -> VisitItem:
    entry = item.entry
    return VisitItem(
        ref=entry.ref,
        title=format.title(entry.title) or entry.ref.id,
        base=base_label(entry.base_model, entry.architecture),
        words=entry.trigger_words,
        size=entry.size,
        license=format.visible(entry.license),
        link=downloads.link(entry.ref, is_open=item.right == "anyone"),
        address=lora_address(view.with_query(), str(entry.ref)),
        try_address=f"./?{view.try_lora(str(entry.ref)).to_address()}",
        is_shared=item.is_shared,
    )


def base_label(base_model: str | None, architecture: str | None) -> str:
    if base_model:
        return format.visible(base_models.label(base_model))
    return base_models.architecture_label(architecture) if architecture else ""
