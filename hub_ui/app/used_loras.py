"""Find the LoRA that a text names, or that an image was made with, by hash, version or name."""

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

# A match by name is uncertain, because several files may have the same name.
FoundBy = Literal["bytes", "version", "name"]
_MOST_NAMED = 12
# A SHA-256, BLAKE3, AutoV2 or AutoV3 hash, optionally after its kind or a file name: "ink: 0123456789ab".
_HASH = re.compile(
    r"(?:[^:\n]{1,300}: *)?(?P<hash>(?=[a-f]*\d)(?:[0-9a-f]{64}|[0-9a-f]{12}|[0-9a-f]{10}))", re.IGNORECASE
)
# https://civitai.com/api/v1/model-versions/by-hash/HASH, https://civarchive.com/sha256/HASH
_HASH_URL = re.compile(
    r"https?://(?:www\.)?civ(?:itai)?(?:archive)?\.(?:com|red|green)/(?:api/v1/model-versions/by-hash|sha256)"
    r"/(?P<hash>[0-9a-f]{8,64})/?",
    re.IGNORECASE,
)
# Every text that Ref.parse accepts contains at least one of these.
_SIGNS = ("/", ":", "@", "--", "%3A")
_PREFIX = re.compile(r"(?P<prefix>[^\s:]+):\S+")
_FILE = re.compile(r"[^/\\:\x00-\x1f]{1,300}\.safetensors", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundLora:
    """The result of a search for a used LoRA. `ref` is None if it was not found.

    `error` is the first error of a hub, if there was one and the LoRA was not found.
    """

    used: UsedLora
    ref: Ref | None = None
    by: FoundBy | None = None
    error: HubUiError | None = None

    @property
    def failure(self) -> str:
        return self.error.message if self.error else ""


def find_ref(services: Services, text: str, *, asks: bool = True) -> Ref:
    """Return the ref of the LoRA that `text` names: a ref or URL, or the hash or name of its file.

    No request is sent to a hub if `asks` is False. Raise BadRef if the text is none of these, NotFound if the hash or
    name is unknown, or the hub's error.
    """
    try:
        return Ref.parse(text)
    except BadRef:
        used = _read_used(text)
        if used is None:
            raise
    if asks:
        services.quotas.spend("opens")
    result = find_used_lora(services, used, asks=asks)
    if result.ref is not None:
        return result.ref
    if result.error is not None:
        raise result.error
    if used.hash:
        where = "the library, the catalog and the hubs that know hashes" if asks else "the library and the catalog"
        raise NotFound(f"No LoRA in {where} has a file with the hash {used.hash}. Search for its title.")
    raise NotFound(
        f"No file called {used.name[:80]} was seen so far. Search for its title, or paste its page's address."
    )


def may_be_name(text: str) -> bool:
    """Check whether `text` may name one LoRA: OWNER/NAME, a URL, a ref, a hash, a tag or a file name."""
    return any(sign in text for sign in _SIGNS) or _read_used(text) is not None


def find_searched(services: Services, text: str, *, asks: bool = True) -> Ref | None:
    """Return the ref of the LoRA that a search for `text` means.

    Return None if `text` is words or an unknown name (see `words_of_name`). Raise the errors of `find_ref` for an
    unknown URL or hash.
    """
    if not may_be_name(text) or is_filter(text):
        # Check for filters first, because Ref.parse would read "tag:lora:civitai:1" as an AIR.
        return None
    if is_bare(unwrap(text)):
        return _find_id(services, unwrap(text), asks=asks)
    try:
        return find_ref(services, text, asks=asks)
    except NotFound:
        if words_of_name(text):
            return None
        raise
    except BadRef:
        # Report an invalid URL, AIR or ref as an error, because a search for its words would be useless.
        match = _PREFIX.fullmatch(text)
        is_name = "://" in text or text.lower().startswith(("urn:air:", "air:"))
        if is_name or (match and find_origin(match["prefix"]) in HUBS):
            raise
        return None


def words_of_name(text: str) -> str:
    """Return the words of the name in `text`, a tag such as `<lora:NAME:1>` or a file name.

    A search for these words may find a LoRA whose name is spelled differently. Return an empty string for other texts.
    """
    used = _read_used(text)
    return file_stem(used.name) if used is not None and used.hash is None else ""


def _find_id(services: Services, name: str, *, asks: bool) -> Ref | None:
    """Return the ref if a hub has OWNER/NAME, because the text may also be two search words."""
    bare = Ref.parse(name)
    find = services.lookup.get if asks else services.lookup.known
    for ref in (replace(bare, hub=hub) for hub in HUBS if is_id(hub, bare.id)):
        with suppress(HubUiError):
            find(ref)
            return ref
    return None


def _read_used(text: str) -> UsedLora | None:
    plain = unwrap(text)
    if match := _HASH.fullmatch(plain) or _HASH_URL.fullmatch(plain):
        return UsedLora(name="", hash=match["hash"].lower())
    if _FILE.fullmatch(plain):
        return UsedLora(name=plain)
    tags = loras(Infotext(prompt=text.strip())) if plain.lower().startswith(("lora:", "lyco:")) else ()
    return tags[0] if len(tags) == 1 else None


def find_used_lora(services: Services, used: UsedLora, *, asks: bool = True) -> FoundLora:
    """Find a LoRA by its CivitAI version, then by its hash in the library, the catalog and on hubs, then by its name.

    No request by hash is sent if `asks` is False.
    """
    failure: HubUiError | None = None
    for find in (_by_version, _by_hash_here, *((_by_hash_on_hubs,) if asks else ()), _by_name):
        try:
            found = find(services, used)
        # If a hub is down, the LoRA may still be found in another way.
        except HubUiError as error:
            failure = failure or error
            continue
        if found is not None:
            ref, by = found
            return FoundLora(used=used, ref=ref, by=by)
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
    """Find a LoRA by its hash in the library or the catalog.

    AutoV3 hashes only the tensors, so the file must be read. Only files of the LoRA's name are read.
    """
    if used.hash is None:
        return None
    entries = _entries(services)
    for entry in entries:
        if entry.sha256.startswith(used.hash):
            return entry.ref, "bytes"
    for entry in entries:
        if _is_named(entry, used.name) and autov3(services.library.path(entry)) == used.hash:
            return entry.ref, "bytes"
    refs = services.catalog.by_hash(used.hash)
    return (refs[0], "bytes") if refs else None


def _by_hash_on_hubs(services: Services, used: UsedLora) -> tuple[Ref, FoundBy] | None:
    if used.hash:
        with suppress(NotFound):
            return services.lookup.request_by_hash(used.hash)[1], "bytes"
    return None


def _by_name(services: Services, used: UsedLora) -> tuple[Ref, FoundBy] | None:
    entry = next((entry for entry in _entries(services) if _is_named(entry, used.name)), None)
    ref = entry.ref if entry else next(_find_named(services, used.name), None)
    return (ref, "name") if ref else None


def _find_named(services: Services, name: str) -> Iterator[Ref]:
    """Yield the files in the catalog with this name, and the LoRAs with this title."""
    stem = file_stem(name)
    words = " ".join(stem.replace("-", " ").split())[:LONGEST_TEXT]
    for record in (
        services.catalog.search(Query(text=words, limit=_MOST_NAMED, nsfw="explicit")).records if words else ()
    ):
        lora = services.catalog.lora(record.ref.lora)
        for version in lora.versions:
            yield from (file.ref for file in version.files if file_stem(file.name) == stem)
        if file_stem(lora.title) == stem:
            yield record.ref


def _entries(services: Services) -> tuple[Entry, ...]:
    """Return the library's entries. Visitors of a shared page don't see its local files."""
    entries = services.library.entries()
    shows_local = services.policy.allows("use own files")
    return tuple(entry for entry in entries if shows_local or entry.ref.hub != LOCAL)


def _is_named(entry: Entry, name: str) -> bool:
    return file_stem(Path(entry.file).name) == file_stem(name)
