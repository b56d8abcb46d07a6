"""What a picture was made from, written into its PNG and read back, so that it can be made again.

Two text chunks: `parameters`, which A1111, ComfyUI's savers and CivitAI read (see parameters.py), and our own JSON,
which holds everything (see stamped.py). A clip is saved as an animated PNG: it loses nothing, browsers play it, and it
has the same chunks.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from connectors.errors import BadRef, UsageError
from hub_ui.generate import base_models, samplers
from hub_ui.generate.request import GeneratedImage, GenerationReport, GenerationRequest, GenerationResult, LoraInput
from hub_ui.images import infotext as a1111
from hub_ui.images.infotext import Infotext
from hub_ui.images.provenance import LoraProvenance, Provenance, libraries, parsed, sha256_of, written

KEY = "hub-ui"
# The text chunk most viewers and CivitAI show.
_READABLE = "parameters"
_FRAMES_A_SECOND = 16
_USER_COMMENT, _EXIF = 0x9286, 0x8769
NO_STAMP = "does not say what it was made from: hub-ui did not make it, or it was re-saved."


def save(made: GenerationResult, cell: int, path: Path, hashes: Sequence[str | None] | None = None) -> None:
    """Writes one picture of the sheet as PNG with its stamp. `hashes` is what `hashes_of` said, if it was asked."""
    picture = made.pictures[cell]
    info = _info(made, cell, hashes)
    if not picture.frames:
        picture.image.save(path, format="PNG", pnginfo=info)
        return
    first, *others = picture.frames
    first.save(path, format="PNG", save_all=True, append_images=others, duration=_duration(made), loop=0, pnginfo=info)


def _duration(made: GenerationResult) -> int:
    """Of a frame, in milliseconds."""
    choice = base_models.by_id(made.report.base_id)
    return 1000 // (choice.film.fps if choice and choice.film else _FRAMES_A_SECOND)


def save_sheet(
    made: GenerationResult, image: Image.Image, path: Path, hashes: Sequence[str | None] | None = None
) -> None:
    """Writes the whole sheet, drawn as one picture, with a stamp that makes all of it again."""
    image.save(path, format="PNG", pnginfo=_info(made, None, hashes))


def hashes_of(made: GenerationResult) -> list[str | None]:
    """What A1111 knows each LoRA's file by. Reads the files."""
    return [a1111.autov3(adapter.path) for adapter in made.job.adapters]


def parameters(made: GenerationResult, cell: int, hashes: Sequence[str | None] | None = None) -> str:
    """What A1111 and its kin read."""
    return a1111.write(_parameters(made, cell, hashes_of(made) if hashes is None else hashes))


def read(path: Path) -> Provenance:
    """Raises UsageError when the file holds no stamp of ours."""
    found = look(path)
    if isinstance(found, Infotext):
        raise UsageError(f"{path.name} {NO_STAMP}")
    return found


def look(path: Path) -> Provenance | Infotext:
    """Our stamp, else what another program wrote of how it made the picture."""
    texts = _texts(path)
    ours = texts.get(KEY)
    if ours is None:
        return _others(path, texts)
    try:
        return parsed(json.loads(ours))
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, BadRef, RecursionError) as error:
        raise UsageError(f"What {path.name} says about itself can't be read ({error}).") from error


def changes(stamp: Provenance, job: GenerationRequest, report: GenerationReport) -> tuple[str, ...]:
    """Why a picture made again may differ from the one that says `stamp`, a sentence each."""
    before = stamp.report
    return (
        *_other_files(stamp.loras, job.adapters),
        *_other_base(before, report),
        *_other_libraries(stamp.libraries, libraries() if report.place == "local" else {}),
        *_other_device(before, report),
        *_alone(stamp),
    )


def made(stamps: Sequence[Provenance], images: Sequence[GeneratedImage]) -> GenerationResult | None:
    """What was made, back from the stamped pictures of a whole sheet; its LoRAs' files are not looked for."""
    first = stamps[0]
    if first.sheet is None or first.report is None or len(stamps) != len(first.sheet.cells):
        return None
    asked = replace(first, prompt=first.typed, use_trigger_words=first.typed_with_words)
    loras = {lora.ref: _unplaced(lora) for lora in first.loras}
    job = asked.job(lambda ref, _: loras[ref])
    return GenerationResult(job=job, sheet=first.sheet, pictures=tuple(images), report=first.report)


def _unplaced(lora: LoraProvenance) -> LoraInput:
    return LoraInput(
        ref=lora.ref,
        path=Path(),
        title=lora.title,
        weight=lora.weight if lora.asked is None else lora.asked,
        trigger_words=lora.trigger_words,
        architecture=lora.architecture,
        base_model=lora.base_model,
        sha256=lora.sha256,
    )


def _info(made: GenerationResult, cell: int | None, hashes: Sequence[str | None] | None = None) -> PngInfo:
    info = PngInfo()
    info.add_itxt(KEY, json.dumps(written(made, cell)))
    # As A1111 adds it: Latin-1 where that is enough, which readers of plain text chunks find.
    text = parameters(made, len(made.sheet.cells) - 1 if cell is None else cell, hashes)
    # Half a character, as a command line can hold it, has no bytes.
    info.add_text(_READABLE, text.encode("utf-8", "replace").decode("utf-8"))
    return info


