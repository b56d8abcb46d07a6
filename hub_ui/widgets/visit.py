"""The Library page of a hosted page: what this visitor has tried or added, and what the operator offers."""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.claims import base_models
from connectors.ref import Ref
from hub_ui import format
from hub_ui.widgets.render import Renderer

MOST_WORDS = 4


@dataclass(frozen=True, kw_only=True)
class VisitItem:
    """A row. `link` is where its file is downloaded from, `is_outside` at its hub. `is_shared`: of the operator."""

    ref: Ref
    title: str
    base: str
    words: tuple[str, ...]
    size: int
    license: str
    link: str
    is_outside: bool
    is_shared: bool

    @property
    def tint(self) -> int:
        return sum(self.ref.id.encode()) % 6


def base_label(base_model: str | None, architecture: str | None) -> str:
    if base_model:
        return format.visible(base_models.label(base_model))
    return base_models.architecture_label(architecture) if architecture else ""


def visit_html(render: Renderer, items: Sequence[VisitItem], lock_path: str) -> str:
    own = [item for item in items if not item.is_shared]
    shared = [item for item in items if item.is_shared]
    return render("visit", own=own, shared=shared, lock_path=lock_path, most_words=MOST_WORDS)
