"""Ref: text that names a LoRA, one of its versions, or one of its files.

    huggingface:OWNER/NAME@COMMIT#FILE      hf: is accepted
    civitai:MODEL@VERSION#FILE_ID           civitai:@VERSION while only the version is known (download links)
    replicate:OWNER/NAME@VERSION_HASH
    local:NAME@SHA256                       a file that no hub is known to have, named by its own bytes

OWNER/NAME alone is a repo on Hugging Face, as in every tool of that hub. Web addresses of the three hubs and CivitAI's
AIRs are read too; what is printed is always the form above.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, cast
from urllib.parse import parse_qs, unquote, urlsplit

from connectors.errors import BadRef

HubName = Literal["civitai", "huggingface", "replicate"]
# Where a LoRA is from: a hub, or this disk alone.
Origin = HubName | Literal["local"]
LOCAL: Literal["local"] = "local"
HUB_LABELS: dict[str, str] = {"civitai": "CivitAI", "huggingface": "Hugging Face", "replicate": "Replicate"}

ORIGIN_LABELS: dict[str, str] = {**HUB_LABELS, "local": "This computer"}

PINNED: dict[Origin, re.Pattern[str]] = {
    "civitai": re.compile(r"[0-9]{1,12}"),
    "huggingface": re.compile(r"[0-9a-f]{40}"),
    "replicate": re.compile(r"[0-9a-f]{64}"),
    "local": re.compile(r"[0-9a-f]{64}"),
}
_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}"
_ID: dict[Origin, re.Pattern[str]] = {
    "civitai": re.compile(r"[0-9]{0,12}"),
    "huggingface": re.compile(rf"{_NAME}(/{_NAME})?"),
    "replicate": re.compile(rf"{_NAME}/{_NAME}"),
    # A file's name as people write it, letters of any language, without what has a meaning in a ref or a path.
    "local": re.compile(r"\w(?:[\w .,()+-]{0,94}[\w)+])?"),
}
_ALIASES: dict[str, Origin] = {
    "civitai": "civitai",
    "hf": "huggingface",
    "huggingface": "huggingface",
    "replicate": "replicate",
    "local": "local",
}
_REVISION = re.compile(r"[A-Za-z0-9._/-]{1,200}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# OWNER/NAME[@COMMIT][#FILE] without a hub. An owner with a dot would be read as the host of a web address, and a name
# that ends like a weight file is a path that does not exist.
_BARE = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_-]{{0,95}}/(?P<name>{_NAME})(?:[@#].*)?", re.DOTALL)
_FILE_SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".tar")

# Pages of the hubs whose addresses look like OWNER/NAME.
_HF_PAGES = (
    "api|blog|chat|collections|datasets|docs|kernels|learn|models|new|organizations|papers|posts|settings|spaces|tasks"
)
_REPLICATE_PAGES = "account|blog|changelog|collections|deployments|docs|explore|guides|p|pricing|trainings"
# Each pattern is matched against "host/path" of a pasted address, without the query.
_ADDRESSES: tuple[tuple[HubName, re.Pattern[str]], ...] = (
    # https://civitai.com/models/257749/some-slug?modelVersionId=290640 (.red: mature domain, .green: old safe alias)
    ("civitai", re.compile(r"(?:www\.)?civitai\.(?:com|red|green)/models/(?P<id>\d+)(?:/.*)?")),
    # https://civitai.com/api/v1/models/257749
    ("civitai", re.compile(r"(?:www\.)?civitai\.(?:com|red|green)/api/v1/models/(?P<id>\d+)/?")),
    # https://civitai.com/api/download/models/290640?fileId=1, https://civitai.com/model-versions/290640
    (
        "civitai",
        re.compile(
            r"(?:www\.)?civitai\.(?:com|red|green)/"
            r"(?:api/download/models|(?:api/v1/)?model-versions)/(?P<version>\d+)"
        ),
    ),
    # https://huggingface.co/OWNER/NAME/blob/main/some/file.safetensors, .../tree/main/folder, .../discussions/3
    (
        "huggingface",
        re.compile(
            rf"(?:www\.)?(?:huggingface\.co|hf\.co)/(?:api/models/)?"
            rf"(?!(?:{_HF_PAGES})/)(?P<id>{_NAME}/{_NAME})"
            r"(?:/(?:blob|resolve|raw)/(?P<version>[^/]+)(?:/(?P<file>.+))?"
            r"|/(?:tree|commits?)/(?P<version2>[^/]+)(?:/.*)?"
            r"|/(?:discussions|community)(?:/.*)?)?/?"
        ),
    ),
    # https://replicate.com/OWNER/NAME/versions/HASH, https://replicate.com/OWNER/NAME:HASH
    (
        "replicate",
        re.compile(
            rf"(?:www\.)?replicate\.com/(?!(?:{_REPLICATE_PAGES})/)(?P<id>{_NAME}/[A-Za-z0-9._-]+)"
            r"(?::(?P<version>[0-9a-f]{64})|/versions/(?P<version2>[0-9a-f]{64})(?:/[a-z]*)?|/[a-z]*)?/?"
        ),
    ),
)
# urn:air:flux1:lora:civitai:257749@290640+123.safetensors; "urn:" and "air:" may be left out
_AIR = re.compile(
    r"(?:urn:)?(?:air:)?[a-z0-9_.-]+:[a-z]+:(?P<hub>civitai|huggingface|replicate):(?P<id>[^@+]+?)"
    r"(?:@(?P<version>[a-z0-9_-]+))?(?:\+(?P<file>\d+))?(?:\.[a-z]+)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Ref:
    """`version` is a commit, a version id or a version hash once pinned; before that it may be a branch or tag."""

    hub: Origin
    id: str
    version: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        version = f"@{self.version}" if self.version else ""
        file = f"#{self.file}" if self.file else ""
        return f"{self.hub}:{self.id}{version}{file}"

    @property
    def pinned(self) -> bool:
        """Whether the version names bytes that can't change under the same name."""
        return self.version is not None and PINNED[self.hub].fullmatch(self.version) is not None

    @property
    def lora(self) -> Ref:
        """The LoRA itself, without version and file."""
        return replace(self, version=None, file=None)

    def at(self, version: str | None, file: str | None = None) -> Ref:
        return replace(self, version=version, file=file)

    @staticmethod
    def parse(text: str) -> Ref:
        """Raises BadRef with an example of what would have been understood."""
        text = text.strip()
        for ref in _readings(text):
            _check(ref, text)
            return ref
        raise _bad(text)


