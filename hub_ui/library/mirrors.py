"""Files that a hub refuses: mirrors, which are other refs of the same bytes, and the next step for a person."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import replace
from math import inf

from connectors.connector import Download
from connectors.errors import AccessError, HubUiError, NetworkError, NotFound, RateLimited, RegionBlocked
from connectors.record import Lora
from connectors.ref import Ref
from connectors.registry import HUBS, HubName
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


def best_home(
    own: Ref, others: Iterable[Ref], lora: Callable[[Ref], Lora], keys: Container[HubName], seconds: Mapping[str, float]
) -> Ref:
    """The one to fetch from of refs that have the same bytes, where a person has asked for any of them.

    One that needs no key comes first: it is open, and its hub asks for none or has been given one. Then the hub that
    has answered fastest, last time; then `own`.
    """

    def order(ref: Ref) -> tuple[bool, float]:
        found = lora(ref)
        version = found.version(ref.version)
        is_open = found.access == "open" and version is not None and version.access == "open"
        return not (is_open and (HUBS[ref.hub].is_keyless or ref.hub in keys)), seconds.get(ref.hub, inf)

    return min((own, *others), key=order)


def mirrors_of(entry: Entry, refs: Iterable[Ref]) -> list[Ref]:
    """Those of `refs`, all that have the entry's bytes, that its file can be fetched from."""
    return [ref for ref in refs if ref != entry.ref and ref.is_pinned]


def pull_from_mirror(
    library: Library,
    entry: Entry,
    refs: Iterable[Ref],
    download: Callable[[Ref], Download],
    *,
    on_progress: Callable[[Progress], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Ref | None:
    """Fetches an entry's file from a mirror, and returns that mirror or None. Raises NetworkError or RateLimited."""
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


def explain(error: HubUiError, ref: Ref, known: Lora | None, mirrors: Iterable[Ref]) -> HubUiError:
    """The same error with the best next step added. `mirrors` are other refs of the same bytes."""
    if not isinstance(error, NotFound | AccessError):
        return error
    step = _next_step(error, ref, known, mirrors)
    if not step:
        return error
    message = error.message.rstrip()
    # A full stop where a hub's own words lack it, but none behind an address.
    if message[-1:].isalnum() and "://" not in message.rpartition(" ")[2]:
        message += "."
    return type(error)(f"{message} {step}", hub=error.hub, url=error.url, retry_after=error.retry_after)


def _next_step(error: HubUiError, ref: Ref, known: Lora | None, mirrors: Iterable[Ref]) -> str:
    mirror = next((mirror for mirror in mirrors if (mirror.hub, mirror.id) != (ref.hub, ref.id)), None)
    if mirror is not None and (mirror.hub != ref.hub or not isinstance(error, RegionBlocked)):
        return f"The same bytes are at {mirror}: hub-ui pull {mirror}"
    if known is None:
        return ""
    page = f"Its page: {known.url}"
    if not isinstance(error, NotFound):
        return "" if "http" in error.message else page
    by = f" by {known.creator}" if known.creator else ""
    found = f"The catalog remembers it as “{known.title}”{by}."
    if known.access == "removed":
        return found
    if known.access == "archived":
        return f"{found} {page}"
    this = known.version(ref.version)
    others = (version for version in known.versions if version is not this)
    other = next((version for version in others if version.access == "open" and version.files), None)
    return f"{found} Another version is there: hub-ui pull {other.ref}" if other else found
