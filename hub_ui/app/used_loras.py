"""The LoRAs that a text names or an image was made with, found by their bytes, their version or their name."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from connectors.connector import pin
from connectors.errors import BadRef, HubUiError, NotFound
from connectors.query import LONGEST_TEXT, Query
from connectors.query_language import is_filter
from connectors.ref import LOCAL, Ref, is_bare, is_id, unwrap
from connectors.registry import HUBS, find_origin
from hub_ui.app.services import Services
from hub_ui.images.example_settings import file_stem
from hub_ui.images.infotext import Infotext, UsedLora, autov3, loras
from hub_ui.library.lockfile import Entry

# A name is not proof: another file may bear it.
FoundBy = Literal["bytes", "version", "name"]
_MOST_NAMED = 12
# A SHA-256 or BLAKE3, AutoV2 or AutoV3, alone or behind its kind or the file's name: "ink: 0123456789ab".
_HASH = re.compile(
    r"(?:[^:\n]{1,300}: *)?(?P<hash>(?=[a-f]*\d)(?:[0-9a-f]{64}|[0-9a-f]{12}|[0-9a-f]{10}))", re.IGNORECASE
)
# https://civitai.com/api/v1/model-versions/by-hash/HASH, https://civarchive.com/sha256/HASH
_HASH_ADDRESS = re.compile(
    r"https?://(?:www\.)?civ(?:itai)?(?:archive)?\.(?:com|red|green)/(?:api/v1/model-versions/by-hash|sha256)"
    r"/(?P<hash>[0-9a-f]{8,64})/?",
    re.IGNORECASE,
)
# One of these is in each name that Ref.parse reads.
_SIGNS = ("/", ":", "@", "--", "%3A")
_PREFIX = re.compile(r"(?P<prefix>[^\s:]+):\S+")
_FILE = re.compile(r"[^/\\:\x00-\x1f]{1,300}\.safetensors", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundLora:
    """`ref` None: it was not found. `error` is what kept a hub from being asked."""

    used: UsedLora
    ref: Ref | None = None
    by: FoundBy | None = None
    error: HubUiError | None = None

    @property
    def failure(self) -> str:
        return self.error.message if self.error else ""


def find_ref(services: Services, text: str, *, asks: bool = True) -> Ref:
    """The LoRA that `text` names: as it is written, or by a hash or the name of its file. With `asks` False, no hub is
    asked. Raises BadRef, for a hash or a file that nobody knows NotFound, or why a hub could not be asked.
    """
    try:
        return Ref.parse(text)
    except BadRef:
        used = _read_used(text)
        if used is None:
            raise
    if asks:
        services.quotas.spend("opens")
    found = find_used_lora(services, used, asks=asks)
    if found.ref is not None:
        return found.ref
    if found.error is not None:
        raise found.error
    if used.hash:
        where = "the library, the catalog and the hubs that know hashes" if asks else "the library and the catalog"
        raise NotFound(f"No LoRA in {where} has a file with the hash {used.hash}. Search for its title.")
    raise NotFound(
        f"No file called {used.name[:80]} was seen so far. Search for its title, or paste its page's address."
    )


def may_be_name(text: str) -> bool:
    """Whether a search for `text` may mean one LoRA: OWNER/NAME, an address, a ref, a hash, a tag, a file's name."""
    return any(sign in text for sign in _SIGNS) or _read_used(text) is not None


def find_searched(services: Services, text: str, *, asks: bool = True) -> Ref | None:
    """The LoRA that a search for `text` means; None where `text` is words, or a name that nobody has seen (see
    `words_of_name`). Raises what `find_ref` does for an address or a hash that nobody knows.
    """
    if not may_be_name(text) or is_filter(text):
        # "tag:lora:civitai:1" would be an AIR otherwise.
        return None
    if is_bare(unwrap(text)):
        return _find_bare(services, unwrap(text), asks=asks)
    try:
        return find_ref(services, text, asks=asks)
    except NotFound:
        if words_of_name(text):
            return None
        raise
    except BadRef:
        # This spelling means one LoRA by name, even if none has it.
        named = _PREFIX.fullmatch(text)
        is_name = "://" in text or text.lower().startswith(("urn:air:", "air:"))
        if is_name or (named and find_origin(named["prefix"]) in HUBS):
            raise
        return None


def words_of_name(text: str) -> str:
    """Return the words of the name in `text`, a tag such as `<lora:NAME:1>` or a file's name, so that a search for them
    may find what the name alone does not. Return an empty text for anything else.
    """
    used = _read_used(text)
    return file_stem(used.name) if used is not None and used.hash is None else ""


def _find_bare(services: Services, name: str, *, asks: bool) -> Ref | None:
    """OWNER/NAME may also be two search words, so a hub has to know it."""
    bare, find = Ref.parse(name), services.lookup.get if asks else services.lookup.known
    for ref in (replace(bare, hub=hub) for hub in HUBS if is_id(hub, bare.id)):
        with suppress(HubUiError):
            find(ref)
            return ref
    return None


def _read_used(text: str) -> UsedLora | None:
    plain = unwrap(text)
    if found := _HASH.fullmatch(plain) or _HASH_ADDRESS.fullmatch(plain):
        return UsedLora(name="", hash=found["hash"].lower())
    if _FILE.fullmatch(plain):
        return UsedLora(name=plain)
    tags = loras(Infotext(prompt=text.strip())) if plain.lower().startswith(("lora:", "lyco:")) else ()
    return tags[0] if len(tags) == 1 else None


def find_used_lora(services: Services, used: UsedLora, *, asks: bool = True) -> FoundLora:
    """By CivitAI's version, by its hash in the library, the catalog and on CivitAI, and at last by its name."""
    failure: HubUiError | None = None
    for find in (_by_version, _by_hash_here, *((_by_hash_on_hubs,) if asks else ()), _by_name):
        try:
            found = find(services, used)
        # A hub that is down costs its own answer only; the same LoRA may be found in another way.
        except HubUiError as error:
            failure = failure or error
            continue
        if found is not None:
            return FoundLora(used=used, ref=found[0], by=found[1])
    return FoundLora(used=used, error=failure)


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
    if used.hash:
        with suppress(NotFound):
            return services.lookup.ask_by_hash(used.hash)[1], "bytes"
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
