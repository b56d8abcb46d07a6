"""The sidecars that AUTOMATIC1111, Forge and ComfyUI's LoRA Manager read beside a weight file."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from connectors.claims import base_models
from connectors.claims.kind import content_tags
from connectors.errors import BadAnswer, HubUiError
from connectors.http.ranges import fetch_public
from connectors.record import Example, Lora, Nsfw, within
from hub_ui.format import clean
from hub_ui.library.export.write import Sidecar, as_json
from hub_ui.library.lockfile import Entry

# The choices in the programs' menu; "Flux" is Forge's. They call everything else unknown.
_SD_VERSIONS: Mapping[str, str] = {"flux1": "Flux", "sd1": "SD1", "sd2": "SD2", "sd3": "SD3", "sdxl": "SDXL"}
# 0 means unknown.
_LEVELS: Mapping[Nsfw | None, int] = {None: 0, "safe": 1, "soft": 2, "mature": 4, "explicit": 8}
# Facts about the file: the same whichever program writes them.
_FACTS = frozenset({"file_name", "file_path", "size", "modified", "sha256"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """An entry, its file, and its LoRA as far as the hub or the catalog knows it. `image` is a PNG."""

    entry: Entry
    path: Path
    lora: Lora | None = None
    example: Example | None = None
    image: bytes | None = None


def a1111(subject: Subject) -> list[Sidecar]:
    """`NAME.json`, the "user metadata" of extensions-builtin/Lora, and `NAME.png`."""
    entry, creator = subject.entry, subject.lora.creator if subject.lora else None
    by = f", by {creator}" if creator else ""
    base = base_models.label(entry.base_model) if entry.base_model else "an unknown base model"
    values: dict[str, Any] = {
        # Shown as HTML on the cards, so it contains nothing from the hub but the two names, without < and >.
        "description": _plain(f"{entry.title}{by}, for {base}"),
        "sd version": _SD_VERSIONS.get(entry.architecture or "", "Unknown"),
        "activation text": ", ".join(entry.trigger_words),
        # 0 means: the program's own default.
        "preferred weight": 0.0 if entry.weight is None else entry.weight,
        "negative text": "",
        "notes": _notes(subject),
    }
    return [Sidecar(entry=entry, suffix=".json", data=as_json(values)), *_image(subject)]


def comfyui(subject: Subject) -> list[Sidecar]:
    """`NAME.metadata.json` of ComfyUI-Lora-Manager, and `NAME.png`, which ComfyUI itself shows too."""
    entry, lora, path = subject.entry, subject.lora, subject.path.absolute()
    known = base_models.by_id(entry.base_model) if entry.base_model else None
    base_model = known.civitai[0] if known and known.civitai else entry.base_model or "Unknown"
    # The part of CivitAI's answer that the manager uses; `trainedWords` is its place for trigger words of any hub.
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
        # A text that holds JSON, in their own format.
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
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


def example_of(lora: Lora, entry: Entry, ceiling: Nsfw = "soft") -> Example | None:
    """The first image of the entry's version up to the level `ceiling`, a safe one if there is one."""
    version = lora.version(entry.ref.version) or lora.version(None)
    allowed = [e for e in (version.examples if version else ()) if not e.video and within(e.nsfw, ceiling)]
    safe = [example for example in allowed if example.nsfw == "safe"]
    return next(iter(safe or allowed), None)


def fetch(example: Example, hosts: Collection[str]) -> bytes:
    """Raises one of our errors when there is no image to be had. `hosts`: the hubs' own, beside public addresses."""
    return as_png(fetch_public(example.url, hosts=hosts, most=_MAX_BYTES))


def as_png(data: bytes) -> bytes:
    """The pixels of the first frame, without metadata."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                if image.width * image.height > _MAX_PIXELS:
                    raise _no_image()
                image.thumbnail((_SIDE, _SIDE))
                small = image.convert("RGBA" if "A" in image.getbands() else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _no_image() from error
    target = io.BytesIO()
    Image.frombytes(small.mode, small.size, small.tobytes()).save(target, "PNG")
    return target.getvalue()


def _no_image() -> HubUiError:
    return BadAnswer("What came is no image that could be kept.")
