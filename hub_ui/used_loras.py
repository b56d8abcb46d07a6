"""The LoRAs that an image was made with, found by their bytes, their version or their name."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from connectors.connector import FindsByHash, pin
from connectors.errors import HubUiError, NotFound
from connectors.query import LONGEST_TEXT, Query
from connectors.ref import LOCAL, Ref
from hub_ui.images.example_settings import file_stem
from hub_ui.images.infotext import UsedLora, autov3
from hub_ui.library.lockfile import Entry
from hub_ui.services import Services

# A name is not proof: another file may bear it.
FoundBy = Literal["bytes", "version", "name"]
_MOST_NAMED = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundLora:
    """`ref` None: it was not found. `failure` is what kept a hub from being asked."""

    used: UsedLora
    ref: Ref | None = None
    by: FoundBy | None = None
    failure: str = ""


def find_used_lora(services: Services, used: UsedLora) -> FoundLora:
    """By CivitAI's version, by its hash in the library, the catalog and on CivitAI, and at last by its name."""
    failure = ""
    for find in (_by_version, _by_hash_here, _by_hash_on_hubs, _by_name):
        try:
            found = find(services, used)
        # A hub that is down costs its own answer only; the same LoRA may be found in another way.
        except HubUiError as error:
            failure = failure or error.message
            continue
        if found is not None:
            return FoundLora(used=used, ref=found[0], by=found[1])
    return FoundLora(used=used, failure=failure)


def _by_version(services: Services, used: UsedLora) -> tuple[Ref, FoundBy] | None:
    if used.version is None:
        return None
    ref = Ref(hub="civitai", id="", version=used.version)
    if installed := services.downloads.find_installed(ref):
        return installed.ref, "version"
    with suppress(NotFound):
        return services.catalog.lora(ref).pin(ref), "version"
    with suppress(NotFound):
        return pin(services.lookup.connector("civitai"), ref), "version"
    return None


def _by_hash_here(services: Services, used: UsedLora) -> tuple[Ref, FoundBy] | None:
    """AutoV3 is of the tensors alone, for which a file has to be read: those of its name are."""
    if used.hash is None:
        return None
    entries = _entries(services)
    for entry in entries:
        if entry.sha256.startswith(used.hash):
            return entry.ref, "bytes"
    for entry in entries:
        if _is_named(entry, used.name) and autov3(services.library.path(entry)) == used.hash:
            return entry.ref, "bytes"
    seen = services.catalog.by_hash(used.hash)
    return (seen[0], "bytes") if seen else None


def _by_hash_on_hubs(services: Services, used: UsedLora) -> tuple[Ref, FoundBy] | None:
    for hub in services.connectors if used.hash else ():
        if isinstance(hub, FindsByHash):
            with suppress(NotFound):
                lora, ref = hub.by_hash(used.hash or "")
                services.catalog.add([lora])
                return ref, "bytes"
    return None


def _by_name(services: Services, used: UsedLora) -> tuple[Ref, FoundBy] | None:
    entry = next((entry for entry in _entries(services) if _is_named(entry, used.name)), None)
    ref = entry.ref if entry else next(_find_named(services, used.name), None)
    return (ref, "name") if ref else None


def _find_named(services: Services, name: str) -> Iterator[Ref]:
    """Files of the catalog with this name, and LoRAs with this title."""
    wanted = file_stem(name)
    words = " ".join(wanted.replace("-", " ").split())[:LONGEST_TEXT]
    for record in (
        services.catalog.search(Query(text=words, limit=_MOST_NAMED, nsfw="explicit")).records if words else ()
    ):
        lora = services.catalog.lora(record.ref.lora)
        for version in lora.versions:
            yield from (file.ref for file in version.files if file_stem(file.name) == wanted)
        if file_stem(lora.title) == wanted:
            yield record.ref


def _entries(services: Services) -> tuple[Entry, ...]:
    """Visitors of a shared page are told of no file that only its owner has."""
    entries = services.library.entries()
    own = services.policy.allows("use own files")
    return tuple(entry for entry in entries if own or entry.ref.hub != LOCAL)


def _is_named(entry: Entry, name: str) -> bool:
    return file_stem(Path(entry.file).name) == file_stem(name)
