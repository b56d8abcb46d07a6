"""The parts of the Library page as values for its templates."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from connectors.errors import HubUiError
from connectors.ref import Ref
from hub_ui import library_search
from hub_ui.i18n import _
from hub_ui.library.annotations import LONGEST_NOTE
from hub_ui.library_checks import LibraryChecks
from hub_ui.library_search import SORTS, LibraryQuery
from hub_ui.services import Services
from hub_ui.web.layout.pages import page_address
from hub_ui.web.layout.render import Renderer
from hub_ui.web.library import acts, entry, listing, own_file
from hub_ui.web.library.acts import Said
from hub_ui.web.library.rows import SORT_NAMES, groups, summary, when
from hub_ui.web.view import LibraryView, View


@dataclass(frozen=True, kw_only=True)
class LibraryParts:
    """Makes the values of library/*.html."""

    services: Services
    render: Renderer
    checks: LibraryChecks

    def all(self, view: View, said: Said | None = None) -> dict[str, Any]:
        """`said` is what an act did just now."""
        services, look, results = self.services, view.library, self.checks.results
        rows = services.library_index.rows()
        found = listing.find(services, look, results)
        missing, removed = (sum(getattr(row, name) for row in rows) for name in ("is_missing", "is_removed"))
        return {
            "view": view,
            "address": view.to_address(),
            "count": len(rows),
            "summary": summary([row.entry for row in rows], missing=missing, removed=removed),
            "lock": services.settings.lock.name,
            "folder": str(services.settings.library),
            "page": listing.list_page(services, self.render, found, look, results, open=view.open),
            "problem": found.problem,
            "chips": [(chip, self.address(view, text=chip.rest)) for chip in library_search.chips(found.asked)],
            "groups": groups(found.asked, found.found),
            "toggle": lambda facet, value: self.toggle(view, found.asked, facet, value),
            "look_address": lambda **changes: self.address(view, **changes),
            "collections": services.collections.all() if rows or look.collection else (),
            "sorts": [(name, _(SORT_NAMES[name])) for name in SORTS],
            "entry_prefix": f"{page_address(replace(view, open='').to_address())}&open=",
            "try_prefix": f"{page_address(View(page='try').to_address())}&lora=",
            "waiting": self.waiting() if services.policy.allows("use own files") else (),
            "lora_pairs": [("lora", text) for text in view.stack_texts],
            "more_acts": acts.MORE,
            **self.around(said or Said()),
            **self.tool(view),
        }

    def around(self, said: Said) -> dict[str, Any]:
        """What stands between the tools and the list."""
        results = self.checks.results
        return {
            "said": said,
            "most": acts.MOST_SHOWN,
            "progress": self.checks.progress,
            "results": results,
            "checked_at": when(results.at),
        }

    def tool(self, view: View) -> dict[str, Any]:
        """What the open tool lists; nothing without one."""
        services, name = self.services, view.library.tool
        lists: dict[str, Any] = {}
        if name == "changes":
            lists = {"changes": services.changes.recent()[: acts.MOST_CHANGES], "trash": services.changes.size()}
        elif name == "rules":
            lists = {"rules": services.update_rules.all()}
        elif name == "collections":
            lists = {"damaged": services.collections.damaged()}
        return {"tool": name, **lists}

    def waiting(self) -> tuple[Any, ...]:
        """Own files that were not kept yet."""
        return tuple(one for one in self.services.own_files.entries() if not self.services.library.holds(one.ref))

    def panel(self, view: View, *, trouble: str = "", typed: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The open entry. `trouble` is why the last change was not saved, and `typed` is what was typed then."""
        ref = Ref.parse(view.open)
        shown = entry.panel(self.services, self.render, view.open, self.checks.results)
        file = None
        if shown is None and self.services.policy.allows("use own files"):
            try:
                file = own_file.waiting(self.services, ref)
            except HubUiError as error:
                trouble = error.message
        return {
            "view": view,
            "address": view.to_address(),
            "close_address": page_address(replace(view, open="").to_address()),
            "p": shown,
            "file": file,
            "ref": view.open,
            "trouble": trouble,
            "typed": typed or {},
            "bases": entry.bases() if shown else {},
            "longest_note": LONGEST_NOTE,
            "try_address": page_address(view.try_lora(view.open, self.weight(ref)).to_address()),
        }

    def weight(self, ref: Ref) -> float:
        try:
            return self.services.generation.default_weight(ref)
        except HubUiError:
            return 1.0

    def address(self, view: View, **changes: Any) -> str:
        """The page with another list, from its first page on."""
        look: LibraryView = replace(view.library, **{"number": 0, "tool": "", **changes})
        return page_address(replace(view, library=look, open="").to_address())

    def toggle(self, view: View, asked: LibraryQuery, facet: str, value: str) -> str:
        return self.address(view, text=library_search.toggle(asked, facet, value).text)
