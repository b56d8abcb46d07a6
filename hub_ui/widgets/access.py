"""Whether a LoRA's file can be downloaded here, and where a key for it goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from connectors.record import Access, Record, Version
from connectors.registry import HUBS, LOCAL, HubName
from hub_ui.widgets import format

# Who looks at the page: its owner, somebody who tries the demo, or a visitor of a shared page.
Place = Literal["own", "demo", "shared"]

# Nothing changes these but the hub.
CLOSED: dict[Access, str] = {
    "generation-only": "The author allows generation on the hub only; there is nothing to download.",
    "archived": "The hub keeps the page but no files.",
    "removed": "The hub no longer has this. What was seen of it stays here.",
}
# Said where the hub gives no reason of its own.
REASONS: dict[Access, str] = {
    "login": "{hub} hands this file to people with a key.",
    "gated": "Its author grants access one by one, on the hub's page.",
    "paid": "Early access: {hub} sells it for now.",
}
WITH_KEY: dict[Access, str] = {
    "login": "",
    "gated": "Your key opens it once access is granted.",
    "paid": "Your key opens it if you have bought it.",
}
WHERE_A_KEY_GOES: dict[Place, str] = {
    "own": "Set {variable} to a key of yours, made at {page}, and start hub-ui again.",
    "demo": "The demo has no key. `hub-ui serve` takes one from {variable}.",
    "shared": "A shared page uses nobody's keys. Run hub-ui on your own computer with your key in {variable}.",
}


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The hubs that a key is at hand for; none for the visitors of a shared page."""

    hubs: frozenset[HubName] = frozenset()
    place: Place = "own"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """`obstacle` keeps the file from being downloaded here; `caution` may."""

    obstacle: str = ""
    caution: str = ""


def standing(record: Record, version: Version | None, keys: Keys) -> Standing:
    if record.file is not None and record.file.format == "pickle":
        return Standing(obstacle="This file can run code when it is loaded (pickle), so it is not loaded here.")
    if record.access == "open" or record.hub == LOCAL:
        return Standing(obstacle="" if record.file else "The hub lists no weight file for this one.")
    note = format.visible(version.access_note) if version and version.access_note else ""
    if record.access in CLOSED:
        return Standing(obstacle=format.sentences(CLOSED[record.access], note))
    reason = note or REASONS[record.access].format(hub=HUBS[record.hub].label)
    if record.hub in keys.hubs:
        return Standing(caution=format.sentences(reason, WITH_KEY[record.access]) if WITH_KEY[record.access] else "")
    hub = HUBS[record.hub]
    page = hub.key_page.removeprefix("https://")
    where = WHERE_A_KEY_GOES[keys.place].format(variable=hub.token_variable, page=page)
    return Standing(obstacle=format.sentences(reason, where))
