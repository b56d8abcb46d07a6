"""Hubs as the visitors of a shared page meet them: without a key, and with refusals that speak to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from huggingface_hub import hf_hub_url

from connectors.connector import Connector, Download, HttpDownload
from connectors.errors import AccessError, Gated, KeyRequired, NotFound
from connectors.query import Page, Query
from connectors.record import Lora
from connectors.ref import HubName, Ref


@dataclass(frozen=True)
class VisitorConnector:
    """What the hub says to someone without a key. `connector` must have none."""

    connector: Connector

    @property
    def name(self) -> HubName:
        return self.connector.name

    @property
    def label(self) -> str:
        return self.connector.label

    def search(self, query: Query, cursor: str | None = None) -> Page:
        with refusals_for_visitors(self.label):
            return self.connector.search(query, cursor)

    def get(self, ref: Ref) -> Lora:
        with refusals_for_visitors(self.label):
            return self.connector.get(ref)

    def pin(self, ref: Ref) -> Ref:
        with refusals_for_visitors(self.label):
            return self.connector.pin(ref)

    def download(self, ref: Ref) -> Download:
        with refusals_for_visitors(self.label):
            return _past_the_cache(self.connector.download(ref))

    def locate(self, ref: Ref) -> Download:
        with refusals_for_visitors(self.label):
            return self.connector.locate(ref)


def _past_the_cache(download: Download) -> Download:
    """Hugging Face's cache is the owner's: what strangers try must not fill it, nor come out of it."""
    if isinstance(download, HttpDownload):
        return download
    url = hf_hub_url(download.repo, download.path, revision=download.commit, endpoint=download.endpoint)
    return HttpDownload(ref=download.ref, name=download.name, url=url, size=download.size, sha256=download.sha256)


@contextmanager
def refusals_for_visitors(label: str) -> Iterator[None]:
    """A visitor has no key to add, and is not told about the owner's."""
    try:
        yield
    except (KeyRequired, Gated) as error:
        raise AccessError(
            f"{label} hands this to signed-in people only, and a shared page signs in to no hub. Choose another LoRA, "
            "or run hub-ui on your own computer with a key of your own.",
            hub=error.hub,
        ) from error
    except NotFound as error:
        if "key" not in error.message:
            raise
        raise NotFound(f"{label} has nothing of that name that is open to everyone.", hub=error.hub) from error
