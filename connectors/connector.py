"""The interface of a hub's connector, what it returns for a download, and what it filters that its hub can't."""

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
    """A file at one URL. `headers` may hold a key: they are sent to the URL's own origin only.

    `source` is the lasting address of the same bytes where `url` is a signed one that expires.
    With `in_tar` the address answers with a tar that holds exactly one .safetensors, which is the file meant;
    `size` and `sha256` are then unknown, since they would be the tar's.
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
    """A file of a Hugging Face repo at one commit, which `ref` names, to be downloaded by huggingface_hub through its
    cache.
    """

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


def over_http(found: Download) -> HttpDownload:
    """The same file without huggingface_hub and its cache."""
    if isinstance(found, HttpDownload):
        return found
    headers = {"Authorization": f"Bearer {found.token}"} if found.token else {}
    return HttpDownload(
        ref=found.ref, name=found.name, url=found.url, headers=headers, size=found.size, sha256=found.sha256
    )


class LoraSource(Protocol):
    """A place that LoRAs come from. Its methods raise only the errors of connectors.errors, with `hub` set."""

    def get(self, ref: Ref) -> Lora:
        """Fetches the LoRA with every version and file. Raises NotFound when it is gone."""
        ...

    def download(self, ref: Ref, lora: Lora | None = None) -> Download:
        """Finds the bytes of a pinned ref; `lora`, as `get` returned it, saves a request. Raises AccessError."""
        ...

    def locate(self, ref: Ref) -> Download:
        """Builds the URL of a pinned ref's bytes without a request. A refusal shows once the URL is read."""
        ...


class Connector(LoraSource, Protocol):
    """A hub: a source that can be searched."""

    @property
    def name(self) -> HubName: ...

    def search(self, query: Query, cursor: str | None = None) -> Page:
        """Fetches one page. It may have fewer LoRAs than the limit: what the hub can't filter is filtered here."""
        ...


@runtime_checkable
class HasHistory(Protocol):
    """A hub whose `get` returns one version, and that can be asked for the others."""

    def history(self, ref: Ref) -> tuple[Version, ...]:
        """The newest versions, newest first, without their files."""
        ...


@runtime_checkable
class HasImages(Protocol):
    """A hub where people show what they made with a version, and how."""

    def images(self, ref: Ref) -> tuple[Example, ...]:
        """Those of the version that `ref` names, of every level: they are for counting, and shown to nobody."""
        ...


@runtime_checkable
class FindsByHash(Protocol):
    """A hub that can be asked for a file by any hash of it."""

    def by_hash(self, value: str) -> tuple[Lora, Ref]: ...


def pin(source: LoraSource, ref: Ref) -> Ref:
    """Resolves `ref` to a pinned version and file, without a request if it names both. Raises NotFound."""
    has_file = ref.file is not None or ref_format(ref.hub).file is None
    # A local file may be in the library under another name: its hash identifies it.
    if ref.hub != LOCAL and ref.id and ref.is_pinned and has_file:
        return ref
    return source.get(ref).pin(ref)


def make_page(loras: Sequence[Lora], query: Query, cursor: str | None) -> Page:
    """Return the LoRAs that match, and the refs of those that nobody may be shown."""
    withheld = tuple(lora.ref for lora in loras if lora.is_withheld)
    return Page(loras=filter_loras(loras, query), cursor=cursor, withheld=withheld)


def filter_loras(loras: Iterable[Lora], query: Query) -> tuple[Lora, ...]:
    """The LoRAs that match. Versions for one of the bases come first, since a card shows the first version.

    A runner, which is no LoRA, is found by asking for its kind, and what is neither by its ref alone.
    """
    found = []
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
        found.append(lora)
    return tuple(found)


def _is_on_base(claims: tuple[Claim, ...], query: Query) -> bool:
    base, architecture, raw = (best(claims, name) for name in ("base_model", "architecture", "raw_base_model"))
    return matches(base, architecture, raw, query.bases)


def is_past(query: Query, updates: Iterable[str | None]) -> bool:
    """Whether a page of a hub's list, newest first, is older than `query.age` as a whole: so is all that follows.

    `updates` are the times of everything on the page, LoRA or not. All of them must be older, since hubs don't keep
    the order to the second.
    """
    if query.sort != "newest" or query.age is None or query.age.most is None:
        return False
    now = datetime.now(UTC)
    ages = [(now - at).total_seconds() for at in map(moment, updates) if at is not None]
    return bool(ages) and min(ages) > query.age.most
