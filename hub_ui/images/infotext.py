"""The `parameters` text of a picture, as AUTOMATIC1111 began it and ComfyUI's savers, Forge and CivitAI read it.

    a cat, sks style <lora:ink:0.8>
    Negative prompt: blurred
    Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1, Size: 512x512, Model: SD 1.5,
    Lora hashes: "ink: 0123456789ab", Version: hub-ui 0.1.0

(the settings are one line). Values with a comma, a colon or a line break are quoted as JSON, as A1111 does it.
Lora hashes are what A1111's Lora extension writes and CivitAI calls AutoV3: the first 12 digits of the SHA-256 of what
follows the file's header, so that edited metadata doesn't matter. CivitAI's reader (automatic.metadata.ts of
civitai/civitai) takes them, and `Civitai resources`, which name the version itself.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

NEGATIVE = "Negative prompt:"
LORA_HASHES = "Lora hashes"
LORA_WEIGHTS = "Lora weights"
RESOURCES = "Civitai resources"

_SETTINGS = re.compile(r"Steps: ?\d")
_LONGEST = 100_000
_LONGEST_SETTINGS = 20_000
_LONGEST_HEADER = 100 * 1024 * 1024
_CHUNK = 1024 * 1024
_TAG = re.compile(r"<(?:lora|lyco):([^<>:\n]{1,300}):([^<>:\n]{1,20})(?::[^<>\n]{0,100})?>")
_KEY = re.compile(r"[A-Za-z][\w \-/]{0,60}\Z")
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"(?=\s*(?:,|$))')
_ADDITIONAL = re.compile(r"([^()]{1,300})\(([0-9A-Fa-f]{8,64})\)")
_NEGATIVE_LINE = re.compile(rf"^{NEGATIVE}", re.MULTILINE)
_NO_NAME = re.compile(r'[<>:,"\x00-\x1f]+')


@dataclass(frozen=True, kw_only=True, slots=True)
class Infotext:
    """`fields` are the settings in their order, names as A1111 spells them, values as text without quotes."""

    prompt: str
    negative: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class UsedLora:
    """A LoRA as such a text names it. `hash` is AutoV3, AutoV2 or a whole SHA-256, `version` CivitAI's version id."""

    name: str
    weight: float | None = None
    hash: str | None = None
    version: str | None = None


def write(parameters: Infotext) -> str:
    lines = [_plain(parameters.prompt)]
    if parameters.negative.strip():
        lines.append(f"{NEGATIVE} {_plain(parameters.negative)}")
    lines.append(", ".join(f"{name}: {_value(value)}" for name, value in parameters.fields.items()))
    return "\n".join(lines)


def read(text: str) -> Infotext:
    """Any such text; what it lacks is empty. A text that is nothing of the kind is all prompt."""
    lines = _lines(text[:_LONGEST].strip())
    at = _settings_at(lines)
    fields = _fields(lines[at][:_LONGEST_SETTINGS]) if at is not None else {}
    prompt, *negative = _NEGATIVE_LINE.split("\n".join(line.strip() for line in lines[:at]), maxsplit=1)
    return Infotext(prompt=prompt.strip(), negative="".join(negative).strip(), fields=fields)


def tag(name: str, weight: float) -> str:
    """How a prompt loads a LoRA by its file's name."""
    return f"<lora:{name}:{weight:g}>"


def name_of(stem: str) -> str:
    """A file's name as prompts and lists of hashes can hold it. A1111 finds the file by it."""
    return _NO_NAME.sub("_", stem).strip() or "lora"


def without_tags(prompt: str) -> str:
    """A prompt as our own pipelines take it: a tag would be read aloud to the text encoder."""
    cut = _TAG.sub("", prompt)
    # What a tag stood between; a prompt of blanks alone must not take minutes.
    closed = re.sub(r"[ \t]{0,9},(?:\s*,)+", ",", re.sub(r"[ \t]{1,9},", ",", cut))
    return re.sub(r"[ \t]{2,}", " ", closed).strip(" ,\n\t")


def loras(parameters: Infotext) -> tuple[UsedLora, ...]:
    """By tag, by list, and by CivitAI's own list, each LoRA once."""
    fields = parameters.fields
    old = _additional(fields)
    hashes = {**{one.name: one.hash for one in old if one.hash}, **_hashes(fields)}
    tagged = {name.strip(): _number(weight) for name, weight in _TAG.findall(parameters.prompt)}
    listed = {name: _number(weight) for name, weight in _listed(fields.get(LORA_WEIGHTS, "")).items()}
    weights = {**{one.name: one.weight for one in old}, **listed, **tagged}
    named = [UsedLora(name=name, weight=weights.get(name), hash=hashes.get(name)) for name in {**weights, **hashes}]
    return _with_versions(named, resources(fields.get(RESOURCES, "")))


def _with_versions(named: list[UsedLora], versions: tuple[UsedLora, ...]) -> tuple[UsedLora, ...]:
    """Who writes both lists does so in one order; a version says more than a name."""
    if len(named) != len(versions):
        return tuple(named) or versions
    return tuple(
        replace(one, version=other.version, weight=other.weight if one.weight is None else one.weight)
        for one, other in zip(named, versions, strict=True)
    )


