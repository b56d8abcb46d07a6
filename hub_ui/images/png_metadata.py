"""Write and read provenance and infotext in image and video files.

A1111, ComfyUI and CivitAI read the text chunk `parameters` of a PNG; the chunk `hub-ui` has the whole provenance as
JSON. A video is a lossless animated PNG with the same chunks. A WebP has both texts in its EXIF, and an MP4 in its
comment, as ComfyUI's VideoHelperSuite writes it. A contact sheet has the settings of the whole comparison, and the
votes on its columns.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from connectors.errors import BadRef, UsageError
from connectors.http.json_fields import table
from hub_ui.base.i18n import _
from hub_ui.base.image_files import open_image
from hub_ui.generate import base_models, samplers
from hub_ui.generate.base_models.table import precision_name
from hub_ui.generate.prompt_weights import escape_prompt
from hub_ui.generate.request import GenerationRequest, LoraInput
from hub_ui.generate.result import GeneratedImage, GenerationReport, GenerationResult, write_mp4
from hub_ui.generate.try_fields import TRY_FIELDS
from hub_ui.images import contact_sheet
from hub_ui.images import infotext as a1111
from hub_ui.images.graphs import read_graph
from hub_ui.images.infotext import Infotext, load_json
from hub_ui.images.provenance import OF_LORA, Provenance, Tiles, from_json, library_versions, sha256_of, to_json

KEY = "hub-ui"
# The text chunk that most viewers and CivitAI show.
_INFOTEXT = "parameters"
_FRAMES_A_SECOND = 16
_WEBP_QUALITY = 90
_MOST_BOXES, _MOST_OF_A_BOX = 1000, 16_000_000
_USER_COMMENT, _EXIF = 0x9286, 0x8769
_COMFYUI_TAGS = range(0x010E, 0x0111)
_FORMATS = ("PNG", "JPEG", "WEBP", "MPO")
NO_METADATA = "does not say what it was made from: hub-ui did not make it, or it was re-saved."


def save(result: GenerationResult, cell: int, path: Path | BinaryIO, *, suffix: str = ".png") -> None:
    """Write one image of the comparison as PNG or as WebP (smaller, but lossy), or a video as MP4.

    Raises UsageError for an MP4 of a single image, and if PyAV is not installed.
    """
    picture = result.images[cell]
    texts = _chunks(result, cell)
    how: dict[str, Any] = {"format": "PNG", "pnginfo": _info(texts)}
    if suffix == ".webp":
        how = {"format": "WEBP", "exif": _exif(texts), "quality": _WEBP_QUALITY}
    first, *others = picture.frames or (picture.image,)
    choice = base_models.base_by_id(result.report.base_id)
    rate = choice.video.fps if choice and choice.video else _FRAMES_A_SECOND
    if suffix == ".mp4":
        write_mp4(picture.frames, rate, json.dumps(texts), path)
        return
    if others:
        how |= {"save_all": True, "append_images": others, "duration": 1000 // rate, "loop": 0}
    first.save(path, **how)


def save_comparison(result: GenerationResult, path: Path | BinaryIO) -> None:
    """Write the contact sheet of a comparison, with the settings that reproduce it."""
    image, tiles = contact_sheet.contact(result)
    contact_sheet.save(image, path, _info(_chunks(result, None, tiles)))


def save_whole(result: GenerationResult, path: Path | BinaryIO, *, suffix: str = ".png") -> None:
    """Write the image of a result, or the contact sheet if the result has several images."""
    if len(result.images) == 1:
        save(result, 0, path, suffix=suffix)
    else:
        save_comparison(result, path)


def add_votes(sheet: Path, votes: str, ranking: Sequence[str], path: Path | BinaryIO) -> None:
    """Copy the contact sheet `sheet` to `path`, with the votes on its columns, and the ranking as lines below it.

    Raises UsageError if the file is not a contact sheet.
    """
    tiles = read(sheet).tiles
    if tiles is None:
        raise UsageError(_(contact_sheet.NO_SHEET).format(name=sheet.name))
    image = contact_sheet.open_sheet(sheet)
    said = json.dumps({**json.loads(image.info[KEY]), "votes": votes})
    info = _info({KEY: said, _INFOTEXT: str(image.info.get(_INFOTEXT, ""))})
    contact_sheet.save(contact_sheet.with_ranking(image, tiles, ranking), path, info)


def infotext_of(result: GenerationResult, at: int) -> str:
    """Return the infotext of the image at this position."""
    report, cell, adapters = result.report, result.comparison.cells[at], result.request.adapters
    weights = cell.weights
    names = [a1111.name_of(adapter.path.stem or adapter.title) for adapter in adapters]
    on = [i for i, weight in enumerate(weights) if weight]
    hashes = [a1111.autov3(adapter.path) for adapter in adapters]
    # Escape brackets in a plain prompt, because other programs would read them as emphasis.
    prompt, negative = (
        text if result.request.emphasis else escape_prompt(text) for text in (cell.prompt, result.request.negative)
    )
    clip_weights = [weight * adapter.text_encoder_scale for weight, adapter in zip(weights, adapters, strict=True)]
    tags = (a1111.tag(names[i], weights[i], clip_weights[i], adapters[i].block_weights) for i in on)
    prompt = " ".join([prompt, *tags])
    resources = [
        {"type": "lora", "weight": weights[i], "modelVersionId": int(ref.version)}
        for i in on
        if (ref := adapters[i].ref).hub == "civitai" and ref.version
    ]
    sampler, schedule = samplers.parts(report.sampler)
    fields = {
        "Steps": str(report.steps or ""),
        "Sampler": sampler,
        "Schedule type": schedule,
        "CFG scale": f"{report.guidance:g}" if report.guidance or report.place == "local" else None,
        "Seed": str(report.seed if cell.seed is None else cell.seed),
        "Size": f"{report.width}x{report.height}",
        # A local base is named by its folder alone, because images are shared and paths are private.
        "Model": Path(report.base).name if Path(report.base).is_absolute() else report.base,
        "Denoising strength": f"{result.request.strength:g}" if result.request.image else None,
        # A quantised network generates a different image.
        "Precision": report.precision if report.precision != "full" else None,
        "Attention": report.attention,
        "Quality": "draft" if report.draft is not None else None,
        a1111.LORA_HASHES: ", ".join(f"{names[i]}: {hashes[i]}" for i in on if hashes[i]),
        a1111.RESOURCES: json.dumps(resources, separators=(",", ":")) if resources else None,
        "Version": f"hub-ui {library_versions().get('hub-ui', '')}".strip(),
    }
    for row in TRY_FIELDS:
        value = getattr(result.request, row.attribute, row.default)
        if row.infotext and {*fields, "Negative prompt"}.isdisjoint(row.infotext) and value != row.default:
            fields[row.infotext[0]] = row.write(value)
    return a1111.write(
        Infotext(
            prompt=prompt.strip(),
            negative=negative,
            fields={name: value for name, value in fields.items() if value},
        )
    )


def _chunks(result: GenerationResult, cell: int | None, tiles: Tiles | None = None) -> dict[str, str]:
    where = {"tiles": msgspec.to_builtins(tiles)} if tiles else {}
    text = infotext_of(result, len(result.comparison.cells) - 1 if cell is None else cell)
    # A prompt from a command line can contain a lone surrogate, which UTF-8 can't encode.
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return {KEY: json.dumps({**to_json(result, cell), **where}), _INFOTEXT: whole}


def _info(texts: Mapping[str, str]) -> PngInfo:
    info = PngInfo()
    info.add_itxt(KEY, texts[KEY])
    # Like A1111, write a plain text chunk if Latin-1 is enough, for readers without iTXt.
    info.add_text(_INFOTEXT, texts[_INFOTEXT])
    return info


def _exif(texts: Mapping[str, str]) -> Image.Exif:
    """Return the EXIF that A1111 and ComfyUI write into a WebP."""
    exif = Image.Exif()
    exif[_COMFYUI_TAGS[1]] = f"{KEY}:{texts[KEY]}"
    exif.get_ifd(_EXIF)[_USER_COMMENT] = b"UNICODE\0" + texts[_INFOTEXT].encode("utf-16-be")
    return exif


def read(path: Path) -> Provenance:
    """Return the provenance in a file of hub-ui. Raises UsageError if the file has none."""
    found = read_any(path)
    if isinstance(found, Infotext):
        raise UsageError(_("{name} {no_metadata}").format(name=path.name, no_metadata=NO_METADATA))
    return found


def read_any(path: Path) -> Provenance | Infotext:
    """Return the provenance, or else the infotext of another program. Raises UsageError if the file has neither."""
    texts = _texts(path)
    if KEY in texts:
        try:
            return from_json(json.loads(texts[KEY]))
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, BadRef, RecursionError) as error:
            raise UsageError(
                _("What {name} says about itself can't be read ({error}).").format(name=path.name, error=error)
            ) from error
    infotext = a1111.read(texts.get(_INFOTEXT, ""))
    # Some nodes of ComfyUI write both. Prefer A1111's format, because it also has hashes.
    is_whole = "Steps" in infotext.fields and not infotext.prompt.startswith("{")
    graph = None if is_whole else read_graph(texts)
    if graph is not None or infotext.fields:
        found = graph or infotext
        # Their JSON may contain lone surrogates, which neither a page nor a file can hold.
        return Infotext(
            prompt=_whole_characters(found.prompt),
            negative=_whole_characters(found.negative),
            fields={_whole_characters(name): _whole_characters(text) for name, text in found.fields.items()},
        )
    if "workflow" in texts or "prompt" in texts:
        text = _(
            "{name} holds a graph of ComfyUI in which no sampler is found. Save it in ComfyUI with a node that writes "
            "A1111's parameters, or type its prompt and numbers in."
        )
        raise UsageError(text.format(name=path.name))
    raise UsageError(_("{name} {no_metadata}").format(name=path.name, no_metadata=NO_METADATA))


def _whole_characters(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _texts(path: Path) -> dict[str, str]:
    """Return the text chunks of a PNG, A1111's texts of other images, or ComfyUI's texts of an MP4."""
    with suppress(OSError), path.open("rb") as file:
        if file.read(8)[4:] == b"ftyp":
            return _mp4_texts(file)
    try:
        with open_image(path, formats=_FORMATS) as image:
            # Our chunk precedes the pixels, so the pixels need not be decoded.
            if isinstance(image.info.get(KEY), str):
                return {KEY: image.info[KEY]}
            image.load()
            texts = {key: value for key, value in image.info.items() if isinstance(key, str)}
            exif = image.getexif()
            comment = exif.get_ifd(_EXIF).get(_USER_COMMENT)
            # ComfyUI writes its texts into the camera tags of a WebP: "prompt:{...}".
            named = [str(exif[number]).partition(":") for number in _COMFYUI_TAGS if number in exif]
    except ValueError as error:
        raise UsageError(
            _("{name} can't be read as an image. Give a PNG, JPEG or WebP.").format(name=path.name)
        ) from error
    found = {key: str(value) for key, value in texts.items() if isinstance(value, str)}
    found |= {key.lower(): text for key, _, text in named if key.lower() in ("prompt", "workflow", KEY)}
    if isinstance(comment, bytes):
        # The first eight bytes name the encoding. A1111 writes UTF-16 with the big end first, other programs with the
        # little end first: without "Steps:" the text was decoded in the wrong order.
        text = comment.removeprefix(b"ASCII\x00\x00\x00").decode("utf-8", "replace")
        if comment.startswith(b"UNICODE\x00"):
            text = comment[8:].decode("utf-16-be", "replace")
            text = text if "Steps:" in text else comment[8:].decode("utf-16-le", "replace")
        found.setdefault(_INFOTEXT, text)
    return found


def _mp4_texts(file: BinaryIO) -> dict[str, str]:
    """Return the tags of an MP4 by ComfyUI's names. VideoHelperSuite stores the tags as JSON in the comment."""
    moov = dict(_boxes(_moov(file)))
    meta = dict(_boxes(dict(_boxes(moov.get(b"udta", b""))).get(b"meta", moov.get(b"meta", b""))[4:]))
    names = [name.decode("utf-8", "replace") for _kind, name in _boxes(meta.get(b"keys", b"")[8:])]
    found = dict[str, str]()
    for kind, tag in _boxes(meta.get(b"ilst", b"")):
        # The kind of a tag is a name of four letters, or the position of its name in a list.
        place = int.from_bytes(kind)
        name = "comment" if kind == b"\xa9cmt" else names[place - 1] if 0 < place <= len(names) else ""
        found[name] = dict(_boxes(tag)).get(b"data", b"")[8:].decode("utf-8", "replace")
    comment = found.pop("comment", "")
    said = table(load_json(comment)) or {_INFOTEXT: comment}
    return {name: each if isinstance(each, str) else json.dumps(each) for name, each in {**said, **found}.items()}


