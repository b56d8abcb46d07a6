"""The next step for a file that its hub refuses: its page, another version, the same bytes elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.errors import AccessError, HubUiError, NotFound, RegionBlocked
from connectors.record import Lora
from connectors.ref import Ref


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
