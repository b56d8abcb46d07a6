"""What is left to do about a file that its hub does not hand out: what is remembered of it, and where else it is."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.errors import AccessError, HubUiError, NotFound, RegionBlocked
from connectors.record import Lora
from connectors.ref import Ref


def explained(error: HubUiError, ref: Ref, known: Lora | None, twins: Iterable[Ref]) -> HubUiError:
    """The same error with one next step more, the best there is. `twins` are other places of the same bytes."""
    if not isinstance(error, NotFound | AccessError):
        return error
    step = _step(error, ref, known, tuple(twins))
    if step is None:
        return error
    return type(error)(f"{_ended(error.message)} {step}", hub=error.hub, url=error.url, retry_after=error.retry_after)


def _step(error: HubUiError, ref: Ref, known: Lora | None, twins: tuple[Ref, ...]) -> str | None:
    elsewhere = next((twin for twin in twins if (twin.hub, twin.id) != (ref.hub, ref.id)), None)
    if elsewhere is not None and (elsewhere.hub != ref.hub or not isinstance(error, RegionBlocked)):
        return f"The same bytes are at {elsewhere}: hub-ui pull {elsewhere}"
    if known is None:
        return None
    if isinstance(error, NotFound):
        return f"{_remembered(known)} {_other_version(ref, known)}".strip()
    return None if "http" in error.message else f"Its page: {known.url}"


def _ended(message: str) -> str:
    """With a full stop where a hub's own words lack it, but none behind an address."""
    said = message.rstrip()
    return f"{said}." if said[-1:].isalnum() and "://" not in said.rpartition(" ")[2] else said


def _remembered(known: Lora) -> str:
    by = f" by {known.creator}" if known.creator else ""
    return f"The catalog remembers it as “{known.title}”{by}."


def _other_version(ref: Ref, known: Lora) -> str:
    if known.access == "removed":
        return ""
    if known.access == "archived":
        return f"Its page: {known.url}"
    asked = known.version(ref.version)
    others = (version for version in known.versions if version is not asked)
    other = next((version for version in others if version.access == "open" and version.files), None)
    return f"Another version is there: hub-ui pull {other.ref}" if other else ""
