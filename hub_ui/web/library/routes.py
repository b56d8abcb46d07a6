"""Routes of the Library page: the list and its entries, actions, checks, local files and lock files.

They prepare values for the templates.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from anyio import to_thread
from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData, UploadFile

from connectors.claims import base_models
from connectors.errors import HubUiError, NotFound, UsageError
from connectors.record import Record
from connectors.ref import Ref
from hub_ui.app.checks import CheckProgress, LibraryChecks, count_text
from hub_ui.base import format
from hub_ui.base.disk import reveal
from hub_ui.base.i18n import _
from hub_ui.library import search
from hub_ui.library.annotations import LONGEST_NOTE
from hub_ui.library.index import LibraryRow
from hub_ui.library.upkeep.collections import may_be_half
from hub_ui.web.browse import cards
from hub_ui.web.downloads.drawer import drawer_values
from hub_ui.web.layout.pages import Address, Preview, RefText, Room, Shown, is_part, prefix, route, target_of
from hub_ui.web.layout.render import address
from hub_ui.web.library import acts, rows
from hub_ui.web.library.acts import ACTS, Act, Said
from hub_ui.web.uploads import NOTHING, Uploads, text_of
from hub_ui.web.view import LONGEST_ADDRESS, LibraryView, View
from hub_ui.web.visit import lock_file

PAGE_SIZE = 50
# The page shows at most so many failures or files, and counts the rest.
MOST_SHOWN = 200
LOOPBACK = ("127.0.0.1", "::1", "localhost", "testclient")
Long = Annotated[str, Form(max_length=5000)]


@dataclass(frozen=True, kw_only=True)
class LibraryRoutes(Room):
    checks: LibraryChecks
    uploads: Uploads

    # Limited, because each upload is hashed.
    most_at_once = 4

    @route("GET /library-lock", may="see library")
    def lock(self, name: str = "") -> Response:
        services = self.services
        if not name:
            return lock_file(services.settings.lock.name, services.library.lock_text())
        collection = services.collections.get(name)
        return lock_file(f"{collection.name}.lock", collection.lock_text(services.library.entries()))

    @route("POST /library-import", may="change library")
    async def read_lock(self, request: Request) -> Response:
        async with request.form(max_files=1, max_part_size=acts.MOST_BYTES) as form:
            text, given, do = text_of(form, "text", acts.MOST_BYTES + 1), form.get("file"), text_of(form, "do")
            if isinstance(given, UploadFile) and given.filename:
                text = (await given.read(acts.MOST_BYTES + 1)).decode(errors="replace")
        return await to_thread.run_sync(self.take_lock, request, text, do)

    @route("POST /library-file", may="use own files")
    async def read_file(self, request: Request) -> Response:
        async with self.uploads.read_form(request, max_files=1) as form:
            given = form.get("file")
            if not isinstance(given, UploadFile) or not given.filename:
                raise UsageError(_(NOTHING))
            ref = await to_thread.run_sync(self.add_file, given.file, given.filename, limiter=self.limiter)
        return self.go(request, View(page="library", open=str(ref)))

    @route("POST /library-keep", may="change library")
    def keep(self, request: Request, do: RefText, ref: RefText, back: Address = "") -> Response:
        if do == "discard":
            self.services.own_files.discard(Ref.parse(ref))
        kept = "" if do == "discard" else str(acts.keep(self.services, Ref.parse(ref)).ref)
        return self.go(request, replace(library_view(back), open=kept))

    @route("GET /library", may="see library")
    def answer(self, request: Request, view: Shown) -> Response:
        """Return the page, its list, or an entry in the panel."""
        if target_of(request) == "panel":
            return self.pages.part("library/entry", push=view.link(), **self.panel(view))
        if is_part(request):
            view = replace(view, open="")
            values = {**self.all(view), "closes": True, "ticked": request.query_params.getlist("ref")}
            return self.pages.part("library/answer", push=view.link(), **values)
        return self.whole(request, view)

    def whole(self, request: Request, view: View, said: Said | None = None, **more: object) -> Response:
        panel = self.panel(view) if view.open else {}
        values = {**panel, **self.all(view, said), **more}
        return self.pages.whole(request, "library/page", view, preview=Preview(title=_("Library")), **values)

    @route("POST /library", may="change library")
    async def read_act(self, request: Request) -> Response:
        async with request.form() as form:
            return await to_thread.run_sync(self.act, request, form)

    def act(self, request: Request, form: FormData) -> Response:
        view, name = library_view(text_of(form, "back", LONGEST_ADDRESS)), text_of(form, "do").strip()
        if name not in ACTS:
            raise UsageError(_("That is no button of this page."))
        said = ACTS[name](Act(name=name, services=self.services, checks=self.checks, view=view, form=form)) or Said()
        if said.lock:
            return lock_file("loras.lock", said.lock)
        after = said.view or view
        if after.page != "library":
            return self.go(request, after)
        return self.answer_act(request, after, said, closes=said.view is not None and not after.open)

    def answer_act(self, request: Request, view: View, said: Said | None = None, **more: object) -> Response:
        """Return the updated list, or the whole page if the browser has no JavaScript."""
        if is_part(request):
            return self.pages.part("library/answer", **{**self.all(view, said), **more})
        return self.whole(request, view, said, **more)

    def go(self, request: Request, view: View) -> Response:
        if is_part(request):
            return Response(status_code=204, headers={"HX-Redirect": view.link()})
        return RedirectResponse(view.link(), 303)

    @route("GET /library/check", may="see library")
    def check(self, request: Request) -> Response:
        """Stream the progress of the running check, then the list."""
        view = library_view(request.url.query)

        def steps() -> Iterator[str]:
            for _number, step in self.checks.follow():
                is_step = isinstance(step, CheckProgress)
                yield self.pages.render("library/step", address=view.to_address(), progress=step) if is_step else ""
            yield self.pages.render("library/checked", **self.all(view))

        return self.pages.streams.answer(steps())

    @route("POST /library/entry", may="change library")
    def change(self, request: Request, do: RefText, ref: RefText, value: Long = "", back: Address = "") -> Response:
        """Change an annotation of an entry, download it, or show its file in the file manager."""
        services, trouble = self.services, ""
        try:
            if do == "download":
                services.downloads.enqueue(Ref.parse(value or ref))
            elif do == "reveal":
                self.reveal(request, Ref.parse(ref))
            else:
                acts.edit(services, do, Ref.parse(ref), value)
        except HubUiError as error:
            if not is_part(request):
                raise
            trouble = error.message
        view = replace(library_view(back), open=ref)
        if not is_part(request):
            return RedirectResponse(view.link("../"), 303)
        panel = self.panel(view, trouble=trouble, typed={do: value} if trouble else None)
        values = self.all(view)
        row = next((item for item in values["items"] if str(item["ref"]) == ref), None)
        return self.pages.part("library/changed", **{**values, **panel}, row=row, downloads=drawer_values(services))

    def reveal(self, request: Request, ref: Ref) -> None:
        """Show a file in the file manager. Raise UsageError unless the request comes from this computer."""
        host = request.client.host if request.client else ""
        if host not in LOOPBACK or request.headers.get("x-forwarded-for"):
            raise UsageError(_("Files can be shown in their folder only on the computer that hub-ui runs on."))
        library = self.services.library
        reveal(library.path(library.entry(ref)), os.environ)

    def take_lock(self, request: Request, text: str, do: str) -> Response:
        services = self.services
        results = acts.read_lock(services, text)
        new = [merged.entry for merged in results if merged.state == "new"]
        if do == "take":
            added = services.library.adopt(new)
            for entry in added:
                services.queue.add(entry.ref, entry.title)
            text = count_text(len(added), "{n} LoRA is being downloaded.", "{n} LoRAs are being downloaded.")
            return self.answer_act(request, View(page="library"), Said(text=text))
        imported = {"text": text, "found": results, "new": new}
        return self.answer_act(request, View(page="library", library=LibraryView(tool="import")), imported=imported)

    def add_file(self, given: BinaryIO, name: str) -> Ref:
        """Store an uploaded file under its own name, which is its title if no hub knows the file. Return its ref."""
        with tempfile.TemporaryDirectory(prefix="hub-ui-") as folder:
            path = Path(folder) / (Path(name.replace("\\", "/")).name[:150] or "lora.safetensors")
            with path.open("wb") as file:
                shutil.copyfileobj(given, file)
            return acts.receive(self.services, path)

    def all(self, view: View, said: Said | None = None) -> dict[str, Any]:
        """Return the values for the list. `said` is the result of the last action."""
        # Read the progress before the results: if the check has ended in between, its results are complete.
        progress, results = self.checks.progress, self.checks.results
        services, look = self.services, view.library
        library = services.library_index.rows()
        query, problem = rows.read_text(look.text)
        found = rows.find(services, look, query, results)
        # An old address may name a page beyond the last.
        last = max(0, len(found.rows) - 1) // PAGE_SIZE
        number = min(look.number, last)
        shown = found.rows[number * PAGE_SIZE : (number + 1) * PAGE_SIZE]
        return {
            **self.shared(view),
            "count": len(library),
            "summary": rows.summary(library),
            "items": [self.item(row) for row in shown],
            "found": len(found.rows),
            "number": number,
            "first": number * PAGE_SIZE + 1,
            "last": last,
            "problem": problem,
            "chips": search.chips(query),
            "groups": rows.groups(query, found),
            "toggle": partial(search.toggle, query),
            "look_address": partial(look_address, view),
            "collections": services.collections.all(),
            "entry_prefix": prefix(replace(view, open="").link(), "open"),
            # Uploaded files that are not in the library yet.
            "waiting": [entry for entry in services.own_files.entries() if not services.library.holds(entry.ref)],
            "imported": None,
            "closes": False,
            "said": said or Said(),
            "most": MOST_SHOWN,
            "progress": progress,
            "results": results,
        }

    def shared(self, view: View) -> dict[str, Any]:
        """Return the values that the list and the panel share. `coming` are the refs with a running download."""
        return {
            "view": view,
            "address": view.to_address(),
            "services": self.services,
            "ticked": (),
            "coming": {task.ref for task in self.services.queue.tasks() if not task.rests},
            "sentences": format.sentences,
        }

    def item(self, row: LibraryRow) -> dict[str, Any]:
        """Return the values for a row of the list. `image` is a URL of this server, or "".

        `half` is the ref of the other file, if the LoRA has two files (for high and for low noise). `size` is the sum.
        """
        services, entry, results = self.services, row.entry, self.checks.results
        record = rows.catalog_record(services, entry.ref)
        half = services.downloads.other_half(entry.ref) if may_be_half(entry) else None
        other = next((other for other in services.library.entries() if other.ref == half), None) if half else None
        return {
            "row": row,
            "ref": entry.ref,
            "title": format.title(entry.title) or entry.file,
            "creator": format.title(record.creator) if record and record.creator else entry.ref.id,
            "image": self.picture(row, record),
            "size": entry.size + (other.size if other else 0),
            "checked": results.checked.get(entry.ref),
            "status": results.statuses.get(entry.ref),
            "half": half,
            "has_both": other is not None,
        }

    def picture(self, row: LibraryRow, record: Record | None) -> str:
        """Return the URL of an image, or "": the hub's unless mature, the latest generated, or the file's thumbnail."""
        cover = cards.cover(record, "soft") if record else None
        if cover is not None and address(cover.url):
            return self.pages.render.image_url(cover.url, row.entry.ref, "card")
        use = self.services.uses.latest().get(row.entry.ref.lora)
        path = use.thumbnail if use else self.services.library_index.picture_beside(row.entry)
        return self.pages.render.links.local_link(path) if path else ""

    def panel(self, view: View, *, trouble: str = "", typed: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the values for the panel of an entry, or of an uploaded file that is not in the library yet.

        `trouble` is the error message of a failed change, and `typed` the value that was entered then.
        """
        services, ref = self.services, Ref.parse(view.open)
        item, file, weight = None, None, 1.0
        try:
            item = self.item(services.library_index.row(ref))
            ref = item["ref"]
        except NotFound:
            try:
                file = acts.waiting(services, ref)
            except HubUiError as error:
                trouble = error.message
        if item or file:
            weight = services.generation.default_weight(ref)
        # If the user has set a base model, show the sources that contradict it.
        known = services.lookup.find_record(ref) if item and item["row"].annotation.base_model else None
        return {
            **self.shared(view),
            "close_address": replace(view, open="").link(),
            "item": item,
            "conflicts": known.conflict_sentences if known else (),
            "file": file,
            "ref": str(ref),
            "trouble": trouble,
            "typed": typed or {},
            "bases": bases,
            "longest_note": LONGEST_NOTE,
            "try_address": view.try_lora(str(ref), weight).link(),
        }


def bases() -> Mapping[str, list[tuple[str, str]]]:
    """Return all base models as (id, label), by the label of their architecture."""
    by_architecture: dict[str, list[tuple[str, str]]] = {}
    for base in dict.fromkeys(filter(None, map(base_models.by_id, base_models.choices()))):
        group = base_models.architecture_label(base.architecture) if base.architecture else base.label
        by_architecture.setdefault(group, []).append((base.id, base.label))
    return by_architecture


def look_address(view: View, **changes: Any) -> str:
    """Return the address of the first page of a changed list."""
    look: LibraryView = replace(view.library, **{"number": 0, "tool": "", **changes})
    return replace(view, library=look, open="").link()


def library_view(address: str) -> View:
    """Return the view of an address, with or without its path."""
    return replace(View.from_address(address.rpartition("?")[2]), page="library")
