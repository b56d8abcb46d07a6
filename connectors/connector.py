"""The interfaces of a hub's connector, the downloads that it returns, and the filters that hubs don't offer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable
from urllib.parse import quote

from connectors.claims.base_models import matches
from connectors.claims.resolve import best, flatten
from connectors.http.json_fields import moment
from connectors.query import Page, Query
from connectors.record import Claim, Example, Lora, Version, limit_nsfw
from connectors.ref import LOCAL, HubName, Ref
from connectors.registry import ref_format


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpDownload:
    """A file at one URL.

    `headers` may hold a key: they are sent to the URL's own origin only. `source` is the permanent address of the same
    bytes if `url` is a signed URL that expires. If `in_tar` is set, the URL returns a tar that holds the requested file
    as its only .safetensors; `size` and `sha256` are then None, because the hub's values would be those of the tar.
    """

    ref: Ref
    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    size: int | None = None
    sha256: str | None = None
    in_tar: bool = False
    source: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HubDownload:
    """A file of a Hugging Face repo at the commit in `ref`. It is downloaded by huggingface_hub through its cache."""

    ref: Ref
    endpoint: str
    token: str | None = field(default=None, repr=False)
    size: int | None = None
    sha256: str | None = None

    @property
    def path(self) -> str:
        return self.ref.file or ""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def url(self) -> str:
        return f"{self.endpoint}/{self.ref.id}/resolve/{self.ref.version}/{quote(self.path)}"


Download = HttpDownload | HubDownload


def over_http(download: Download) -> HttpDownload:
    """Return the same file as a plain HTTP download, without huggingface_hub and its cache."""
    if isinstance(download, HttpDownload):
        return download
    headers = {"Authorization": f"Bearer {download.token}"} if download.token else {}
    return HttpDownload(
        ref=download.ref,
        name=download.name,
        url=download.url,
        headers=headers,
        size=download.size,
        sha256=download.sha256,
    )


class LoraSource(Protocol):
    """A source of LoRAs. Its methods raise only errors of connectors.errors, with `hub` set."""

    def get(self, ref: Ref) -> Lora:
        """Return the LoRA with every version and file. Raises NotFound if it is missing or deleted."""
        ...

    def download(self, ref: Ref, lora: Lora | None = None) -> Download:
        """Return the download of a pinned ref. `lora`, as returned by `get`, saves a request. Raises AccessError."""
        ...

    def locate(self, ref: Ref) -> Download:
        """Return the download of a pinned ref without a request. A refusal shows only when its URL is read."""
        ...


class Connector(LoraSource, Protocol):
    """A hub: a source that can be searched."""

    @property
    def name(self) -> HubName: ...

    def search(self, query: Query, cursor: str | None = None) -> Page:
        """Return one page. It has fewer LoRAs than the limit if some fail a filter that the hub doesn't offer."""
        ...


@runtime_checkable
class HasHistory(Protocol):
    """A hub whose `get` returns one version only, with a separate request for the others."""

    def history(self, ref: Ref) -> tuple[Version, ...]:
        """Return the newest versions, newest first, without their files."""
        ...


@runtime_checkable
class HasImages(Protocol):
    """A hub that lists the images that people made with a version, with their settings."""

    def images(self, ref: Ref) -> tuple[Example, ...]:
        """Return the images of the version in `ref`, of every NSFW level. They are counted only, never shown."""
        ...


@runtime_checkable
class FindsByHash(Protocol):
    """A hub that finds a file by any of its hashes."""

    def by_hash(self, value: str) -> tuple[Lora, Ref]: ...


def pin(source: LoraSource, ref: Ref) -> Ref:
    """Return `ref` with its version pinned and its file named. Raises NotFound.

    This costs no request if `ref` names both already.
    """
    has_file = ref.file is not None or ref_format(ref.hub).file is None
    # A local file may be in the library under another name: its hash identifies it.
    if ref.hub != LOCAL and ref.id and ref.is_pinned and has_file:
        return ref
    return source.get(ref).pin(ref)


def make_page(loras: Sequence[Lora], query: Query, cursor: str | None) -> Page:
    """Return a page of the LoRAs that match, with the refs of the LoRAs that must not be shown to anyone."""
    withheld = tuple(lora.ref for lora in loras if lora.is_withheld)
    return Page(loras=filter_loras(loras, query), cursor=cursor, withheld=withheld)


def filter_loras(loras: Iterable[Lora], query: Query) -> tuple[Lora, ...]:
    """Return the LoRAs that match, with the versions for a requested base first, since a card shows the first version.

    Runners are left out unless `query.kinds` has their kind. An entry that is neither a LoRA nor a runner never
    matches.
    """
    matching = []
    for lora in limit_nsfw(loras, query.nsfw):
        if best(lora.claims, "is_lora") is False:
            continue
        kind = flatten(lora).kind
        if kind not in query.kinds if query.kinds else kind == "runner":
            continue
        if query.bases:
            on_base = {v.ref: _is_on_base((*v.claims, *lora.claims), query) for v in lora.versions}
            if not any(on_base.values()) and not _is_on_base(lora.claims, query):
                continue
            lora = replace(lora, versions=tuple(sorted(lora.versions, key=lambda v: not on_base[v.ref])))
        matching.append(lora)
    return tuple(matching)


def _is_on_base(claims: tuple[Claim, ...], query: Query) -> bool:
    base, architecture, raw = (best(claims, name) for name in ("base_model", "architecture", "raw_base_model"))
    return matches(base, architecture, raw, query.bases)


def is_past(query: Query, updates: Iterable[str | None]) -> bool:
    """Return whether all of a page is older than `query.age`, so that later pages of a list sorted by newest are too.

    `updates` are the times of all entries on the page, also of entries that are not LoRAs. All of them must be older,
    because hubs don't keep the order to the second.
    """
    if query.sort != "newest" or query.age is None or query.age.most is None:
        return False
    now = datetime.now(UTC)
    ages = [(now - at).total_seconds() for at in map(moment, updates) if at is not None]
    return bool(ages) and min(ages) > query.age.most
