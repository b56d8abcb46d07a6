"""The page for judging a sheet of LoRAs: blind pairs, the ranking, and the proof as one file.

The address contains all choices. Each choice is a link to the next pair, so the browser's back button undoes a choice.
"""

import io
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Form, Query, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from connectors.errors import UsageError
from connectors.record import within
from connectors.ref import Ref
from hub_ui.base import format
from hub_ui.base.i18n import _
from hub_ui.generate.compare import judging
from hub_ui.generate.compare.comparison import MAX_CELLS, Comparison
from hub_ui.generate.compare.judging import LONGEST_VOTES, Choice, Pair, Rank, Vote
from hub_ui.generate.compare.lora_axis import no_clip
from hub_ui.images import contact_sheet, png_metadata
from hub_ui.images.provenance import Provenance, Tiles
from hub_ui.web.history import view_of
from hub_ui.web.images import PRIVATE, SHARED, GeneratedImages, address
from hub_ui.web.layout.pages import Preview, Room, is_part, route
from hub_ui.web.view import View

CHOICES: tuple[Choice, ...] = (1, 2, 0)
# An address of GeneratedImages, or the name of an upload.
SheetName = Annotated[str, Query(max_length=200)]
Votes = Annotated[str, Query(max_length=LONGEST_VOTES)]


@dataclass(frozen=True, kw_only=True)
class JudgedComparison:
    """A contact sheet with the choices so far. `name` identifies it in the address, `provenance` is its metadata."""

    name: str
    path: Path
    provenance: Provenance
    comparison: Comparison
    tiles: Tiles
    votes: tuple[Vote, ...]

    @property
    def is_shared(self) -> bool:
        return f".{SHARED}/" in self.name

    @property
    def is_own(self) -> bool:
        """Whether this server made it. An upload may show anything."""
        return "/" in self.name and not self.is_shared

    @property
    def written(self) -> str:
        return judging.write_votes(self.votes)

    def address(self, votes: Sequence[Vote] | None = None, **more: object) -> str:
        written = self.written if votes is None else judging.write_votes(votes)
        return urlencode({"sheet": self.name, "votes": written, **more})

    def next_pair(self) -> Pair:
        return judging.next_pair(self.votes, len(self.comparison.columns), len(self.comparison.rows), self.name)

    def ranks(self) -> Sequence[Rank]:
        return judging.ranking(self.votes, len(self.comparison.columns))

    def loras(self, column: int) -> frozenset[Ref]:
        """Return the LoRAs of a column's images."""
        cells = self.comparison.cells[column :: len(self.comparison.columns)]
        return frozenset(
            lora.ref for i, lora in enumerate(self.provenance.loras) if any(cell.weights[i] for cell in cells)
        )


