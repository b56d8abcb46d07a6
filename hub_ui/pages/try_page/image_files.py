"""Generated images on the page: each is a file on this server, with its metadata."""

import base64
import io
import tempfile
from pathlib import Path

from gradio.processing_utils import save_file_to_cache, save_pil_to_cache
from PIL.Image import Image

from hub_ui import format
from hub_ui.generate import comparison
from hub_ui.generate.result import GenerationResult
from hub_ui.images import png_metadata
from hub_ui.web.images import address
from hub_ui.widgets.result import Result, Tile

LONGEST_SHOWN = 200


def result_of(result: GenerationResult, cache: str) -> Result:
    """Every saved image has its provenance. `cache` is Gradio's folder of served files."""
    folder = Path(tempfile.mkdtemp(dir=cache))
    # Once for all images, because it reads each LoRA's whole file.
    hashes = png_metadata.lora_hashes(result)
    report, last = result.report, len(result.images) - 1
    files = [folder / f"hub-ui-{report.seed}-{number}.png" for number in range(1, len(result.images) + 1)]
    for index, file in enumerate(files):
        png_metadata.save(result, index, file, hashes)
    sheet = folder / f"hub-ui-{report.seed}-sheet.png"
    png_metadata.save_comparison(result, png_metadata.contact(result), sheet, hashes)
    varied, places = (
        comparison.find_swept_lora(result.request, result.comparison),
        comparison.lora_slices(result.request),
    )
    return Result(
        kind=result.comparison.kind,
        refs=tuple(str(result.request.adapters[place.start].ref) for place in places),
        tiles=tuple(
            Tile(src=address(file), label=cell.label, weight=cell.weights[places[varied].start] if places else 0.0)
            for file, cell in zip(files, result.comparison.cells, strict=True)
        ),
        right=last,
        width=result.images[last].image.width,
        height=result.images[last].image.height,
        proof=" · ".join(coverage.sentence() for coverage in report.coverage) or "no LoRA",
        whole=all(coverage.whole for coverage in report.coverage),
        detail=details(result),
        varied=varied,
        title=comparison.sweep_title(result.request, varied) if result.comparison.kind in ("strip", "grid") else "",
        rows=result.comparison.rows,
        columns=result.comparison.columns,
        missed=tuple(missed for coverage in report.coverage for missed in coverage.missed),
        notes=report.notes,
        control=save_image(report.control, cache) if report.control is not None else "",
        saves=(
            ("save PNG", address(files[-1]), files[-1].name),
            ("save comparison", address(sheet), sheet.name),
        ),
        settings=png_metadata.infotext_of(result, last, hashes),
    )


def details(result: GenerationResult) -> str:
    report = result.report
    seconds = [picture.seconds for picture in result.images if picture.seconds]
    each = f"{sum(seconds) / len(seconds):.1f} s an image" if seconds else "from the cache"
    # The settings for copying have all of it.
    prompt = format.visible(result.comparison.cells[-1].prompt)
    prompt = prompt if len(prompt) <= LONGEST_SHOWN else f"{prompt[: LONGEST_SHOWN - 1]}…"
    return (
        f"· {report.switch_seconds:.2f} s to switch · {each} · seed {report.seed} "
        f"· {report.base} on {report.device} · prompt: {prompt}"
    )


def data_url(image: Image) -> str:
    """A data URL: a latent preview needs no file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def save_image(image: Image, cache: str) -> str:
    """Returns its address; the page serves the files of its folder (see web/images.py)."""
    return address(Path(save_pil_to_cache(image, cache, format="png")))


def copy_image(path: Path, cache: str) -> str:
    """The address of a copy in the page's folder, named by a hash of its bytes."""
    return address(Path(save_file_to_cache(path, cache)))