def _moov(file: BinaryIO) -> bytes:
    """Return the box of an MP4 that describes all other boxes."""
    file.seek(0)
    for _box in range(_MOST_BOXES):
        head = file.read(8)
        size = int.from_bytes(head[:4]) - 8
        if head[4:] == b"moov":
            return file.read(max(0, min(size, _MOST_OF_A_BOX)))
        # A size of 1 means that the real size follows in 64 bits.
        size = int.from_bytes(file.read(8)) - 16 if size == -7 else size
        if not 0 <= size < 2**40:
            break
        file.seek(size, os.SEEK_CUR)
    return b""


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and the content of each box in a box."""
    at = 0
    while at + 8 <= len(data):
        size = max(8, int.from_bytes(data[at : at + 4]))
        yield data[at + 4 : at + 8], data[at + 8 : at + size]
        at += size


def restore(provenances: Sequence[Provenance], images: Sequence[GeneratedImage]) -> GenerationResult | None:
    """Rebuild the result from all of its saved images, or return None. The LoRAs' files need not exist."""
    first = provenances[0]
    if first.sheet is None or first.report is None or len(provenances) != len(first.sheet.cells):
        return None
    loras = {
        lora.ref: LoraInput(
            ref=lora.ref,
            path=Path(),
            weight=lora.full_weight,
            sha256=lora.sha256,
            **{name: getattr(lora, name) for name in OF_LORA},
        )
        for lora in first.loras
    }
    original = replace(first, prompt=first.typed, use_trigger_words=first.typed_with_words)
    # The path of the input image is unknown now, but the request must have one.
    image = Path(first.image.name) if first.image else None
    request = replace(original.job(lambda ref, _: loras[ref], image=image), precision=None)
    return GenerationResult(request=request, comparison=first.sheet, images=tuple(images), report=first.report)


