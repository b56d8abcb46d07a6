"""Training of LoRAs on Replicate, from the images and the price to a new version in the catalog."""

import io
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from connectors.errors import HubUiError, UsageError
from connectors.ref import Ref
from connectors.replicate.runs import MOST_UPLOADED, Order, Run, Runs, lora_of, terms_of
from hub_ui.app.services import Services
from hub_ui.base.i18n import _
from hub_ui.base.image_files import TooLarge, open_image
from hub_ui.generate.backends.replicate import format_range, training_price
from hub_ui.generate.request import Step

FORMATS = (".jpg", ".jpeg", ".png", ".webp")
_CAPTION = ".txt"
_LEAST, _MOST_FILES = 2, 2_000
_USUAL = 10
_SMALL_SIDE = 512
_LEAST_SIDE, _MOST_PIXELS = 64, 80_000_000
_LONGEST_CAPTION = 10_000
# The errors that zipfile and its decompressors raise for a damaged or hostile zip.
_UNREADABLE = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, zlib.error, lzma.LZMAError,
    struct.error,
)  # fmt: skip
# The EXIF tag of the GPS position.
_GPS = 0x8825
# Files and folders that operating systems add to folders and zips.
_SYSTEM_FILES = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingSet:
    """The images and captions of a training. `zipped` is the zip to upload.

    `notes` are sentences about files that were left out or may train badly.
    """

    zipped: bytes
    images: int
    captions: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Item:
    """A file of the folder or zip. `name` is for messages; `stem` connects a caption with its image.

    `data` is empty if the suffix is neither an image's nor a caption's.
    """

    name: str
    stem: str
    suffix: str
    data: bytes


