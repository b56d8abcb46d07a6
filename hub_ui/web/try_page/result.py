"""A result as the Compare page shows it: each image is a file on this server, with its metadata."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from PIL.Image import Image

from connectors.errors import UsageError
from hub_ui.base.i18n import N_, _
from hub_ui.base.image_files import read_input
from hub_ui.generate.compare import comparison
from hub_ui.generate.compare.comparison import Comparison, ComparisonKind
from hub_ui.generate.request import GenerationRequest
from hub_ui.generate.result import GenerationReport, GenerationResult, clip_suffixes
from hub_ui.images import png_metadata
from hub_ui.images.provenance import Provenance
from hub_ui.web.images import GeneratedImages, address
from hub_ui.web.view import View


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One image by its address. `weight` is the varied LoRA's, where the other LoRAs have theirs; `settings` is for
    "copy settings". `clips` are smaller copies of a clip.
    """

    src: str
    label: str
    weight: float | None = None
    settings: str = ""
    clips: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Result:
    """The first tile is on the left of the slider, `right` numbers the other. A grid has `rows` and `columns`.

    `seconds` is the mean of those that were generated, None where all come from the cache. `sheet` is the address of
    the whole comparison as one image. `varied` is the position of the varied LoRA among `refs`, `name` is its name, and
    `title` names the others' weights too. `fits`: images of other proportions are shown whole. `request` made it;
    `offered` are the weights of a row under a pair. Above `most`, those of the varied LoRA are unusual. `view` is what
    the page said.
    """

    kind: ComparisonKind
    tiles: tuple[Tile, ...]
    width: int
    height: int
    report: GenerationReport
    seconds: float | None = None
    refs: tuple[str, ...] = ()
    right: int = 1
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    control: str = ""
    sheet: str = ""
    varied: int = 0
    title: str = ""
    name: str = ""
    fits: bool = False
    request: GenerationRequest | None = None
    offered: tuple[float, ...] = ()
    most: float = 1.0
    view: View | None = None

    def showing(self, index: int | None) -> Result:
        """With another tile on the right of the slider."""
        return self if index is None or index >= len(self.tiles) else replace(self, right=index)

    @property
    def right_tile(self) -> Tile:
        """The tile on the right, which is saved."""
        return self.tiles[min(self.right, len(self.tiles) - 1)]

    @property
    def is_swept(self) -> bool:
        """Whether its tiles are named by their weights."""
        return self.kind == "strip" or bool(self.offered)

    @property
    def slots(self) -> Sequence[tuple[float, int | None]]:
        """The row under a pair: each weight with its tile, None for one that is not generated yet."""
        places = {tile.weight: i for i, tile in enumerate(self.tiles) if tile.weight is not None}
        return [(weight, places.get(weight)) for weight in self.offered]

    @property
    def missing(self) -> tuple[float, ...]:
        return tuple(weight for weight, tile in self.slots if tile is None)

    @property
    def usable(self) -> float | None:
        """The shown weight, if it is another one than the pair was made with."""
        return self.right_tile.weight if self.offered and self.right > 1 else None


# The labels of comparisons (hub_ui/generate/compare/comparison.py).
ALONE = (N_("without"), N_("the base alone"))
WITH = (N_("without {loras}"), N_("with {loras}"))


@dataclass(frozen=True, kw_only=True)
class Original:
    """An image that is made again: as the page shows it, and what it says about itself if we made it."""

    tile: Tile
    width: int
    height: int
    provenance: Provenance | None = None

    def cells(self, request: GenerationRequest) -> tuple[Comparison, int]:
        """What to generate, and which of it is the image. Half of a pair is the same to the bit only in that pair."""
        sheet, cell = (self.provenance.sheet, self.provenance.cell) if self.provenance else (None, None)
        is_pair = sheet is not None and len(sheet.cells) == 2 and len(sheet.cells[0].weights) == len(request.adapters)
        if sheet is not None and cell is not None and is_pair:
            return sheet, cell
        return comparison.single(request), 0


def read_original(path: Path, src: str) -> Original:
    """Raises UsageError for what is no image."""
    (width, height), found = read_input(path, "picture")[0].size, None
    with suppress(UsageError):
        found = png_metadata.read_any(path)
    made = found if isinstance(found, Provenance) else None
    return Original(tile=Tile(src=src, label=_("the original")), width=width, height=height, provenance=made)