def local_ref(name: str, sha256: str) -> Ref:
    """The ref of a file that no hub is known to have; `name` is the file's, without its ending."""
    plain = re.sub(r"[^\w .,()+-]+", "-", name)
    kept = re.sub(r"^[^\w]+|[^\w)+]+$", "", plain[:96])
    return Ref(hub=LOCAL, id=kept or "unnamed", version=sha256)


def is_id(hub: Origin, text: str) -> bool:
    """Whether `text` can be the id part of a ref."""
    return bool(text) and _ID[hub].fullmatch(text) is not None


def is_bare(text: str) -> bool:
    """Whether `text` would be read as OWNER/NAME of Hugging Face, which in a search box may just be two words."""
    bare = _BARE.fullmatch(text.strip())
    return bare is not None and not bare["name"].lower().endswith(_FILE_SUFFIXES)


def is_path(path: str) -> bool:
    """Whether a file of a repo may be named so: a hub's answer must not lead out of a folder."""
    climbs = path.startswith("/") or "\\" in path or ".." in path.split("/")
    return bool(path) and not climbs and _CONTROL.search(path) is None


def _readings(text: str) -> Iterator[Ref]:
    if "://" in text:
        yield from _from_address(text)
        return
    prefix, colon, rest = text.partition(":")
    if colon and prefix.lower() in _ALIASES:
        yield _from_own_form(_ALIASES[prefix.lower()], rest)
    elif match := _AIR.fullmatch(text):
        hub = cast(HubName, match["hub"].lower())
        yield Ref(hub=hub, id=match["id"], version=match["version"], file=match["file"])
    elif is_bare(text):
        yield _from_own_form("huggingface", text)
    elif "." in text.split("/")[0]:
        yield from _from_address("https://" + text)


def _from_own_form(hub: Origin, rest: str) -> Ref:
    name, _, file = rest.partition("#")
    name, at, version = name.partition("@")
    if at and not version:
        raise _bad(f"{hub}:{rest}")
    return Ref(hub=hub, id=name.strip("/"), version=version or None, file=file or None)


def _from_address(text: str) -> Iterator[Ref]:
    try:
        parts = urlsplit(text)
    except ValueError:  # a bracket that opens no IPv6 address
        return
    place = f"{(parts.hostname or '').lower()}{unquote(parts.path)}"
    for hub, pattern in _ADDRESSES:
        match = pattern.fullmatch(place)
        if match is None:
            continue
        found = match.groupdict()
        query = parse_qs(parts.query)
        version = found.get("version") or found.get("version2") or _first(query, "modelVersionId")
        yield Ref(hub=hub, id=found.get("id") or "", version=version, file=found.get("file") or _first(query, "fileId"))


def _first(query: dict[str, list[str]], name: str) -> str | None:
    return next(iter(query.get(name, [])), None)


def _check(ref: Ref, text: str) -> None:
    if not _ID[ref.hub].fullmatch(ref.id) or not (ref.id or ref.version):
        raise _bad(text)
    if ref.version is not None and not _valid_version(ref):
        raise _bad(text)
    if ref.file is not None and not _valid_file(ref):
        raise _bad(text)


def _valid_version(ref: Ref) -> bool:
    version = ref.version or ""
    if ref.hub == "huggingface":
        return _REVISION.fullmatch(version) is not None and ".." not in version
    return PINNED[ref.hub].fullmatch(version) is not None


def _valid_file(ref: Ref) -> bool:
    file = ref.file or ""
    # The version is the file's own hash already.
    if ref.hub == LOCAL:
        return False
    if ref.hub == "civitai":
        return file.isascii() and file.isdigit()
    return is_path(file)


def _bad(text: str) -> BadRef:
    shown = _CONTROL.sub("?", text)[:120]
    return BadRef(
        f"“{shown}” names no LoRA. Paste its web address, or write huggingface:OWNER/NAME (OWNER/NAME alone will do), "
        "civitai:MODEL@VERSION or replicate:OWNER/NAME."
    )
