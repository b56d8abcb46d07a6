"""Infotext: the `parameters` of an image as AUTOMATIC1111 defined them and ComfyUI, Forge and CivitAI read them.

    a cat, sks style <lora:ink:0.8>
    Negative prompt: blurred
    Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1, Size: 512x512, Model: SD 1.5,
    Lora hashes: "ink: 0123456789ab", Version: hub-ui 0.1.0

The settings are one line. Values with a comma, a colon or a line break are quoted as JSON, as in A1111.
`Lora hashes` are those of A1111's Lora extension, CivitAI's AutoV3: the first 12 digits of the SHA-256 of everything
after the file's header, so edited metadata doesn't matter. CivitAI reads them (automatic.metadata.ts of
civitai/civitai), and `Civitai resources`, which contain version ids.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from connectors.errors import HubUiError
from connectors.http.json_fields import number, table, tables
from connectors.weights.header import tensors_sha256
from hub_ui.base.disk import stamp

OTHER_PROGRAMS = tomllib.loads(Path(__file__).with_name("other_programs.toml").read_text(encoding="utf-8"))
NEGATIVE = "Negative prompt:"
LORA_HASHES = "Lora hashes"
LORA_WEIGHTS = "Lora weights"
RESOURCES = "Civitai resources"

_SETTINGS = re.compile(r"Steps: ?\d")
_LONGEST = 100_000
_LONGEST_SETTINGS = 20_000
_TAG = re.compile(r"<(?:lora|lyco):([^<>:\n]{1,300}):([^<>\n]{1,800})>")
_SPACE = re.compile(r"\s*")
_KEY = re.compile(r"[A-Za-z][\w \-/]{0,60}\Z")
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"(?=\s*(?:,|$))')
_ADDITIONAL = re.compile(r"([^()]{1,300})\(([0-9A-Fa-f]{8,64})\)")
_NEGATIVE_LINE = re.compile(rf"^{NEGATIVE}", re.MULTILINE)
_LORA_TYPES = ("lora", "locon", "lycoris", "dora")
_NO_NAME = re.compile(r'[<>:,"\x00-\x1f]+')


@dataclass(frozen=True, kw_only=True, slots=True)
class Infotext:
    """The parsed infotext of an image. `fields` are the settings in order, with A1111's names and unquoted values."""

    prompt: str
    negative: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class UsedLora:
    """A LoRA in an infotext. `hash` is AutoV3, AutoV2 or a whole SHA-256, `version` is CivitAI's version id.

    `clip_weight` is the weight of the text encoder if it differs from `weight`; `blocks` is the text after `lbw=`.
    """

    name: str
    weight: float | None = None
    clip_weight: float | None = None
    blocks: str | None = None
    hash: str | None = None
    version: str | None = None


def write(parameters: Infotext) -> str:
    lines = [_escape(parameters.prompt)]
    if parameters.negative.strip():
        lines.append(f"{NEGATIVE} {_escape(parameters.negative)}")
    settings = []
    for name, value in parameters.fields.items():
        # CivitAI looks for the bracket of a whole list or object, so those stay as they are.
        is_json = value.startswith(("[", "{")) and "\n" not in value and _json_end(value, 0) == len(value)
        special = re.search(r"[,:\n\r]", value) or value != value.strip() or value.startswith(('"', "[", "{"))
        settings.append(f"{name}: {json.dumps(value, ensure_ascii=False) if special and not is_json else value}")
    lines.append(", ".join(settings))
    return "\n".join(lines)


def _escape(prompt: str) -> str:
    """Change text that would be read as the negative prompt or the settings, because a prompt can't be quoted."""
    lines = [line.strip() for line in _lines(prompt.strip())]
    safe = ("s" + line[1:] if line.startswith("Steps:") else line for line in lines)
    return "\n".join(safe).replace(NEGATIVE, NEGATIVE.lower())