def _parameters(made: GenerationResult, at: int, hashes: Sequence[str | None]) -> Infotext:
    report, cell = made.report, made.sheet.cells[at]
    names = [a1111.name_of(adapter.path.stem or adapter.title) for adapter in made.job.adapters]
    on = [i for i, weight in enumerate(cell.weights) if weight]
    prompt = " ".join([cell.prompt, *(a1111.tag(names[i], cell.weights[i]) for i in on)])
    sampler, schedule = samplers.parts(report.sampler)
    fields = {
        "Steps": str(report.steps or ""),
        "Sampler": sampler,
        "Schedule type": schedule,
        "CFG scale": f"{report.guidance:g}" if report.guidance or report.place == "local" else None,
        "Seed": str(report.seed),
        "Size": f"{report.width}x{report.height}",
        # A folder's name, and not where it lies on this disk: pictures get shared.
        "Model": Path(report.base).name if Path(report.base).is_absolute() else report.base,
        a1111.LORA_HASHES: ", ".join(f"{names[i]}: {hashes[i]}" for i in on if hashes[i]),
        a1111.RESOURCES: _resources(made.job.adapters, cell.weights),
        "Version": f"hub-ui {libraries().get('hub-ui', '')}".strip(),
    }
    return Infotext(
        prompt=prompt.strip(), negative=made.job.negative, fields={k: v for k, v in fields.items() if v}
    )  # fmt: skip


def _resources(adapters: Sequence[LoraInput], weights: Sequence[float]) -> str:
    """CivitAI's own list of what a picture was made with, of the LoRAs that are from there."""
    listed = [
        {"type": "lora", "weight": weight, "modelVersionId": int(adapter.ref.version)}
        for adapter, weight in zip(adapters, weights, strict=True)
        if weight and adapter.ref.hub == "civitai" and adapter.ref.version
    ]
    return json.dumps(listed, separators=(",", ":")) if listed else ""


def _texts(path: Path) -> dict[str, str]:
    """The text chunks of a PNG; of other pictures, what A1111 writes in their place."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                # Ours stands before the pixels, which are large and may then stay unread.
                if isinstance(image.info.get(KEY), str):
                    return {KEY: image.info[KEY]}
                image.load()
                texts = {key: value for key, value in image.info.items() if isinstance(key, str)}
                comment = image.getexif().get_ifd(_EXIF).get(_USER_COMMENT)
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, *_BOMBS) as error:
        raise UsageError(f"{path.name} can't be read as a picture.") from error
    found = {key: str(value) for key, value in texts.items() if isinstance(value, str)}
    if isinstance(comment, bytes):
        found.setdefault(_READABLE, _comment(comment))
    return found


_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def _comment(data: bytes) -> str:
    """EXIF names the encoding in eight bytes; A1111 writes UTF-16, its high byte first."""
    if data.startswith(b"UNICODE\x00"):
        text = data[8:].decode("utf-16-be", "replace")
        # Others write it the other way round, in which Latin letters are found in the wrong half.
        return text if "Steps:" in text else data[8:].decode("utf-16-le", "replace")
    return data.removeprefix(b"ASCII\x00\x00\x00").decode("utf-8", "replace")


def _others(path: Path, texts: Mapping[str, str]) -> Infotext:
    found = a1111.read(texts.get(_READABLE, ""))
    if found.fields:
        return found
    if "workflow" in texts or "prompt" in texts:
        raise UsageError(
            f"{path.name} holds a graph of ComfyUI, which is not read here. Save it in ComfyUI with a node that writes "
            "A1111's parameters, or type its prompt and numbers in."
        )
    raise UsageError(f"{path.name} {NO_STAMP}")


def _other_files(before: Sequence[LoraProvenance], now: Sequence[LoraInput]) -> list[str]:
    return [
        f"“{adapter.title}” is not the file that the picture was made with: its bytes are others."
        for lora, adapter in zip(before, now, strict=False)
        if lora.sha256 and (adapter.sha256 or sha256_of(adapter.path)) != lora.sha256
    ]


def _other_base(before: GenerationReport | None, now: GenerationReport) -> list[str]:
    if before is None or None in (before.base_revision, now.base_revision):
        return []
    if before.base_revision == now.base_revision:
        return []
    return [f"It was made with another revision of {before.base}: {before.base_revision}; here is {now.base_revision}."]


def _other_libraries(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    changed = [(name, before[name], now[name]) for name in before if name in now and before[name] != now[name]]
    if not changed:
        return []
    then = ", ".join(f"{name} {old}" for name, old, _ in changed)
    return [f"It was made with {then}; here is {', '.join(f'{name} {new}' for name, _, new in changed)}."]


def _other_device(before: GenerationReport | None, now: GenerationReport) -> list[str]:
    if before is None or before.device == now.device:
        return []
    return [f"It was made on another device, {before.device}; pixels can differ a little on {now.device}."]


def _alone(stamp: Provenance) -> list[str]:
    """Cells are drawn in batches, whose sums round differently: measured, one pixel in 10,000 by one shade of 256."""
    if stamp.cell is None or stamp.sheet is None or len(stamp.sheet.cells) == 1:
        return []
    return ["It was drawn together with others of a sheet; drawn alone, a pixel may differ by a shade."]
