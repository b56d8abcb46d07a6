"""Ref: a text that names a LoRA, one of its versions, or one of its files.

    huggingface:OWNER/NAME@COMMIT#FILE      hf: is accepted
    civitai:MODEL@VERSION#FILE_ID           civitai:@VERSION if only the version is known (download links)
    replicate:OWNER/NAME@VERSION_HASH
    local:NAME@SHA256                       a file that is not on any known hub, named by its own hash

OWNER/NAME alone is a repo on Hugging Face, as in every tool of that hub. `Ref.parse` also reads web addresses of the
hubs, their mirrors and archives, CivitAI's AIRs, the spellings of the hubs' tools, and code that loads a LoRA, even
within a sentence. A ref is always printed in the form above. registry.py has the patterns of the parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from connectors.errors import BadRef
from connectors.registry import HUBS, NAME, PATH, find_origin, ref_format
from connectors.registry import LOCAL as LOCAL
from connectors.registry import HubName as HubName
from connectors.registry import Origin as Origin
from connectors.snippets import refs_of

# A slash within the name of a branch or a folder.
_SLASH = re.compile("%2F", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Line breaks in pasted code. A backslash continues a command.
_LINES = re.compile(r"\\?[\r\n]+[\t ]*|\t")
# OWNER/NAME[@COMMIT][#FILE] without a hub. An owner with a dot would be read as the host of a web address, and a name
# that ends like a weight file is the path of a missing file.
_BARE = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_-]{{0,95}}/(?P<name>{NAME})(?:[@#].*)?", re.DOTALL)
_FILE_SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".tar")
# urn:air:flux1:lora:civitai:257749@290640+123.safetensors; "urn:" and "air:" may be left out. A layer, a type and a
# strength after it are not part of the name.
_AIR = re.compile(
    r"(?:urn:)?(?:air:)?[a-z0-9_.-]+:[a-z]+:(?P<hub>[a-z]+):(?P<id>[^@+]+?)"
    r"(?:@(?P<version>[a-z0-9_./%-]+?))?(?:\+(?P<file>\d+))?(?:\.[a-z]+)?(?:[?*:].*)?",
    re.IGNORECASE,
)
# Real addresses are shorter.
_LONGEST = 4_000
_QUOTES = "\"'`“”„‘’«»「」『』《》\u200b\u2060\ufeff \t\n\r*"
_OPENING, _CLOSING = f"{_QUOTES}(<[{{（【", f"{_QUOTES})>]}}）】.,;:!?。，、；：！？…\\"
# Chinese and Japanese punctuation ends an address as well, since no space follows it.
_ADDRESS = re.compile(r"https?://(?:(?!\]\(|\[/)[^\s<>\"|，。、；：！？）】」』》…\\])+", re.IGNORECASE)
_BBCODE = re.compile(r"\[(?:url|link)=([^\]\s]+)\]", re.IGNORECASE)
# "https:/civitai.com" and "https:civitai.com", as people mistype it, but not a port and not a part of another word.
_BROKEN_SCHEME = re.compile(r"(?<![\w/.:-])(https?):/?(?=[a-z0-9][a-z0-9-]*\.)", re.IGNORECASE)
_ENCODED_ADDRESS = re.compile(r"https?%3A%2F%2F\S+", re.IGNORECASE)
_WORD = re.compile(r"[^\s\"'`<>()\[\]{}|（）【】「」，。、；]+")
# https://web.archive.org/web/20240101000000/https://civitai.com/models/1, https://archive.ph/newest/https://...
_ARCHIVE = re.compile(
    r"https?://(?:web\.archive\.org/(?:web|save)|archive\.(?:ph|is|today|li|md|vn|fo))/"
    r"(?:(?:\d[\d.-]*(?:[a-z]{2}_)?|[a-z]+|\*)/)?((?:https?:/)?.+)",
    re.IGNORECASE,
)
# Pages that redirect to the address in their query, for links copied from search results or messages.
_FORWARDING = re.compile(
    r"(?:(?:www\.)?google\.[a-z.]{2,6}/url|out\.reddit\.com/.*|(?:l|lm)\.facebook\.com/l\.php|vk\.com/away\.php"
    r"|(?:www\.)?youtube\.com/redirect|steamcommunity\.com/linkfilter/?|(?:www\.)?duckduckgo\.com/l/?)"
)
_FORWARDED = ("q", "url", "u", "to", "uddg")


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Ref:
    """The name of a LoRA, with a version and a file if they are chosen.

    A pinned `version` is a commit, a version id or a version hash; before that it may be a branch or tag.
    """

    hub: Origin
    id: str
    version: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        version = f"@{self.version}" if self.version else ""
        file = f"#{self.file}" if self.file else ""
        return f"{self.hub}:{self.id}{version}{file}"

    @property
    def is_pinned(self) -> bool:
        """Whether the version names bytes that can't change under the same name."""
        return self.version is not None and is_pinned_version(self.hub, self.version)

    @property
    def lora(self) -> Ref:
        """The LoRA itself, without version and file."""
        return replace(self, version=None, file=None)

    def at(self, version: str | None, file: str | None = None) -> Ref:
        return replace(self, version=version, file=file)

    @staticmethod
    def parse(text: str) -> Ref:
        """Return the first valid ref in `text`. Raises BadRef with examples of refs."""
        is_readable = len(text) <= _LONGEST and not _CONTROL.search(_LINES.sub(" ", text.strip()))
        readings = dict.fromkeys((text.strip(), unwrap(text))) if is_readable else ()
        for ref in (ref for reading in readings for ref in _parse(reading)):
            form = ref_format(ref.hub)
            version = form.version or form.pinned
            if (
                (ref.id or ref.version)
                and form.id.fullmatch(ref.id)
                and (ref.version is None or version.fullmatch(ref.version))
                and (ref.file is None or (form.file and form.file.fullmatch(ref.file)))
            ):
                return ref
        raise _bad_ref(text.strip())


