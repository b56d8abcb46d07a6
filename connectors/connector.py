"""What a hub's connector is: answers about LoRAs, and about where a file's bytes are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from connectors.query import Page, Query
from connectors.record import Lora
from connectors.ref import HubName, Ref


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpDownload:
    """Bytes behind one address. `headers` may hold a key: they go to the address's own host and no further.

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
    """A file of a Hugging Face repo at one commit, to be fetched by huggingface_hub through its own cache."""

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
    """Where a LoRA is had from. Every method raises only errors of connectors.errors, with `hub` set."""

    @property
    def label(self) -> str:
        """Its name as people write it."""
        ...

    def get(self, ref: Ref) -> Lora:
        """The LoRA with every version and file. Raises NotFound when it is gone."""
        ...

    def pin(self, ref: Ref) -> Ref:
        """The same LoRA with its version pinned and its file named. A branch or tag is resolved, never kept."""
        ...

    def download(self, ref: Ref, lora: Lora | None = None) -> Download:
        """Where the bytes of a pinned ref are. Raises AccessError when the hub would refuse them.

        With `lora`, which `get` answered, the hub is not asked about it again.
        """
        ...

    def locate(self, ref: Ref) -> Download:
        """The address of a pinned ref's bytes, without asking anyone: a refusal shows when it is read."""
        ...


class Connector(LoraSource, Protocol):
    """One hub: a source that can be searched."""

    @property
    def name(self) -> HubName: ...

    def search(self, query: Query, cursor: str | None = None) -> Page:
        """One page. Filters the hub can't apply are applied to its answer, so a page may hold fewer than asked."""
        ...
