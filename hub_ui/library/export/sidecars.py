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
from connectors.http.files import fetch_public
from connectors.record import Example, Lora, Nsfw, within
from hub_ui.library.export.write import Sidecar, as_json
from hub_ui.library.lockfile import Entry
from hub_ui.terminal import clean

# The choices of the programs' own menu; "Flux" is Forge's. Anything else they call unknown.
_SD_VERSIONS: Mapping[str, str] = {"flux1": "Flux", "sd1": "SD1", "sd2": "SD2", "sd3": "SD3", "sdxl": "SDXL"}
# 0 is what it knows nothing of.
_LEVELS: Mapping[Nsfw | None, int] = {None: 0, "safe": 1, "soft": 2, "mature": 4, "explicit": 8}
# What the file itself decides, whoever writes it down.
_FACTS = frozenset({"file_name", "file_path", "size", "modified", "sha256"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """An entry, its file, and its LoRA as far as the hub or the catalog knows it. `picture` is a PNG."""

    entry: Entry
    path: Path
    lora: Lora | None = None
    example: Example | None = None
    picture: bytes | None = None

    @property
    def creator(self) -> str | None:
        return self.lora.creator if self.lora else None

    @property
    def base(self) -> str:
        return base_models.label(self.entry.base_model) if self.entry.base_model else "an unknown base model"


def a1111(subject: Subject) -> list[Sidecar]:
    """`NAME.json`, the "user metadata" of extensions-builtin/Lora, and `NAME.png`."""
    entry = subject.entry
    values: dict[str, Any] = {
        # Shown as HTML on the cards, so it holds no words of strangers but the two names, without their brackets.
        "description": _flat(f"{entry.title}{_by(subject)}, for {subject.base}"),
        "sd version": _SD_VERSIONS.get(entry.architecture or "", "Unknown"),
        "activation text": ", ".join(entry.trigger_words),
        # 0 means: the program's own default.
        "preferred weight": 0.0 if entry.weight is None else entry.weight,
        "negative text": "",
        "notes": "\n".join(_notes(subject)),
    }
    return [Sidecar(entry=entry, suffix=".json", data=as_json(values)), *_picture(subject)]


def comfyui(subject: Subject) -> list[Sidecar]:
    """`NAME.metadata.json` of ComfyUI-Lora-Manager, and `NAME.png`, which ComfyUI itself shows too."""
    entry, path = subject.entry, subject.path.absolute()
    picture = path.with_suffix(".png").as_posix() if subject.picture else ""
    values: dict[str, Any] = {
        "file_name": path.stem,
        "model_name": entry.title,
        "file_path": path.as_posix(),
        "size": entry.size,
        "modified": path.stat().st_mtime,
        "sha256": entry.sha256,
        "base_model": _civitai_spelling(entry),
        "preview_url": picture,
        "preview_nsfw_level": _LEVELS[subject.example.nsfw if subject.example else None],
        "notes": "\n".join(_notes(subject)),
        "from_civitai": entry.ref.hub == "civitai",
        "civitai": _civitai(subject),
        "tags": list(content_tags(subject.lora.tags)) if subject.lora else [],
        "modelDescription": "",
        # A text that holds JSON, in their own format.
        "usage_tips": json.dumps({"strength": entry.weight} if entry.weight is not None else {}),
    }
    metadata = Sidecar(entry=entry, suffix=".metadata.json", data=as_json(values), facts=_FACTS)
    return [metadata, *_picture(subject)]


def _civitai(subject: Subject) -> dict[str, Any]:
    """The part of CivitAI's answer that the manager uses; `trainedWords` is its place for trigger words of any hub."""
    entry = subject.entry
    words: dict[str, Any] = {"trainedWords": list(entry.trigger_words)}
    if entry.ref.hub != "civitai":
        return words
    version = subject.lora.version(entry.ref.version) if subject.lora else None
    return {
        "id": int(entry.ref.version or 0),
        "modelId": int(entry.ref.id or 0),
        "name": version.name if version else "",
        "baseModel": _civitai_spelling(entry),
        **words,
        "model": {"name": entry.title, "type": "LORA"},
        "creator": {"username": subject.creator or ""},
    }


def _civitai_spelling(entry: Entry) -> str:
    known = base_models.by_id(entry.base_model) if entry.base_model else None
    return known.civitai[0] if known and known.civitai else entry.base_model or "Unknown"


def _notes(subject: Subject) -> list[str]:
    entry = subject.entry
    address = subject.lora.url if subject.lora else entry.source
    licence = f"Licence: {entry.license}" if entry.license else "Licence: unknown"
    return [_flat(line) for line in (str(entry.ref), address, licence, f"sha256: {entry.sha256}")]


def _by(subject: Subject) -> str:
    return f", by {subject.creator}" if subject.creator else ""


def _picture(subject: Subject) -> list[Sidecar]:
    return [Sidecar(entry=subject.entry, suffix=".png", data=subject.picture)] if subject.picture else []


def _flat(text: str) -> str:
    return clean(text).replace("<", "").replace(">", "")


_MOST_BYTES = 32 * 1024 * 1024
_MOST_PIXELS = 50_000_000
_SIDE = 768
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


def example_of(lora: Lora, entry: Entry, ceiling: Nsfw = "soft") -> Example | None:
    """The author's first picture of the entry's version that anyone may see over a shoulder."""
    version = lora.version(entry.ref.version) or lora.version(None)
    shown = [e for e in (version.examples if version else ()) if not e.video and within(e.nsfw, ceiling)]
    safe = [example for example in shown if example.nsfw == "safe"]
    return next(iter(safe or shown), None)


def fetch(example: Example, hosts: Collection[str]) -> bytes:
    """Raises one of our errors when there is no picture to be had. `hosts`: the hubs' own, beside public addresses."""
    return as_png(fetch_public(example.url, hosts=hosts, most=_MOST_BYTES).content)


def as_png(data: bytes) -> bytes:
    """Nothing of the original stays but its pixels: no metadata, no frames after the first."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise _no_picture()
                image.thumbnail((_SIDE, _SIDE))
                small = image.convert("RGBA" if "A" in image.getbands() else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _no_picture() from error
    target = io.BytesIO()
    Image.frombytes(small.mode, small.size, small.tobytes()).save(target, "PNG")
    return target.getvalue()


def _no_picture() -> HubUiError:
    return BadAnswer("What came is no picture that could be kept.")