def local_ref(name: str, sha256: str) -> Ref:
    """Return the ref of a file that is not on any known hub. `name` is the file's name without its suffix."""
    replaced = re.sub(r"[^\w .,()+-]+", "-", name)
    trimmed = re.sub(r"^[^\w]+|[^\w)+]+$", "", replaced[:96])
    return Ref(hub=LOCAL, id=trimmed or "unnamed", version=sha256)


def is_id(hub: Origin, text: str) -> bool:
    """Return whether `text` is valid as the id of a ref."""
    return bool(text) and ref_format(hub).id.fullmatch(text) is not None


def is_pinned_version(hub: Origin, text: str) -> bool:
    """Return whether `text` is a version that can't change under the same name: a commit, a hash, a number."""
    return ref_format(hub).pinned.fullmatch(text) is not None


def is_bare(text: str) -> bool:
    """Return whether `text` has the form OWNER/NAME of Hugging Face, which in a search box may just be two words."""
    bare = _BARE.fullmatch(text.strip())
    return bare is not None and not bare["name"].lower().endswith(_FILE_SUFFIXES)


def is_path(path: str) -> bool:
    """Return whether `path` is safe as the path of a file in a repo: a hub must not name a file outside the folder."""
    return PATH.fullmatch(path) is not None


def unwrap(text: str) -> str:
    """Return `text` without the quotes, brackets and punctuation around it."""
    return text.lstrip(_OPENING).rstrip(_CLOSING)


def _parse(text: str) -> Iterator[Ref]:
    """Yield the readings of `text`: as one name, then the addresses in it, its code, and words that are names."""
    yield from _parse_name(text)
    if _ENCODED_ADDRESS.fullmatch(text):
        text = unquote(text)
    text = _BROKEN_SCHEME.sub(r"\1://", _BBCODE.sub(r" \1 ", text))
    for ref in refs_of(text.replace("\\\n", " ")):
        yield _parse_parts(*ref.split(":", 1))
    for address in _ADDRESS.findall(text):
        yield from _parse_address(unwrap(address))
    for word in map(unwrap, _WORD.findall(text)):
        yield from _parse_word(word)


def _parse_name(text: str) -> Iterator[Ref]:
    """Yield the readings of a text that consists of a name only."""
    yield from _parse_spelling(text)
    prefix, colon, rest = text.partition(":")
    if "://" in text:
        return
    if colon and (origin := find_origin(prefix)):
        # Allow "hf: OWNER/NAME" for hubs. A local file's name can't begin with a space.
        yield _parse_parts(origin, rest.lstrip(" ") if origin in HUBS else rest)
    elif air := _AIR.fullmatch(text):
        yield from _parse_air(air)
    elif is_bare(text):
        yield _parse_parts("huggingface", text)


