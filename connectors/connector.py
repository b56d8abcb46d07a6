"""The interface of a hub's connector, and what it returns for a download."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from connectors.query import Page, Query
from connectors.record import Example, Lora, Version
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
    """A file of a Hugging Face repo at one commit, to be downloaded by huggingface_hub through its cache."""

    ref: Ref
    name: str
    endpoint: str
    repo: str
    commit: str
    path: str
    token: str | None = field(default=None, repr=False)
    size: int | None = None
    sha256: str | None = None


Download = HttpDownload | HubDownload


class LoraSource(Protocol):
    """A place that LoRAs come from. Its methods raise only the errors of connectors.errors, with `hub` set."""

    @property
    def label(self) -> str:
        """The name that people read."""
        ...

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
