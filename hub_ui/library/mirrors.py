"""Mirrors: other refs under which a hub has the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from connectors.connector import Download
from connectors.errors import HubUiError, NetworkError, RateLimited
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.library.download.progress import Progress, PullCancelled
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry


def open_mirrors(ref: Ref, refs: Iterable[Ref], lora: Callable[[Ref], Lora]) -> Iterator[Ref]:
    """Those of `refs`, all that have the bytes of `ref`, that anyone may download as far as `lora` knows."""
    for mirror in refs:
        found = lora(mirror)
        version = found.version(mirror.version)
        if mirror != ref and found.access != "removed" and version is not None and version.access == "open":
            yield mirror


def mirrors_of(entry: Entry, refs: Iterable[Ref]) -> list[Ref]:
    """Those of `refs`, all that have the entry's bytes, that its file can be fetched from."""
    return [ref for ref in refs if ref != entry.ref and ref.pinned]


def pull_from_mirror(
    library: Library,
    entry: Entry,
    refs: Iterable[Ref],
    download: Callable[[Ref], Download],
    *,
    on_progress: Callable[[Progress], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Ref | None:
    """Fetches an entry's file from the first mirror that hands it out, and returns that mirror.

    None where there is no such mirror. Raises NetworkError or RateLimited where one may still hand it out later.
    """
    failure: HubUiError | None = None
    for mirror in mirrors_of(entry, refs):

        def renew(mirror: Ref = mirror) -> Download:
            return replace(download(mirror), ref=entry.ref)

        try:
            library.pull(renew(), entry, on_progress=on_progress, is_cancelled=is_cancelled, renew=renew)
        except PullCancelled:
            raise
        except HubUiError as error:
            failure = error if isinstance(error, NetworkError | RateLimited) else failure
            continue
        return mirror
    if failure is not None:
        raise failure
    return None
