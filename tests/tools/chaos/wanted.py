"""What the queue is to bring: twenty LoRAs on three local hubs, whose every byte is known beforehand."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from connectors.ref import Origin, Ref
from hub_ui.demo.hubs.folder import generate_safetensors
from tests.faults import Fault

_KIB = 1024
# The first of CivitAI and the first of Hugging Face are the same bytes.
_ON: dict[Origin, int] = {"civitai": 8, "huggingface": 7, "replicate": 5}
_SMALLEST, _LARGEST = 200 * _KIB, 4096 * _KIB
_TWIN = 2048 * _KIB
# Every fifth file takes so long because its server is slow, so that a kill finds it half there.
SLOW_SECONDS = (0.5, 1.2)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """`ref` is what the queue is told, `place` tells the file among the addresses of the delivery host."""

    ref: Ref
    hub: Origin
    place: str
    size: int
    sha256: str
    rate: int | None


def write_hubs(data: Path, random: Random, slow_seconds: tuple[float, float] = SLOW_SECONDS) -> tuple[Wanted, ...]:
    """The data folder of the local hubs, and what they have in it."""
    numbers = [(hub, number) for hub, count in _ON.items() for number in range(1, count + 1)]
    found = write_loras(data, ((hub, number, _spec(random, hub, number)) for hub, number in numbers))
    return tuple(_timed(found, random, slow_seconds))


def write_loras(data: Path, loras: Iterable[tuple[Origin, int, Any]]) -> list[tuple[Ref, str, Any]]:
    """The data folder of the local hubs. Each LoRA is given by its hub, its number there, and what its file is made of;
    for each comes its ref, what tells its file among the addresses of the delivery host, and what it is made of.
    """
    data.mkdir()
    files: dict[str, Any] = {hub: {} for hub in _WRITERS}
    found = [_WRITERS[hub](data, files, number, spec) for hub, number, spec in loras]
    (data / "files.json").write_text(json.dumps(files))
    return found


def slow(wanted: Sequence[Wanted]) -> list[Fault]:
    return [
        Fault(kind="slow", hub="delivery", match=each.place, bytes_per_second=each.rate) for each in wanted if each.rate
    ]


# What a hub may do besides, once: it breaks off, wants a fresh address, forgets ranges, or has the file exchanged.
_TROUBLES: tuple[dict[str, Any], ...] = (
    {"kind": "cut", "after_bytes": 100_000},
    {"kind": "expired"},
    {"kind": "ignore_range"},
    {"kind": "etag"},
    {"kind": "status", "status": 503, "retry_after": 0},
)


def troubles(wanted: Sequence[Wanted], random: Random) -> list[Fault]:
    """Of Hugging Face's files none: huggingface_hub waits long before it tries again."""
    places = [each.place for each in wanted if each.hub != "huggingface"]
    return [
        Fault(hub="delivery", match=place, times=1, skip=random.randint(0, 1), **random.choice(_TROUBLES))
        for place in random.sample(places, 4)
    ]


def _spec(random: Random, hub: Origin, number: int) -> dict[str, Any]:
    size = random.randint(_SMALLEST, _LARGEST)
    if number == 1 and hub != "replicate":
        return {"tensors": {"lora_unet_a.lora_up.weight": ["F16", [_TWIN // 2, 1]]}, "seed": 1}
    return {"tensors": {"lora_unet_a.lora_up.weight": ["F16", [size // 2, 1]]}, "seed": random.randrange(10**9)}


def _timed(
    found: Sequence[tuple[Ref, str, Any]], random: Random, slow_seconds: tuple[float, float]
) -> Iterator[Wanted]:
    for number, (ref, place, spec) in enumerate(found):
        content = generate_safetensors(spec)
        rate = int(content.size / random.uniform(*slow_seconds)) if number % 5 == 0 else None
        yield Wanted(ref=ref, hub=ref.hub, place=place, size=content.size, sha256=content.sha256, rate=rate)


def _civitai(data: Path, files: dict[str, Any], number: int, spec: Any) -> tuple[Ref, str, Any]:
    content = generate_safetensors(spec)
    file = {"id": number + 300, "name": f"ink{number}.safetensors", "type": "Model", "sizeKB": content.size / 1024,
            "primary": True, "metadata": {"format": "SafeTensor"},
            "hashes": {"SHA256": content.sha256.upper()}}  # fmt: skip
    version = {"id": number + 200, "name": "v1", "baseModel": "SD 1.5", "files": [file], "images": []}
    model = {"id": number + 100, "name": f"Ink {number}", "type": "LORA", "userId": 7, "modelVersions": [version]}
    (data / f"civitai_model_{number}.json").write_text(json.dumps(model))
    files["civitai"][str(number + 300)] = {"safetensors": spec}
    pin = f"@{number + 200}#{number + 300}" if number % 2 else ""
    return Ref.parse(f"civitai:{number + 100}{pin}"), f"/model/{number + 300}/", spec


def _huggingface(data: Path, files: dict[str, Any], number: int, spec: Any) -> tuple[Ref, str, Any]:
    card = "---\ntags: [lora]\nbase_model: stable-diffusion-v1-5/stable-diffusion-v1-5\n---\n# Ink\n"
    (data / f"hf_readme_maker__ink{number}.md").write_text(card)
    files["huggingface"][f"maker/ink{number}"] = {"lora.safetensors": {"safetensors": spec}}
    named = "#lora.safetensors" if number % 2 else ""
    return Ref.parse(f"huggingface:maker/ink{number}{named}"), f"/repos/maker/ink{number}/", spec


def _replicate(data: Path, files: dict[str, Any], number: int, spec: Any) -> tuple[Ref, str, Any]:
    hash_ = f"{number:064x}"
    schema = {
        "Input": {
            "type": "object",
            "properties": {"prompt": {"type": "string"}, "replicate_weights": {"type": "string"}},
        }
    }
    version = {"id": hash_, "created_at": "2026-08-01T00:00:00.1Z", "cog_version": "0.9.20",
               "openapi_schema": {"components": {"schemas": schema}}}  # fmt: skip
    model = {"url": f"https://replicate.com/maker/tuned{number}", "owner": "maker", "name": f"tuned{number}",
             "description": "Ink", "visibility": "public", "run_count": 1, "latest_version": version}  # fmt: skip
    (data / f"replicate_model_maker__tuned{number}.json").write_text(json.dumps(model))
    files["replicate"][f"maker/tuned{number}:{hash_}"] = {"safetensors": spec}
    pin = f"@{hash_}" if number % 2 else ""
    return Ref.parse(f"replicate:maker/tuned{number}{pin}"), f"/{hash_}/trained_model.tar", spec


# Each puts a LoRA of this number into the data folder, and what its file is made of into `files`.
_WRITERS = {"civitai": _civitai, "huggingface": _huggingface, "replicate": _replicate}