def training_set(path: Path, name: str = "") -> TrainingSet:
    """Read the images of a folder or zip, called `name` in errors. Raise UsageError if they can't be trained on."""
    name = name or str(path)
    items = list(_read_folder(path, name) if path.is_dir() else _read_zip(path, name))
    images = [item for item in items if item.suffix in FORMATS]
    texts = {item.stem: item for item in items if item.suffix == _CAPTION}
    if len(images) < _LEAST:
        text = _(
            "{path} holds {n} images; at least {least} are needed, and {usual} or more are better. They may be "
            "{formats}."
        )
        raise UsageError(text.format(path=name, n=len(images), least=_LEAST, usual=_USUAL, formats=", ".join(FORMATS)))
    headers = [_check_image(item) for item in images]
    captions = [texts.get(item.stem) for item in images]
    zipped = _pack(images, captions)
    if len(zipped) >= MOST_UPLOADED:
        text = _("The pictures have {n} MB together; Replicate takes less than 100. Make them smaller.")
        raise UsageError(text.format(n=len(zipped) // 2**20))
    count = sum(caption is not None for caption in captions)
    places = sum(has_place for side, has_place in headers)
    small = sum(side < _SMALL_SIDE for side, has_place in headers)
    left_out = len(items) - len(images) - count
    few = len(images) if len(images) < _USUAL else 0
    notes = (
        (few, _("{n} images are few: {usual} or more train better.")),
        (places, _("Images that say where they were taken: {n}. That goes along; take it out first if it is private.")),
        (small, _("Images smaller than {side} pixels: {n}. They train badly.")),
        (left_out, _("Left out, as they are neither images nor captions of one: {n} files.")),
    )
    shown = tuple(text.format(n=n, usual=_USUAL, side=_SMALL_SIDE) for n, text in notes if n)
    return TrainingSet(zipped=zipped, images=len(images), captions=count, notes=shown)


def _read_folder(folder: Path, name: str) -> Iterator[_Item]:
    """Yield the files directly in a folder. Skip symbolic links, because they may point outside it."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.is_symlink())
    files = [path for path in files if not _is_system_file(path.name)]
    _check_size(name, len(files), sum(path.stat().st_size for path in files if _is_used(path.suffix)))
    for path in files:
        data = path.read_bytes() if _is_used(path.suffix) else b""
        yield _Item(name=path.name, stem=path.stem, suffix=path.suffix.lower(), data=data)


def _read_zip(path: Path, name: str) -> Iterator[_Item]:
    try:
        with zipfile.ZipFile(path) as opened:
            # Don't call is_dir(), which fails for an empty name on Python 3.11.
            files = [info for info in opened.infolist() if not info.filename.endswith("/")]
            members = [info for info in files if not _is_system_file(info.filename)]
            _check_size(name, len(members), sum(info.file_size for info in members))
            for info in members:
                yield _read_member(opened, info, name)
    except FileNotFoundError as error:
        raise UsageError(_("{path}: there is no such folder or zip.").format(path=name)) from error
    except _UNREADABLE as error:
        raise UsageError(_("{path} can't be read as a zip: {error}").format(path=name, error=error)) from error


def _read_member(opened: zipfile.ZipFile, info: zipfile.ZipInfo, zip_name: str) -> _Item:
    name = PurePosixPath(info.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or ":" in info.filename or stat.S_ISLNK(info.external_attr >> 16):
        text = _("{path} is no plain zip of images: “{filename}” leads out of it. Nothing was sent.")
        raise UsageError(text.format(path=zip_name, filename=info.filename[:80]))
    if info.flag_bits & 0x1:
        raise UsageError(_("{path} is locked with a password. Pack the images without one.").format(path=zip_name))
    data = b""
    if _is_used(name.suffix):
        with opened.open(info) as member:
            # Read one byte more, because the member may be larger than its header says.
            data = member.read(info.file_size + 1)
        if len(data) != info.file_size:
            text = _("{path} is damaged: “{filename}” has another size than it says.")
            raise UsageError(text.format(path=zip_name, filename=info.filename[:80]))
    return _Item(name=str(name), stem=str(name.with_suffix("")), suffix=name.suffix.lower(), data=data)


def _check_size(name: str, files: int, size: int) -> None:
    """Raise UsageError if there are too many files or bytes. Call it before the files are read into memory."""
    if files > _MOST_FILES:
        text = _("{path} holds {files} files; train on at most {most_files}.")
        raise UsageError(text.format(path=name, files=files, most_files=_MOST_FILES))
    if size >= MOST_UPLOADED:
        text = _("{path} holds {size} MB; Replicate takes less than 100. Make the pictures smaller.")
        raise UsageError(text.format(path=name, size=size // 2**20))


def _check_image(item: _Item) -> tuple[int, bool]:
    """Return the shorter side in pixels, and whether the image has a GPS position.

    Decode the whole image, because a damaged one would fail only after payment.
    """
    try:
        with open_image(io.BytesIO(item.data), _MOST_PIXELS, formats=None) as image:
            image.load()
            side, has_place = min(image.size), bool(image.getexif().get_ifd(_GPS))
    except TooLarge as error:
        raise UsageError(_("“{name}” has too many pixels. Make it smaller.").format(name=item.name[:80])) from error
    except ValueError as error:
        raise UsageError(
            _("“{name}” can't be read as an image. Take it out, or save it again.").format(name=item.name[:80])
        ) from error
    if side < _LEAST_SIDE:
        raise UsageError(
            _("“{name}” is only {side} pixels wide or high. Take it out.").format(name=item.name[:80], side=side)
        )
    return side, has_place


def _pack(images: Sequence[_Item], captions: Sequence[_Item | None]) -> bytes:
    """Return a zip of the images and captions. Equal images make equal zips.

    Number the files, because the trainer ignores their names and the names may be private.
    """
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as zipped:
        for number, (image, caption) in enumerate(zip(images, captions, strict=True)):
            zipped.writestr(zipfile.ZipInfo(f"{number:04d}{image.suffix}", _DATE), image.data)
            if caption is None:
                continue
            try:
                text = caption.data[:_LONGEST_CAPTION].decode("utf-8-sig").strip()
            except UnicodeDecodeError as error:
                raise UsageError(
                    _("“{name}” is no text in UTF-8. Save it again as one.").format(name=caption.name[:80])
                ) from error
            zipped.writestr(zipfile.ZipInfo(f"{number:04d}{_CAPTION}", _DATE), text)
    return data.getvalue()


def _is_used(suffix: str) -> bool:
    return suffix.lower() in (*FORMATS, _CAPTION)


def _is_system_file(name: str) -> bool:
    return any(part in _SYSTEM_FILES or part.startswith("._") for part in PurePosixPath(name).parts)


def follow_training(services: Services, runs: Runs, run: Run, on_progress: Callable[[Step], None]) -> tuple[Run, Ref]:
    """Wait until the training ends, and add its LoRA to the catalog. Raise HubUiError if it made no LoRA."""
    run = runs.follow(run, on_progress=lambda now: on_progress(step_of(now)))
    lora = lora_of(run)
    ref = lora.versions[0].ref
    # First add the settings of the training, and then the hub's metadata if the hub responds.
    services.catalog.add([lora])
    with suppress(HubUiError):
        services.lookup.get(ref)
    return run, ref


def price(order: Order, images: TrainingSet) -> str:
    """Return a sentence about the images, the expected time and the expected cost of a training."""
    expected = training_price(order.steps)
    minutes, cost = round((expected.seconds or 0) / 60), format_range(expected.low or 0, expected.high or 0)
    text = _(
        "{images} images, {captions} with a caption: {steps} steps at rank {rank} take about {minutes} minutes on "
        "Replicate and cost about {cost}."
    )
    return text.format(
        images=images.images, captions=images.captions, steps=order.steps, rank=order.rank, minutes=minutes, cost=cost
    )


def step_of(run: Run) -> Step:
    if run.status == "starting":
        return Step(stage=_("Waiting for a machine on Replicate"), done=0, total=0)
    total = 0 if run.progress is None else terms_of(run).steps or 0
    return Step(stage=_("Training on Replicate"), done=round((run.progress or 0) * total), total=total)