def differences(provenance: Provenance, request: GenerationRequest, report: GenerationReport) -> tuple[str, ...]:
    """Return sentences on why a repeated image may differ from the original with this provenance."""
    before, here = provenance.report, library_versions() if report.place == "local" else {}
    found = list(_other_bytes(provenance, request, report))
    if before and before.base_revision and report.base_revision and before.base_revision != report.base_revision:
        found.append(
            f"It was made with another revision of {before.base}: {before.base_revision}; here is "
            f"{report.base_revision}."
        )
    if before and before.place == report.place == "local" and before.precision != report.precision:
        then, now = precision_name(before.precision), precision_name(report.precision)
        found.append(f"It was made with {before.base} in {then}, and this one in {now}.")
    if before and before.draft != report.draft:
        found.append(f"It was made {_quality(before.draft)}, and this one {_quality(report.draft)}.")
    others = [name for name, version in provenance.libraries.items() if here.get(name, version) != version]
    if others:
        then, now = (
            ", ".join(f"{name} {versions[name]}" for name in others) for versions in (provenance.libraries, here)
        )
        found.append(f"It was made with {then}; here is {now}.")
    if before and before.device != report.device:
        found.append(f"It was made on another device, {before.device}; pixels can differ a little on {report.device}.")
    return (*found, *_rounding(provenance, report))


