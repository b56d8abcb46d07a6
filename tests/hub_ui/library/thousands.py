"""A library of thousands of LoRAs with files, and all that the hubs say of them in the catalog."""

import hashlib
from collections.abc import Iterator

from connectors.claims.resolve import flatten
from connectors.record import Claim, Example, Lora, Version, WeightFile
from connectors.ref import HubName, Ref
from hub_ui.app.services import Services
from hub_ui.library.lockfile import Entry, entry_about

BASES = (("sdxl-1.0", "sdxl"), ("pony", "sdxl"), ("illustrious", "sdxl"), ("flux.1-dev", "flux1"), ("sd-1.5", "sd1"))
KINDS = ("style", "character", "concept", "tool")
WORDS = ("ink", "watercolor", "neon", "portrait", "castle", "robot", "forest", "pixel", "marble", "storm", "lantern")
HUBS: tuple[HubName, ...] = ("civitai", "huggingface", "replicate")
LACKING = 7  # this many of the last ones have no file


def fill(services: Services, count: int = 5_000, *, picture: str = "") -> None:
    """All with the same picture, if there is one."""
    loras = [made(number, picture) for number in range(count)]
    services.catalog.add(loras)
    entries = [*map(entry_of, loras)]
    services.library.adopt(entries)
    for entry in entries[:-LACKING]:
        path = services.library.path(entry)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def made(number: int, picture: str = "") -> Lora:
    """Of every number another one, the same each time."""
    hub = HUBS[0 if number % 4 else 1 + number // 4 % 2]
    base, architecture = BASES[number % len(BASES)]
    ref = Ref(hub=hub, id=f"{100_000 + number}" if hub == "civitai" else f"maker{number % 97}/lora-{number:05}")
    version = {"civitai": f"{900_000 + number}", "huggingface": f"{number:040x}", "replicate": f"{number:064x}"}[hub]
    file_id = {"civitai": f"{number}", "huggingface": "lora.safetensors", "replicate": None}[hub]
    pinned = ref.at(version, file_id)
    file = WeightFile(
        ref=pinned,
        name=f"{number:05}.safetensors",
        size=(number * 7919) % 400_000_000 + 1_000_000,
        sha256=hashlib.sha256(str(number).encode()).hexdigest(),
    )
    examples = (Example(url=picture, nsfw="safe"),) if picture else ()
    return Lora(
        ref=ref,
        title=" ".join(part.capitalize() for part in words_of(number)) + f" {number:05}",
        url=f"https://hub.example/{ref.id}",
        creator=f"maker{number % 97}",
        tags=words_of(number)[:2],
        description=f"Made for {base}: " + " ".join(words_of(number + 5)) * 20,
        downloads=number * 13,
        versions=(Version(ref=ref.at(version), name="v1", files=(file,), examples=examples),),
        claims=tuple(claims(number, base, architecture)),
    )


def words_of(number: int) -> tuple[str, ...]:
    return tuple(WORDS[number // step % len(WORDS)] for step in (1, 11, 121))


def claims(number: int, base: str, architecture: str) -> Iterator[Claim]:
    for name, value in (
        ("base_model", base),
        ("architecture", architecture),
        ("kind", KINDS[number % len(KINDS)]),
        ("rank", 2 ** (2 + number % 6)),
        ("trigger_words", (f"trig{number}", "style of " + words_of(number)[0])),
    ):
        yield Claim(field=name, value=value, source="hub", where="model")


def entry_of(lora: Lora) -> Entry:
    record, file = flatten(lora), lora.versions[0].files[0]
    path = f"{record.architecture}/{lora.creator}/{lora.title}.safetensors"
    size, sha256 = file.size or 0, file.sha256 or ""
    return entry_about(record, ref=file.ref, file=path, size=size, sha256=sha256, source=lora.url)