def read(text: str) -> Infotext:
    """Parse any text. Missing parts are empty; a text without settings is all prompt."""
    lines = _lines(text[:_LONGEST].strip())
    # The settings are in the last line that begins like them, or else in the very last one if it has several.
    starts = [at for at, line in enumerate(lines) if _SETTINGS.match(line.strip())]
    at: int | None = starts[-1] if starts else len(lines) - 1
    fields = _fields(lines[at][:_LONGEST_SETTINGS]) if at is not None else {}
    if not starts and len(fields) < 3:
        at, fields = None, {}
    prompt, *negative = _NEGATIVE_LINE.split("\n".join(line.strip() for line in lines[:at]), maxsplit=1)
    return Infotext(prompt=prompt.strip(), negative="".join(negative).strip(), fields=fields)


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _fields(line: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    at = 0
    while (colon := line.find(":", at)) >= 0:
        # Words without a colon, between two commas, are ignored.
        start = max(line.rfind(",", at, colon) + 1, at)
        name = line[start:colon].strip()
        value, end = _read_value(line, _SPACE.match(line, colon + 1).end())  # type: ignore[union-attr]
        comma = line.find(",", end)
        at = comma + 1 if comma >= 0 else len(line)
        if _KEY.match(name):
            fields.setdefault(name, value)
    return fields


def _read_value(line: str, start: int) -> tuple[str, int]:
    """Return the value at `start`, and the position of its end."""
    if (quoted := _QUOTED.match(line, start)) is not None:
        try:
            return str(json.loads(quoted.group())), quoted.end()
        except ValueError:
            return quoted.group(), quoted.end()
    if line[start : start + 1] in ("[", "{") and (end := _json_end(line, start)) is not None:
        return line[start:end], end
    comma = line.find(",", start)
    end = comma if comma >= 0 else len(line)
    return line[start:end].strip(), end


def _json_end(line: str, start: int) -> int | None:
    try:
        return json.JSONDecoder().raw_decode(line, start)[1]
    except (ValueError, RecursionError):
        return None


def tag(name: str, weight: float, clip_weight: float, block_weights: Sequence[float] = ()) -> str:
    """Return the tag that loads a LoRA by the name of its file in A1111's prompts.

    If the weights differ, the text encoder's comes first. The extension sd-webui-lora-block-weight reads the block
    weights.
    """
    parts = [f"{number:g}" for number in ((weight,) if clip_weight == weight else (clip_weight, weight))]
    if block_weights:
        parts.append(f"lbw={','.join(f'{number:g}' for number in block_weights)}")
    return f"<lora:{':'.join((name, *parts))}>"


def _read_tag(name: str, text: str) -> UsedLora:
    """Parse a tag. `text` follows the name: numbers by position, and named parts."""
    positional = [part for part in text.split(":") if "=" not in part]
    named = dict(part.split("=", 1) for part in text.split(":") if "=" in part)
    # Before A1111 1.5, block weights stood where the second number is now.
    blocks = named.get("lbw") or next((part for part in positional[1:2] if weight_of(part) is None), None)
    clip = weight_of(named.get("te", positional[0] if positional else None))
    second = positional[1] if len(positional) > 1 and blocks != positional[1] else None
    weight = weight_of(named.get("unet", second)) if "unet" in named or second is not None else clip
    return UsedLora(name=name, weight=weight, clip_weight=None if clip == weight else clip, blocks=blocks)


def name_of(stem: str) -> str:
    """Replace the characters of a file's name that a prompt or a list of hashes can't contain."""
    return _NO_NAME.sub("_", stem).strip() or "lora"


def without_tags(prompt: str) -> str:
    """Remove the tags from a prompt, because our pipelines would pass them to the text encoder."""
    cut = _TAG.sub("", prompt)
    # Remove the commas and spaces around a tag. The limits avoid quadratic time for a prompt of spaces.
    closed = re.sub(r"[ \t]{0,9},(?:\s*,)+", ",", re.sub(r"[ \t]{1,9},", ",", cut))
    return re.sub(r"[ \t]{2,}", " ", closed).strip(" ,\n\t")


def loras(parameters: Infotext) -> tuple[UsedLora, ...]:
    """Return the LoRAs in the prompt's tags and in all lists, without duplicates."""
    fields = parameters.fields
    weights: dict[str, float | None] = {}
    hashes: dict[str, str] = {}
    # The extension Additional Networks was used before A1111 had tags.
    for i in range(1, 6):
        if match := _ADDITIONAL.fullmatch(fields.get(f"AddNet Model {i}", "")):
            weights[match[1]] = weight_of(fields.get(f"AddNet Weight A {i}") or fields.get(f"AddNet Weight {i}"))
            hashes[match[1]] = match[2].lower()
    weights |= {name: weight_of(weight) for name, weight in _pairs(fields.get(LORA_WEIGHTS, "")).items()}
    tags = {name.strip(): _read_tag(name.strip(), text) for name, text in _TAG.findall(parameters.prompt)}
    hashes |= _hashes(fields)
    named = [
        replace(tags.get(name) or UsedLora(name=name, weight=weights.get(name)), hash=hashes.get(name))
        for name in {**weights, **tags, **hashes}
    ]
    versions = resources(fields.get(RESOURCES, ""))
    if len(named) != len(versions):
        return tuple(named) or versions
    # Programs that write both lists use the same order; a version id says more than a name.
    return tuple(
        replace(one, version=other.version, weight=other.weight if one.weight is None else one.weight)
        for one, other in zip(named, versions, strict=True)
    )


def _hashes(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the hashes by name, from A1111's list or else from the list of CivitAI's extension."""
    hashes = _pairs(fields.get(LORA_HASHES, ""))
    if not hashes:
        for name, value in table(load_json(fields.get("Hashes", ""))).items():
            if name.lower().startswith("lora:"):
                hashes[name.partition(":")[2]] = str(value)
    return {name: value.lower() for name, value in hashes.items() if re.fullmatch(r"[0-9A-Fa-f]{8,64}", value)}


def _pairs(text: str) -> dict[str, str]:
    """Parse pairs, as in "ink: 0123456789ab, paper: ...": a name and a value each."""
    pairs = (pair.rpartition(":") for pair in text.strip('"').split(","))
    return {name.strip(): value.strip() for name, colon, value in pairs if colon and name.strip()}


def resources(text: str) -> tuple[UsedLora, ...]:
    """Return the LoRAs in CivitAI's list of resources."""
    found = []
    for item in tables(load_json(text)):
        if str(item.get("type", "")).lower() not in _LORA_TYPES:
            continue
        version = item.get("modelVersionId")
        if isinstance(version, int) and not isinstance(version, bool) and version > 0:
            name = str(item.get("modelName") or version)
            found.append(UsedLora(name=name, weight=weight_of(item.get("weight")), version=str(version)))
    return tuple(found)


def load_json(text: str) -> object:
    """Parse JSON, or return None if the text is not valid JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def weight_of(value: object) -> float | None:
    found = number(value)
    return found if found is not None and -1000 < found < 1000 else None


def autov3(path: Path) -> str | None:
    """Return the first 12 digits of the SHA-256 of a safetensors file's tensors, or None for any other file.

    The hash is cached until the file changes.
    """
    with suppress(OSError, HubUiError):
        return _autov3(path, stamp(path))
    return None


@lru_cache(maxsize=1_000)
def _autov3(path: Path, _stamp: object) -> str | None:
    found = tensors_sha256(path)
    return found and found[:12]
