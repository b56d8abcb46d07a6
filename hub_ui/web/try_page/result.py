"""Results for the Compare page: each image is saved on this server with its metadata."""

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
    """One image by its address.

    `weight` is the varied LoRA's weight, or None unless the other LoRAs have their own weights. `settings` is the text
    of "copy settings". `clips` are smaller copies of a clip.
    """

    src: str
    label: str
    weight: float | None = None
    settings: str = ""
    clips: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Result:
    """The images of a comparison and how the page shows them.

    The first tile is on the left of the slider; `right` is the position of the tile on the right. A grid has `rows` and
    `columns`. `seconds` is the mean time of the generated images, or None if all came from the cache. `sheet` is the
    address of the contact sheet. `varied` is the position of the varied LoRA among `refs`, `name` its name, and `title`
    also has the others' weights. With `fits`, images of different proportions are not cropped. `request` is the
    request of a pair, and `offered` the weights in the row below a pair. Weights over `most` are unusual for the varied
    LoRA. `view` is the page's view at the start.
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
        """Return the result with another tile on the right of the slider."""
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
        """The row below a pair: each weight with the position of its tile, or None if it is not generated yet."""
        places = {tile.weight: i for i, tile in enumerate(self.tiles) if tile.weight is not None}
        return [(weight, places.get(weight)) for weight in self.offered]

    @property
    def missing(self) -> tuple[float, ...]:
        return tuple(weight for weight, tile in self.slots if tile is None)

    @property
    def usable(self) -> float | None:
        """The weight of the tile on the right, if it differs from the pair's weight."""
        return self.right_tile.weight if self.offered and self.right > 1 else None


# The labels of comparisons (hub_ui/generate/compare/comparison.py).
ALONE = (N_("without"), N_("the base alone"))
WITH = (N_("without {loras}"), N_("with {loras}"))


@dataclass(frozen=True, kw_only=True)
class Original:
    """An image to reproduce. `provenance` is its metadata if hub-ui generated it."""

    tile: Tile
    width: int
    height: int
    provenance: Provenance | None = None

    def cells(self, request: GenerationRequest) -> tuple[Comparison, int]:
        """Return the comparison to generate, and the position of the image in it.

        An image of a pair is generated in the pair again, because it is the same to the bit only then.
        """
        sheet, cell = (self.provenance.sheet, self.provenance.cell) if self.provenance else (None, None)
        is_pair = sheet is not None and len(sheet.cells) == 2 and len(sheet.cells[0].weights) == len(request.adapters)
        if sheet is not None and cell is not None and is_pair:
            return sheet, cell
        return comparison.single(request), 0


def read_original(path: Path, src: str) -> Original:
    """Read an image to reproduce. Raises UsageError if the file is not an image."""
    (width, height), found = read_input(path, "picture")[0].size, None
    with suppress(UsageError):
        found = png_metadata.read_any(path)
    made = found if isinstance(found, Provenance) else None
    return Original(tile=Tile(src=src, label=_("the original")), width=width, height=height, provenance=made)


def result_of(result: GenerationResult, images: GeneratedImages, shown: int | None = None) -> Result:
    """Save the images with their provenance, and return the result. `shown` is the tile on the right, or the last."""
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
    """Return the tiles. `varied` are the positions of the varied LoRA's adapters."""
    own = [adapter.weight for adapter in result.request.adapters]
    tiles = []
    for index, (file, cell) in enumerate(zip(files, result.comparison.cells, strict=True)):
        # Check that the other LoRAs have their own weights.
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
    """Translate a cell's label. The labels in images stay English."""
    if label in ALONE:
        return _(label)
    for form in WITH if kind in ("pair", "strip", "trigger") else ():
        start = form.partition("{")[0]
        if label.startswith(start):
            return _(form).format(loras=label.removeprefix(start))
    return label


def with_weights(shown: Result, made: GenerationResult, images: GeneratedImages) -> Result:
    """Add the images of further weights below a pair."""
    added = result_of(made, images).tiles
    notes = tuple(note for note in made.report.notes if note not in shown.notes)
    return replace(shown, tiles=(*shown.tiles, *added), notes=(*shown.notes, *notes))


def with_original(shown: Result, original: Original, made: GenerationResult) -> Result:
    """Put the original on the left of the repeated image, with notes on possible differences."""
    # If the whole pair was repeated, drop the cell so that no note says the image was generated alone.
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
    """Return a data URL, because a preview of latents needs no file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