def result_of(result: GenerationResult, images: GeneratedImages, shown: int | None = None) -> Result:
    """Every saved image has its provenance. `shown` is by default the last."""
    folder = images.new()
    report, last = result.report, len(result.images) - 1 if shown is None else shown
    files = [folder / f"hub-ui-{report.seed}-{number}.png" for number in range(1, len(result.images) + 1)]
    for index, file in enumerate(files):
        png_metadata.save(result, index, file)
        for suffix in clip_suffixes() if result.images[index].frames else ():
            png_metadata.save(result, index, file.with_suffix(suffix), suffix=suffix)
    sheet = folder / f"hub-ui-{report.seed}-sheet.png"
    png_metadata.save_comparison(result, sheet)
    places = comparison.lora_slices(result.request)
    varied = comparison.find_swept_lora(result.request, result.comparison)
    is_pair = result.comparison.kind in ("pair", "one")
    seconds = [one.seconds for one in result.images if one.seconds]
    return Result(
        kind=result.comparison.kind,
        refs=tuple(str(result.request.adapters[place.start].ref) for place in places),
        tiles=tiles_of(result, files, places[varied] if places else range(0)),
        right=last,
        width=result.images[last].image.width,
        height=result.images[last].image.height,
        report=replace(report, control=None),
        seconds=sum(seconds) / len(seconds) if seconds else None,
        varied=varied,
        title=comparison.sweep_title(result.request, varied) if places else "",
        name=comparison.swept_name(result.request, varied) if places else "",
        rows=result.comparison.rows,
        columns=result.comparison.columns,
        notes=report.notes,
        control=images.save(report.control) if report.control is not None else "",
        sheet=address(sheet) if len(files) > 1 else "",
        request=replace(result.request, seed=report.seed) if is_pair and report.place == "local" else None,
    )


def tiles_of(result: GenerationResult, files: Sequence[Path], varied: range) -> tuple[Tile, ...]:
    """`varied` are the adapters of the varied LoRA."""
    own = [adapter.weight for adapter in result.request.adapters]
    tiles = []
    for index, (file, cell) in enumerate(zip(files, result.comparison.cells, strict=True)):
        # Only where the other LoRAs have their own weights.
        is_of_one = varied and all(cell.weights[i] == own[i] for i in range(len(own)) if i not in varied)
        tiles.append(
            Tile(
                src=address(file),
                label=cell_label(result.comparison.kind, cell.label),
                weight=cell.weights[varied.start] if is_of_one else None,
                settings=png_metadata.infotext_of(result, index),
                clips=tuple(address(clip) for clip in sorted(file.parent.glob(f"{file.stem}.*")) if clip != file),
            )
        )
    return tuple(tiles)


def cell_label(kind: ComparisonKind, label: str) -> str:
    """A cell's label in the reader's language; images keep it in English."""
    if label in ALONE:
        return _(label)
    for form in WITH if kind in ("pair", "strip", "trigger") else ():
        start = form.partition("{")[0]
        if label.startswith(start):
            return _(form).format(loras=label.removeprefix(start))
    return label


def with_weights(shown: Result, made: GenerationResult, images: GeneratedImages) -> Result:
    """The images of further weights under a pair, which stays as it is."""
    added = result_of(made, images).tiles
    notes = tuple(note for note in made.report.notes if note not in shown.notes)
    return replace(shown, tiles=(*shown.tiles, *added), notes=(*shown.notes, *notes))


def with_original(shown: Result, original: Original, made: GenerationResult) -> Result:
    """The original on the left of the one image that was made, and why they may differ."""
    # In the same comparison, nothing of it was generated alone.
    is_alone = made.comparison.kind == "one"
    before = original.provenance if is_alone or original.provenance is None else replace(original.provenance, cell=None)
    notes = png_metadata.differences(before, made.request, made.report) if before else ()
    size = (original.width, original.height)
    if size != (shown.width, shown.height):
        sizes = _("Yours has {size} pixels, this one {other}.")
        text = sizes.format(size=f"{size[0]} × {size[1]}", other=f"{shown.width} × {shown.height}")
        notes = (text, *notes)
    again = replace(shown.right_tile, label=_("made again"), weight=None)
    return replace(
        shown, kind="one", tiles=(original.tile, again), right=1, fits=True, sheet="", request=None,
        notes=(*notes, *shown.notes),
    )  # fmt: skip


def data_url(image: Image) -> str:
    """A data URL: a latent preview needs no file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