def _parse_word(word: str) -> Iterator[Ref]:
    """Yield the readings of a word in a sentence, in which OWNER/NAME may be two words."""
    if "://" in word:
        return
    yield from _parse_spelling(word)
    if (start := word.lower().find("urn:air:")) >= 0 and (air := _AIR.fullmatch(word, start)):
        yield from _parse_air(air)
    elif "." in (address := word.removeprefix("//")).split("/")[0]:
        yield from _parse_address("https://" + address)


def _parse_spelling(text: str) -> Iterator[Ref]:
    for hub in HUBS.values():
        for match in filter(None, (pattern.fullmatch(text) for pattern in hub.ref.spellings)):
            yield _ref_of_match(hub.name, match, {})


def _parse_air(air: re.Match[str]) -> Iterator[Ref]:
    if (origin := find_origin(air["hub"])) in HUBS:
        version = unquote(air["version"]) if air["version"] else None
        yield Ref(hub=str(origin), id=air["id"], version=version, file=air["file"])


def _parse_parts(origin: Origin, rest: str) -> Ref:
    name, _, file = rest.partition("#")
    name, at, version = name.partition("@")
    if at and not version:
        raise _bad_ref(f"{origin}:{rest}")
    return Ref(hub=origin, id=name.strip("/"), version=version or None, file=file or None)


def _parse_address(text: str) -> Iterator[Ref]:
    archived = _ARCHIVE.fullmatch(text)
    parts = _split(re.sub("^(?:(https?):/+)?", "https://", archived[1]) if archived else text)
    if parts is None:
        return
    path = re.sub("/{2,}", "/", parts.path)
    host_and_path = f"{(parts.hostname or '').lower()}{unquote(_SLASH.sub('%252F', path))}"
    # CivitAI's addresses have version and file in their query. In the source of a page, "&" is "&amp;".
    query = {name: values[0] for name, values in parse_qs(parts.query.replace("&amp;", "&")).items()}
    if _FORWARDING.fullmatch(host_and_path):
        parts = _split(next(filter(None, map(query.get, _FORWARDED)), ""))
        if parts is not None and not _FORWARDING.fullmatch(f"{(parts.hostname or '').lower()}{parts.path}"):
            yield from _parse_address(parts.geturl())
        return
    for hub in HUBS.values():
        for match in filter(None, (pattern.fullmatch(host_and_path) for pattern in hub.ref.addresses)):
            yield _ref_of_match(hub.name, match, query)


def _split(address: str) -> SplitResult | None:
    try:
        return urlsplit(address)
    except ValueError:  # a bracket that doesn't open an IPv6 address
        return None


def _ref_of_match(hub: HubName, match: re.Match[str], query: Mapping[str, str]) -> Ref:
    groups = {name: _SLASH.sub("/", group) for name, group in match.groupdict(default="").items()}
    version = groups.get("version") or groups.get("version2") or query.get("modelVersionId")
    lora = groups.get("id") or query.get("modelId") or ""
    return Ref(hub=hub, id=lora, version=version, file=groups.get("file") or query.get("fileId"))


def _bad_ref(text: str) -> BadRef:
    shown = _CONTROL.sub("?", text)[:120]
    *examples, last = (hub.example for hub in HUBS.values())
    hint = "Paste its web address"
    addresses = [unwrap(address) for address in _ADDRESS.findall(text[:_LONGEST])]
    if page := next(filter(None, map(_other_page, addresses)), None):
        hint = f"It is the address of {page}: paste the address of the LoRA's own page"
    elif label := next(filter(None, map(_label_of_host, addresses)), None):
        hint = (
            f"An address of {label} for an image, a list or a signed download does not say of which it is: paste the "
            "address of the LoRA's own page"
        )
    return BadRef(f"“{shown}” names no LoRA. {hint}, or write {', '.join(examples)} or {last}.")


def _other_page(address: str) -> str | None:
    """Return the name of a hub's page that doesn't show a LoRA, such as "a Space on Hugging Face"."""
    parts = _split(address)
    host_and_path = f"{(parts.hostname or '').lower()}{parts.path}" if parts else ""
    pages = ((hub, name, pattern) for hub in HUBS.values() for name, pattern in hub.ref.other_pages.items())
    return next((f"{name} on {hub.label}" for hub, name, pattern in pages if pattern.fullmatch(host_and_path)), None)


def _label_of_host(address: str) -> str | None:
    parts = _split(address)
    host = f".{parts.hostname or ''}" if parts else ""
    return next(
        (hub.label for hub in HUBS.values() if any(host.endswith(f".{name.removeprefix('*.')}") for name in hub.hosts)),
        None,
    )
