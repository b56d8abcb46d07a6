"""Made pictures as the page shows them: each its own stamped file on this server, with its line of proof."""

from __future__ import annotations

import base64
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gradio.processing_utils import save_file_to_cache, save_pil_to_cache
from PIL.Image import Image

from hub_ui.generate import comparison
from hub_ui.generate.request import GenerationResult
from hub_ui.images import contact_sheet, png_metadata
from hub_ui.web.images import address
from hub_ui.widgets import format
from hub_ui.widgets.result import Result, Tile

LONGEST_SHOWN = 200
Hashes = Sequence[str | None]


def result_of(made: GenerationResult, cache: str) -> Result:
    """Saving any picture of the page keeps how it was made. `cache` is Gradio's folder of served files."""
    folder = Path(tempfile.mkdtemp(dir=cache))
    # Once for all of them: it reads each LoRA's whole file.
    hashes = png_metadata.hashes_of(made)
    files = [_saved(made, index, folder, hashes) for index in range(len(made.pictures))]
    varied, places = comparison.varied(made.job, made.sheet), comparison.places(made.job)
    tiles = tuple(
        Tile(src=address(file), label=cell.label, weight=cell.weights[places[varied].start] if places else 0.0)
        for file, cell in zip(files, made.sheet.cells, strict=True)
    )
    report, last = made.report, len(tiles) - 1
    return Result(
        kind=made.sheet.kind,
        refs=tuple(str(made.job.adapters[place.start].ref) for place in places),
        tiles=tiles,
        right=last,
        width=made.pictures[last].image.width,
        height=made.pictures[last].image.height,
        proof=" · ".join(coverage.sentence() for coverage in report.coverage) or "no LoRA",
        whole=all(coverage.whole for coverage in report.coverage),
        detail=details(made),
        varied=varied,
        title=comparison.title(made.job, varied) if made.sheet.kind in ("strip", "grid") else "",
        rows=made.sheet.rows,
        columns=made.sheet.columns,
        missed=tuple(missed for coverage in report.coverage for missed in coverage.missed),
        notes=report.notes,
        control=served(report.control, cache) if report.control is not None else "",
        saves=_saves(made, files, folder, hashes),
        settings=png_metadata.parameters(made, last, hashes),
    )


def _saved(made: GenerationResult, index: int, folder: Path, hashes: Hashes) -> Path:
    path = folder / f"hub-ui-{made.report.seed}-{index + 1}.png"
    png_metadata.save(made, index, path, hashes)
    return path


def _saves(
    made: GenerationResult, files: Sequence[Path], folder: Path, hashes: Hashes
) -> tuple[tuple[str, str, str], ...]:
    sheet = folder / f"hub-ui-{made.report.seed}-sheet.png"
    png_metadata.save_sheet(made, contact_sheet.contact(made), sheet, hashes)
    return (("save PNG", address(files[-1]), files[-1].name), ("save sheet", address(sheet), sheet.name))


def details(made: GenerationResult) -> str:
    report = made.report
    drawn = [picture.seconds for picture in made.pictures if picture.seconds]
    each = f"{sum(drawn) / len(drawn):.1f} s an image" if drawn else "kept from before"
    # The whole of it is in the settings that can be copied.
    prompt = format.visible(made.sheet.cells[-1].prompt)
    prompt = prompt if len(prompt) <= LONGEST_SHOWN else f"{prompt[: LONGEST_SHOWN - 1]}…"
    return (
        f"· {report.switch_seconds:.2f} s to switch · {each} · seed {report.seed} "
        f"· {report.base} on {report.device} · prompt: {prompt}"
    )


def inline(image: Image) -> str:
    """Within the page: a first look is worth no file on the disk."""
    held = io.BytesIO()
    image.save(held, "PNG")
    return f"data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}"


def served(image: Image, cache: str) -> str:
    """The page serves what lies in its folder (see web/images.py)."""
    return address(Path(save_pil_to_cache(image, cache, format="png")))


def copied(path: Path, cache: str) -> str:
    """A file of this person's own folder, where the page may show it from: under a name made of its bytes."""
    return address(Path(save_file_to_cache(path, cache)))
