"""Export the library for other programs: sidecars for AUTOMATIC1111, Forge and ComfyUI's LoRA Manager.

Files of other programs are not overwritten, unless `force` is set.
"""

import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from connectors.claims import base_models
from connectors.claims.content import content_tags
from connectors.errors import BadAnswer
from connectors.http.adapter import Destinations
from connectors.http.ranges import fetch_file
from connectors.record import Example, Lora, Nsfw, within
from hub_ui.base.disk import replace_file
from hub_ui.base.format import clean
from hub_ui.base.image_files import open_image, plain
from hub_ui.library.file_names import without_suffix
from hub_ui.library.lockfile import Entry

# Maps the path of every exported file (see _key) to its SHA-256. A file with another hash was changed by another
# program.
_LISTING = Path(".hub-ui") / "exported.json"
SUFFIXES = (".json", ".metadata.json", ".png")
_IMAGES = tuple(
    dot + suffix for suffix in ("png", "jpg", "jpeg", "webp", "gif", "mp4", "webm") for dot in (".", ".preview.")
)

# "kept": another program's file was left alone. "merged": missing values were added to another program's file.
ExportState = Literal["written", "same", "kept", "merged"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sidecar:
    """A file next to a weight file: `suffix` replaces ".safetensors".

    With `facts`, it is a JSON object that the other program rewrites. Only these keys are overwritten, other values are
    kept. An object with another `sha256` is left alone.
    """

    entry: Entry
    suffix: str
    data: bytes = field(repr=False)
    facts: frozenset[str] = frozenset()

    @property
    def file(self) -> str:
        return without_suffix(self.entry.file) + self.suffix


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportResult:
    path: Path
    state: ExportState
    entry: Entry | None = None


class Exporter:
    """An exporter of sidecars to `target`, which lists them in the library `folder`. `force` overwrites any file."""

    def __init__(self, folder: Path, target: Path, *, force: bool = False) -> None:
        self._folder = folder
        self._target = target
        self._force = force
        self._ours = _read(folder)

    def write(self, sidecars: Iterable[Sidecar]) -> list[ExportResult]:
        results = []
        for sidecar in sidecars:
            path = self._target / sidecar.file
            # A person's own image, under any name that the programs look for, must stay the only one.
            names = (path.with_name(path.stem + suffix) for suffix in _IMAGES if suffix != ".png")
            other = next((name for name in names if os.path.exists(name)), None)
            if other is not None and sidecar.suffix == ".png" and not self._force:
                results.append(ExportResult(path=other, state="kept", entry=sidecar.entry))
                continue
            state = self._put(path, sidecar.data, sidecar.facts)
            results.append(ExportResult(path=path, state=state, entry=sidecar.entry))
        self._save()
        return results

    def write_file(self, name: str, data: bytes) -> ExportResult:
        path = self._target / name
        state = self._put(path, data)
        self._save()
        return ExportResult(path=path, state=state)

    def _put(self, path: Path, data: bytes, facts: frozenset[str] = frozenset()) -> ExportState:
        present = _hash(path.read_bytes()) if path.is_file() else None
        if present == _hash(data):
            self._ours[_key(self._folder, path)] = present
            return "same"
        if present is not None and not self._force and self._ours.get(_key(self._folder, path)) != present:
            # The file was not exported by us, so it is neither overwritten nor removed later.
            theirs, ours = (_object(path.read_bytes()), _object(data)) if facts else (None, None)
            if theirs is None or ours is None or theirs.get("sha256") != ours.get("sha256"):
                return "kept"
            merged = {**_fill_in(theirs, ours), **{key: ours[key] for key in facts if key in ours}}
            if merged == theirs:
                return "same"
            replace_file(path, as_json(merged))
            return "merged"
        replace_file(path, data)
        self._ours[_key(self._folder, path)] = _hash(data)
        return "written"

    def _save(self) -> None:
        # The library may be read-only. Files that are not listed are only overwritten with --force.
        with suppress(OSError):
            _write(self._folder, self._ours)


def _fill_in(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """Return `theirs` with missing and empty values filled in from `ours`, recursively."""
    filled = dict(theirs)
    for key, value in ours.items():
        current = theirs.get(key)
        if isinstance(current, dict) and isinstance(value, dict):
            filled[key] = _fill_in(current, value)
        # False and 0 are values, not missing.
        elif current in (None, "", [], {}):
            filled[key] = value
    return filled


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def find_unchanged(folder: Path, entries: Iterable[Entry]) -> tuple[Path, ...]:
    """Return our sidecars of these entries that no other program has changed."""
    ours = _read(folder)
    if not ours:
        return ()
    sidecars = (folder / (without_suffix(entry.file) + suffix) for entry in entries for suffix in SUFFIXES)
    return tuple(
        file for file in sidecars if file.is_file() and _hash(file.read_bytes()) == ours.get(_key(folder, file))
    )


def relist(folder: Path, moves: Iterable[tuple[str, str]]) -> None:
    """Update the list of exported files after files were moved. `moves` are old and new paths below `folder`."""
    ours = _read(folder)
    places = {old: new for old, new in moves if old in ours}
    if places:
        kept = {key: value for key, value in ours.items() if key not in places}
        _write(folder, {**kept, **{new: ours[old] for old, new in places.items()}})


def as_json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def _read(folder: Path) -> dict[str, str]:
    """Read the list of exported files. It is empty if missing or damaged, so that no file is overwritten."""
    try:
        found = _object((folder / _LISTING).read_bytes()) or {}
    except OSError:
        return {}
    # Earlier versions wrote absolute paths for all files.
    return {_key(folder, folder / key): str(value) for key, value in found.items()}


def _write(folder: Path, ours: Mapping[str, str]) -> None:
    replace_file(folder / _LISTING, json.dumps(ours, indent=1, sort_keys=True).encode())


def _key(folder: Path, path: Path) -> str:
    """Return the path relative to the library folder, which may be moved, or the absolute path of other files."""
    top, whole = Path(os.path.abspath(folder)), Path(os.path.abspath(path))
    return whole.relative_to(top).as_posix() if whole.is_relative_to(top) else str(whole)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# The choices in the programs' menus; "Flux" is Forge's. All other models are "Unknown".
_SD_VERSIONS: Mapping[str, str] = {"flux1": "Flux", "sd1": "SD1", "sd2": "SD2", "sd3": "SD3", "sdxl": "SDXL"}
# ComfyUI-Lora-Manager's levels, 0 for unknown.
_LEVELS: Mapping[Nsfw | None, int] = {None: 0, "safe": 1, "soft": 2, "mature": 4, "explicit": 8}
# Facts about the file, which are the same in every program.
_FACTS = frozenset({"file_name", "file_path", "size", "modified", "sha256"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """An entry, its file, and its LoRA if the hub or the catalog has it. `image` is a PNG."""

    entry: Entry
    path: Path
    lora: Lora | None = None
    example: Example | None = None
    image: bytes | None = None


def a1111(subject: Subject) -> list[Sidecar]:
    """Return `NAME.json`, the "user metadata" of AUTOMATIC1111's extensions-builtin/Lora, and `NAME.png`."""
    entry, creator = subject.entry, subject.lora.creator if subject.lora else None
    by = f", by {creator}" if creator else ""
    base = base_models.label(entry.base_model) if entry.base_model else "an unknown base model"
    values: dict[str, Any] = {
        # AUTOMATIC1111 shows this as HTML, so the only hub texts in it are the two names, without < and >.
        "description": _plain(f"{entry.title}{by}, for {base}"),
        "sd version": _SD_VERSIONS.get(entry.architecture or "", "Unknown"),
        "activation text": ", ".join(entry.trigger_words),
        # 0 selects the program's default.
        "preferred weight": 0.0 if entry.weight is None else entry.weight,
        "negative text": "",
        "notes": _notes(subject),
    }
    return [Sidecar(entry=entry, suffix=".json", data=as_json(values)), *_image(subject)]


def comfyui(subject: Subject) -> list[Sidecar]:
    """Return `NAME.metadata.json` of ComfyUI-Lora-Manager, and `NAME.png`, which ComfyUI itself shows as well."""
    entry, lora, path = subject.entry, subject.lora, subject.path.absolute()
    known = base_models.by_id(entry.base_model) if entry.base_model else None
    base_model = known.civitai[0] if known and known.civitai else entry.base_model or "Unknown"
    # The fields of CivitAI's response that the manager uses. It reads trigger words of any hub from `trainedWords`.
    civitai: dict[str, Any] = {"trainedWords": list(entry.trigger_words)}
    if entry.ref.hub == "civitai":
        version = lora.version(entry.ref.version) if lora else None
        civitai = {
            "id": int(entry.ref.version or 0),
            "modelId": int(entry.ref.id or 0),
            "name": version.name if version else "",
            "baseModel": base_model,
            **civitai,
            "model": {"name": entry.title, "type": "LORA"},
            "creator": {"username": (lora.creator if lora else None) or ""},
        }
    values: dict[str, Any] = {
        "file_name": path.stem,
        "model_name": entry.title,
        "file_path": path.as_posix(),
        "size": entry.size,
        "modified": path.stat().st_mtime,
        "sha256": entry.sha256,
        "base_model": base_model,
        "preview_url": path.with_suffix(".png").as_posix() if subject.image else "",
        "preview_nsfw_level": _LEVELS[subject.example.nsfw if subject.example else None],
        "notes": _notes(subject),
        "from_civitai": entry.ref.hub == "civitai",
        "civitai": civitai,
        "tags": list(content_tags(lora.tags)) if lora else [],
        "modelDescription": "",
        # The manager stores JSON as text here.
        "usage_tips": json.dumps({"strength": entry.weight} if entry.weight is not None else {}),
    }
    metadata = Sidecar(entry=entry, suffix=".metadata.json", data=as_json(values), facts=_FACTS)
    return [metadata, *_image(subject)]


def _notes(subject: Subject) -> str:
    entry = subject.entry
    url = subject.lora.url if subject.lora else entry.source
    lines = (str(entry.ref), url, f"Licence: {entry.license or 'unknown'}", f"sha256: {entry.sha256}")
    return "\n".join(map(_plain, lines))


def _image(subject: Subject) -> list[Sidecar]:
    return [Sidecar(entry=subject.entry, suffix=".png", data=subject.image)] if subject.image else []


def _plain(text: str) -> str:
    return clean(text).replace("<", "").replace(">", "")


_MAX_BYTES = 32 * 1024 * 1024
_MAX_PIXELS = 50_000_000
_SIDE = 768


def example_of(lora: Lora, entry: Entry) -> Example | None:
    """Return the first image of the entry's version that is not mature, if possible a safe one."""
    version = lora.version(entry.ref.version) or lora.version(None)
    allowed = [e for e in (version.examples if version else ()) if not e.video and within(e.nsfw, "soft")]
    safe = [example for example in allowed if example.nsfw == "safe"]
    return next(iter(safe or allowed), None)


def fetch(example: Example, only: Destinations) -> bytes:
    """Download an image. Raises HubUiError if that fails, or if its address is not in `only`."""
    return as_png(fetch_file(example.url, only=only, most=_MAX_BYTES))


def as_png(data: bytes) -> bytes:
    """Return the first frame as a PNG of at most _SIDE pixels, upright and without metadata. Raises BadAnswer."""
    try:
        with open_image(io.BytesIO(data), _MAX_PIXELS) as image:
            small = plain(image)
    except ValueError as error:
        raise BadAnswer("What came is no image that could be kept.") from error
    small.thumbnail((_SIDE, _SIDE))
    target = io.BytesIO()
    Image.frombytes(small.mode, small.size, small.tobytes()).save(target, "PNG")
    return target.getvalue()
