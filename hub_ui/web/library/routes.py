"""The Library page's addresses: the list and its entries, what is done with them, checks, files and lock files."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, BinaryIO

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Form
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connectors.errors import HubUiError, UsageError
from connectors.ref import Ref
from hub_ui.i18n import _
from hub_ui.library import lockfile
from hub_ui.library.disk import reveal
from hub_ui.web.downloads.drawer import DrawerParts
from hub_ui.web.layout.pages import Pages, Preview, is_part, page_address, target_of
from hub_ui.web.library import acts, entry, own_file
from hub_ui.web.library import own_file as lock_import
from hub_ui.web.library.acts import Said
from hub_ui.web.library.parts import LibraryParts
from hub_ui.web.streams import Streams
from hub_ui.web.view import LONGEST_ADDRESS, LibraryView, View
from hub_ui.web.visit.routes import disposition

LOOPBACK = ("127.0.0.1", "::1", "localhost", "testclient")
MOST_REFS = 20_000
# Each hashes a file.
MOST_FILES = 4
Short = Annotated[str, Form(max_length=500)]
RefText = Annotated[str, Form(max_length=500)]
Long = Annotated[str, Form(max_length=5000)]
Address = Annotated[str, Form(max_length=LONGEST_ADDRESS)]
Refs = Annotated[list[str], Form(max_length=MOST_REFS, default_factory=list)]


@dataclass(frozen=True, kw_only=True)
class LibraryRoutes:
    pages: Pages
    parts: LibraryParts
    drawer: DrawerParts
    streams: Streams

    def router(self) -> APIRouter:
        router = self.pages.router()
        self.add_files(router)

        @router.post("/library")
        def act(
            request: Request, do: Short, ref: Refs, back: Address = "", tag: Short = "", weight: Short = "",
            collection: Short = "", names: Short = "", all: Short = "", name: Short = "", group: Long = "",
            keep: Long = "", id: Short = "", rule: Short = "", sha256: Short = "", kind: Short = "",
        ) -> Response:  # fmt: skip
            fields = {
                "tag": tag, "weight": weight, "collection": collection, "names": names, "all": all, "name": name,
                "group": group, "keep": keep, "id": id, "rule": rule, "sha256": sha256, "kind": kind,
            }  # fmt: skip
            view = library_view(back)
            said = acts.run(self.parts.services, self.parts.checks, view, do, ref, **fields)
            return self.answer_act(request, said.view or view, said)

        @router.get("/library/check")
        def check(request: Request) -> Response:
            self.parts.services.policy.check("see library")
            return self.streams.answer(self.check(library_view(request.url.query)))

        @router.post("/library/entry")
        def change(request: Request, do: Short, ref: RefText, value: Long = "", back: Address = "") -> Response:
            return self.change(request, do, ref, value, library_view(back))

        @router.post("/library-keep")
        def keep(request: Request, do: Short, ref: RefText, back: Address = "") -> Response:
            services, view = self.parts.services, library_view(back)
            services.policy.check("change library")
            if do == "discard":
                services.own_files.discard(Ref.parse(ref))
                return self.go(request, replace(view, open=""))
            return self.go(request, replace(view, open=str(own_file.keep(services, Ref.parse(ref)).ref)))

        return router

    def add_files(self, router: APIRouter) -> None:
        """The routes of lock files and of files of one's own."""
        files = CapacityLimiter(MOST_FILES)

        @router.get("/library-lock")
        def lock(name: str = "") -> Response:
            services = self.parts.services
            services.policy.check("see library")
            if not name:
                return attachment(services.settings.lock.name, services.library.lock_text())
            found = services.collections.get(name)
            return attachment(f"{found.name}.lock", found.lock_text(services.library.entries()))

        @router.post("/library-lock")
        def export(ref: Refs, all: Short = "", back: Address = "") -> Response:
            chosen = acts.choose(self.parts.services, self.parts.checks, library_view(back), ref, all=bool(all))
            return attachment("loras.lock", lockfile.dumps(chosen))

        @router.post("/library-import")
        async def take_lock(request: Request) -> Response:
            async with request.form(max_files=1, max_part_size=lock_import.MOST_BYTES) as form:
                text, given, do = str(form.get("text") or ""), form.get("file"), str(form.get("do") or "")
                if isinstance(given, UploadFile) and given.filename:
                    text = (await given.read(lock_import.MOST_BYTES + 1)).decode(errors="replace")
            return await to_thread.run_sync(self.take_lock, request, text, do)

        @router.post("/library-file")
        async def add_file(request: Request) -> Response:
            self.parts.services.policy.check("use own files")
            most = self.pages.services.policy.limits.upload_bytes
            if int(request.headers.get("content-length") or most) > most + 100_000:
                raise UsageError(_("This file is too large to open."))
            async with request.form(max_files=1) as form:
                given = form.get("file")
                if not isinstance(given, UploadFile) or not given.filename:
                    raise UsageError(_("Choose a file first."))
                ref = await to_thread.run_sync(self.add_file, given.file, given.filename, limiter=files)
            return self.go(request, View(page="library", open=str(ref)))

    def answer(self, request: Request, view: View) -> Response:
        """The page, its list, or an entry in the panel."""
        self.parts.services.policy.check("see library")
        if target_of(request) == "panel":
            return self.pages.part("library/entry", push=view.to_address(), **self.parts.panel(view))
        if is_part(request):
            view = replace(view, open="")
            values = self.parts.all(view)
            return self.pages.part("library/answer", push=view.to_address(), **values, closes=True, imported=None)
        return self.whole(request, view)

    def whole(self, request: Request, view: View, said: Said | None = None, **more: object) -> Response:
        values = {
            **(self.parts.panel(view) if view.open else {}),
            **self.parts.all(view, said),
            "imported": None,
            **more,
        }
        return self.pages.whole(request, "library/page", view, preview=Preview(title=_("Library")), **values)

    def answer_act(self, request: Request, view: View, said: Said) -> Response:
        if view.page != "library":
            return self.go(request, view)
        if is_part(request):
            closes = said.view is not None and not view.open
            return self.pages.part("library/answer", **self.parts.all(view, said), closes=closes, imported=None)
        if said.plan is not None or said.failures:
            return self.whole(request, view, said)
        tool = "changes" if said.undo else view.library.tool
        return self.go(request, replace(view, library=replace(view.library, tool=tool)))

    def go(self, request: Request, view: View) -> Response:
        address = page_address(view.to_address())
        if is_part(request):
            return Response(status_code=204, headers={"HX-Redirect": address})
        return RedirectResponse(address, 303)

    def check(self, view: View) -> Iterator[str]:
        """The progress of the check that runs; the list once it has ended."""
        for step in self.parts.checks.follow():
            if step is None:
                yield ""
            elif step.kind is not None:
                yield self.pages.render("library/step", view=view, address=view.to_address(), progress=step)
        yield self.pages.render("library/checked", **self.parts.all(view), imported=None)

    def change(self, request: Request, do: str, ref: str, value: str, view: View) -> Response:
        """A change of one entry."""
        services, trouble = self.parts.services, ""
        services.policy.check("change library")
        try:
            if do == "download":
                services.downloads.enqueue(Ref.parse(value or ref))
            elif do == "reveal":
                self.reveal(request, Ref.parse(ref))
            else:
                entry.edit(services, do, Ref.parse(ref), value)
        except HubUiError as error:
            if not is_part(request):
                raise
            trouble = error.message
        view = replace(view, open=ref)
        if not is_part(request):
            return RedirectResponse(page_address(view.to_address(), "../"), 303)
        panel = self.parts.panel(view, trouble=trouble, typed={do: value} if trouble else None)
        values = self.parts.all(view)
        row = next((one for one in values["page"].items if str(one.ref) == ref), None)
        return self.pages.part("library/changed", **{**values, **panel}, row=row, downloads=self.drawer.values())

    def reveal(self, request: Request, ref: Ref) -> None:
        """Only for who sits at this computer: a file manager elsewhere would help nobody."""
        host = request.client.host if request.client else ""
        if host not in LOOPBACK or request.headers.get("x-forwarded-for"):
            raise UsageError(_("Files can be shown in their folder only on the computer that hub-ui runs on."))
        library = self.parts.services.library
        reveal(library.path(library.entry(ref)), os.environ)

    def take_lock(self, request: Request, text: str, do: str) -> Response:
        services, view = self.parts.services, View(page="library", library=LibraryView(tool="import"))
        services.policy.check("change library")
        wanted = lock_import.read_lock(services, text)
        if do == "take":
            count = lock_import.import_entries(services, lock_import.new_entries(wanted))
            said = Said(text=acts.count_text(count, "{n} LoRA is being downloaded.", "{n} LoRAs are being downloaded."))
            return self.answer_act(request, View(page="library"), said)
        imported = {
            "text": text,
            "found": wanted,
            "states": lock_import.STATES,
            "summary": lock_import.plan_summary(wanted),
            "count": len(lock_import.new_entries(wanted)),
        }
        if is_part(request):
            return self.pages.part("library/answer", **self.parts.all(view), closes=False, imported=imported)
        return self.whole(request, view, imported=imported)

    def add_file(self, given: BinaryIO, name: str) -> Ref:
        """Under its own name, which says what it is where nothing else does."""
        with tempfile.TemporaryDirectory(prefix="hub-ui-") as folder:
            path = Path(folder) / (Path(name.replace("\\", "/")).name[:150] or "lora.safetensors")
            with path.open("wb") as file:
                shutil.copyfileobj(given, file)
            return own_file.receive(self.parts.services, path)


def library_view(address: str) -> View:
    """Of an address as the browser has it, or as a form sends it back."""
    return replace(View.from_address(address.rpartition("?")[2]), page="library")


def attachment(name: str, text: str) -> Response:
    headers = {"Content-Disposition": disposition(name), "Cache-Control": "no-store"}
    return Response(text, media_type="application/toml", headers=headers)