@dataclass(frozen=True, kw_only=True)
class JudgeRoutes(Room):
    images: GeneratedImages
    uploaded: Callable[[str], Path]
    _lock: threading.Lock = field(default_factory=threading.Lock)

    # Each may have a whole sheet in memory.
    most_at_once = 2

    @route("GET /judge", waits=True)
    def judge(self, request: Request, sheet: SheetName, votes: Votes = "", blind: bool = False) -> Response:
        values = self.values(self.open(sheet, votes), blind=blind)
        if is_part(request):
            return self.pages.part("try_page/judge_shown", **values)
        found: JudgedComparison = values["sheet"]
        preview = Preview(title=_("Which of these?"))
        # Others see what is shared alone.
        if found.is_shared:
            names = format.join(*map(format.visible, found.comparison.columns))
            preview = replace(preview, text=names, image=f"judge/proof?{found.address()}")
        return self.pages.whole(request, "try_page/judge", View(page="try"), preview=preview, **values)

    @route("GET /judge/image", waits=True)
    def image(
        self,
        sheet: SheetName,
        votes: Votes = "",
        side: Annotated[int, Query(ge=0, le=1)] = 0,
        cell: Annotated[int | None, Query(ge=0, le=99)] = None,
    ) -> Response:
        """Return an image: one of the next pair after these choices, whose address hides its LoRA, or `cell`."""
        found = self.open(sheet, votes)
        if cell is None:
            pair = found.next_pair()
            cell = pair.row * len(found.comparison.columns) + (pair.left, pair.right)[side]
        return FileResponse(self.cell(found, cell), media_type="image/jpeg", headers=PRIVATE)

    @route("GET /judge/proof", waits=True)
    def proof(self, sheet: SheetName, votes: Votes = "") -> Response:
        found, proof = self.open(sheet, votes), io.BytesIO()
        png_metadata.add_votes(found.path, found.written, ranking_lines(found), proof)
        headers = {**PRIVATE, "Content-Disposition": 'attachment; filename="hub-ui-proof.png"'}
        return Response(proof.getvalue(), media_type="image/png", headers=headers)

    @route("POST /judge/share", waits=True)
    def share(
        self, sheet: Annotated[str, Form(max_length=200)], votes: Annotated[str, Form(max_length=LONGEST_VOTES)] = ""
    ) -> Response:
        """Publish a copy of a sheet, which anyone with the address can open."""
        found = self.open(sheet, votes)
        if not found.is_own or (unsafe := self.unsafe(found)):
            names = ", ".join(unsafe) if found.is_own else found.path.name
            text = _("Only what is made here and rated safe is shared, and {names} is not. Save the proof instead.")
            raise UsageError(text.format(names=names))
        self.services.quotas.spend("uploads", found.path.stat().st_size)
        path = self.images.new(is_shared=True) / "hub-ui-proof.png"
        png_metadata.add_votes(found.path, found.written, ranking_lines(found), path)
        return RedirectResponse(f"../judge?{urlencode({'sheet': address(path), 'votes': votes})}", 303)

    @route("GET /judge/kept", may="keep history", waits=True)
    def judge_entry(self, id: Annotated[str, Query(max_length=40)]) -> Response:
        """Open a result of the history as a sheet."""
        result, path = self.services.history.load(id), self.images.new() / "hub-ui-sheet.png"
        png_metadata.save_comparison(result, path)
        return RedirectResponse(f"../judge?{urlencode({'sheet': address(path)})}", 303)

    def open(self, name: str, votes: str) -> JudgedComparison:
        """Open a sheet. Raises NotFound if it is missing or another visitor's, UsageError if it is not a sheet."""
        path = self.images.path(name) if "/" in name else self.uploaded(name)
        found = png_metadata.read(path)
        sheet, tiles = found.sheet, found.tiles
        if sheet is None or tiles is None or len(sheet.columns) < 2 or len(sheet.cells) > MAX_CELLS:
            raise UsageError(_(contact_sheet.NO_SHEET).format(name=path.name))
        chosen = judging.read_votes(votes, len(sheet.columns), len(sheet.rows))
        return JudgedComparison(name=name, path=path, provenance=found, comparison=sheet, tiles=tiles, votes=chosen)

    def cell(self, sheet: JudgedComparison, number: int) -> Path:
        """Return the file of one image. The first call cuts all images out of the sheet."""
        folder, tiles = sheet.path.parent / "cells", sheet.tiles
        if number >= len(tiles.corners):
            raise UsageError(_(contact_sheet.NO_SHEET).format(name=sheet.path.name))
        with self._lock:
            if not folder.is_dir():
                images = contact_sheet.cut(sheet.path, tiles)
                part = folder.with_suffix(".part")
                part.mkdir(exist_ok=True)
                for i, one in enumerate(images):
                    one.save(part / f"{i}.jpg", quality=95, subsampling=0)
                (part / "unchanged").write_text("yes" if contact_sheet.is_unchanged(images, tiles) else "")
                part.rename(folder)
        return folder / f"{number}.jpg"

    def values(self, sheet: JudgedComparison, *, blind: bool) -> dict[str, Any]:
        values: dict[str, Any] = {"sheet": sheet, "address": sheet.address(), "pair": None}
        if blind:
            pair = sheet.next_pair()
            choices = {choice: sheet.address((*sheet.votes, Vote(pair, choice)), blind=1) for choice in CHOICES}
            return {**values, "pair": pair, "choices": choices}
        ranks, view = sheet.ranks() if sheet.votes else (), view_of(sheet.provenance)
        in_full = replace(view, settings=replace(view.settings, drafts="never"))
        return {
            **values,
            "ranks": ranks,
            "report": sheet.provenance.report,
            "is_unchanged": (self.cell(sheet, 0).parent / "unchanged").read_text() == "yes",
            "no_clip": no_clip() if self.services.policy.allows("fetch bases") else "",
            "others": self.others(sheet, ranks[0].column) if ranks else (),
            "again": view.link(),
            "in_full": in_full.link() if sheet.provenance.draft else "",
        }

    def unsafe(self, sheet: JudgedComparison) -> Sequence[str]:
        """Return the names of LoRAs that are not rated safe."""
        records = [(lora, self.services.lookup.find_record(lora.ref)) for lora in sheet.provenance.loras]
        return [
            format.visible(lora.title or str(lora.ref))
            for lora, record in records
            if record is None or not within(record.nsfw, "safe")
        ]

    def others(self, sheet: JudgedComparison, column: int) -> Sequence[Ref]:
        """Return the LoRAs of the library that are only in other columns' images."""
        if not self.services.policy.allows("change library"):
            return ()
        keep, refs = sheet.loras(column), {lora.ref for lora in sheet.provenance.loras}
        return [entry.ref for entry in self.services.library.entries() if keep and entry.ref in refs - keep]


def ranking_lines(sheet: JudgedComparison) -> Sequence[str]:
    """Return the ranking as lines for the proof, in English like its other labels."""
    if not sheet.votes:
        return ()
    names = [format.visible(name) for name in sheet.comparison.columns]
    lines = [
        f"{place}. {names[rank.column]}: wins {rank.wins:.0%} ({rank.low:.0%} to {rank.high:.0%})"
        for place, rank in enumerate(sheet.ranks(), 1)
    ]
    return (f"Ranking of {len(sheet.votes)} blind choices", *lines)