def _quality(draft: Sequence[str] | None) -> str:
    return "in full" if draft is None else " with ".join(["as a draft", *filter(None, [" and ".join(draft)])])


def _other_bytes(provenance: Provenance, request: GenerationRequest, report: GenerationReport) -> Iterator[str]:
    """Yield sentences on files that have changed, or whose hash the image does not contain."""
    before = provenance.report
    is_local = report.place == "local" and (before is None or before.place == "local")
    files = [
        (f"“{adapter.title}”", lora.sha256, adapter.sha256 or sha256_of(adapter.path))
        for lora, adapter in zip(provenance.loras, request.adapters, strict=False)
    ]
    if before is not None:
        files.append((before.base, before.base_sha256, report.base_sha256))
    for name, then, now in files:
        if then and now != then:
            yield f"{name} has other bytes today than when this image was made: expect other pixels."
        elif is_local and now and not then:
            yield f"The image does not say which bytes {name} had when it was made; they may be others today."


def _rounding(provenance: Provenance, report: GenerationReport) -> Iterator[str]:
    """Yield sentences on computations that round differently, so that the last bits differ."""
    before, sheet = provenance.report, provenance.sheet
    is_cell = provenance.cell is not None and sheet is not None and len(sheet.cells) > 1
    if is_cell and (before is None or before.rows != 1):
        # Measured: one pixel in 10,000 by one shade of 256.
        yield "It was generated in one batch with others; alone, a pixel may differ by a shade."
    if before is None or before.place != "local" or report.place != "local":
        return
    if not before.dtype:
        yield "An older hub-ui made it, which did not note its precision and how LoRAs were applied; pixels can differ."
        return
    if before.dtype != report.dtype:
        yield f"It was computed in {before.dtype}, and here in {report.dtype}: pixels can differ a little."
    if before.attention != report.attention:
        then, now = before.attention or "torch", report.attention or "torch"
        yield f"Its attention was computed by {then}, and here by {now}: pixels can differ."
    if not is_cell and before.rows != report.rows:
        yield (
            f"Images generated at once: up to {before.rows} then, {report.rows} here; a pixel may differ by a shade."
        )
    if not is_cell and before.adapters != report.adapters:
        yield (
            f"Its LoRAs were {before.adapters or 'without effect'}, and here they are "
            f"{report.adapters or 'without effect'}: pixels can differ a little."
        )