def _additional(fields: Mapping[str, str]) -> list[UsedLora]:
    """As the Additional Networks extension wrote them before A1111 had tags."""
    found = []
    for i in range(1, 6):
        match = _ADDITIONAL.fullmatch(fields.get(f"AddNet Model {i}", ""))
        if match:
            weight = fields.get(f"AddNet Weight A {i}") or fields.get(f"AddNet Weight {i}")
            found.append(UsedLora(name=match[1], hash=match[2].lower(), weight=_number(weight)))
    return found


def resources(text: str) -> tuple[UsedLora, ...]:
    """The LoRAs of CivitAI's own list."""
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    found = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return tuple(
        UsedLora(
            name=str(item.get("modelName") or item["modelVersionId"]),
            weight=_number(item.get("weight")),
            version=str(item["modelVersionId"]),
        )
        for item in found
        if str(item.get("type", "")).lower() in ("lora", "locon", "lycoris", "dora") and _is_id(item)
    )


def autov3(path: Path) -> str | None:
    """The first 12 digits of the SHA-256 of a safetensors file's tensors; None for what is no such file."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(_LONGEST_HEADER, path.stat().st_size):
                return None
            file.seek(8 + length)
            digest = hashlib.sha256()
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError:
        return None
    return digest.hexdigest()[:12]


def _plain(prompt: str) -> str:
    """Without what readers would take for the negative prompt or the settings: they know no way to quote a prompt."""
    lines = [line.strip() for line in _lines(prompt.strip())]
    safe = ("s" + line[1:] if line.startswith("Steps:") else line for line in lines)
    return "\n".join(safe).replace(NEGATIVE, NEGATIVE.lower())


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _value(value: str) -> str:
    # A whole list or object is left as it is: CivitAI looks for its bracket.
    whole = value.startswith(("[", "{")) and "\n" not in value and _json_end(value, 0) == len(value)
    return value if whole or not _must_be_quoted(value) else json.dumps(value, ensure_ascii=False)


def _must_be_quoted(value: str) -> bool:
    return re.search(r"[,:\n\r]", value) is not None or value != value.strip() or value.startswith(('"', "[", "{"))


def _settings_at(lines: list[str]) -> int | None:
    """The line with the settings: the last that begins as one; else the very last, if it holds several."""
    for at in range(len(lines) - 1, -1, -1):
        if _SETTINGS.match(lines[at].strip()):
            return at
    last = len(lines) - 1
    return last if lines and len(_fields(lines[last][:_LONGEST_SETTINGS])) >= 3 else None


def _fields(line: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while (colon := line.find(":", at)) >= 0:
        # Words without a colon, between two commas, belong to nobody.
        start = max(line.rfind(",", at, colon) + 1, at)
        name = line[start:colon].strip()
        value, at = _read_value(line, colon + 1)
        if _KEY.match(name):
            found.setdefault(name, value)
    return found


def _read_value(line: str, start: int) -> tuple[str, int]:
    """One value, and where the next name begins."""
    while start < len(line) and line[start].isspace():
        start += 1
    if (quoted := _QUOTED.match(line, start)) is not None:
        return _unquoted(quoted.group()), _after_comma(line, quoted.end())
    if line[start : start + 1] in ("[", "{") and (end := _json_end(line, start)) is not None:
        return line[start:end], _after_comma(line, end)
    comma = line.find(",", start)
    end = comma if comma >= 0 else len(line)
    return line[start:end].strip(), end + 1


def _after_comma(line: str, end: int) -> int:
    comma = line.find(",", end)
    return comma + 1 if comma >= 0 else len(line)


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        return text


def _json_end(line: str, start: int) -> int | None:
    try:
        return json.JSONDecoder().raw_decode(line, start)[1]
    except (ValueError, RecursionError):
        return None


def _hashes(fields: Mapping[str, str]) -> dict[str, str]:
    """Name -> hash, of A1111's own list, else of the one CivitAI's extension writes."""
    listed = _listed(fields.get(LORA_HASHES, ""))
    if not listed:
        listed = {
            name.partition(":")[2]: str(value)
            for name, value in _object(fields.get("Hashes", "")).items()
            if name.lower().startswith("lora:")
        }
    return {name: value.lower() for name, value in listed.items() if re.fullmatch(r"[0-9A-Fa-f]{8,64}", value)}


def _listed(text: str) -> dict[str, str]:
    """ "ink: 0123456789ab, paper: ..." """
    pairs = (pair.rpartition(":") for pair in text.strip('"').split(","))
    return {name.strip(): value.strip() for name, colon, value in pairs if colon and name.strip()}


def _object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _is_id(item: Mapping[str, object]) -> bool:
    version = item.get("modelVersionId")
    return isinstance(version, int) and not isinstance(version, bool) and version > 0


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if -1000 < number < 1000 else None
