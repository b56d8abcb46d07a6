"""What the header says of each hub: whether it answered, with how many, since when it does not, and what it needs."""

import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from connectors.errors import AccessError, HubUiError, KeyRequired, RateLimited
from connectors.federation import Answer
from connectors.ref import HubName
from connectors.registry import HUBS
from hub_ui import format
from hub_ui.i18n import _

HubState = Literal["idle", "asked", "good", "key", "down"]


@dataclass(frozen=True, kw_only=True)
class HubStatus:
    """`hits` are its LoRAs in the list; `text` follows: its time, or what is wrong. `title` is the whole sentence.

    `since` says how long ago it stopped to answer. `waits`: it is asked again after a known time, which `again` says.
    """

    hub: HubName
    state: HubState
    hits: str = ""
    text: str = ""
    title: str = ""
    since: str = ""
    waits: bool = False
    again: str = ""

    @property
    def label(self) -> str:
        return HUBS[self.hub].label


def pending_status(hub: HubName) -> HubStatus:
    return HubStatus(hub=hub, state="asked", text="…", title=_("{hub} was asked").format(hub=HUBS[hub].label))


def idle_status(hub: HubName) -> HubStatus:
    return HubStatus(hub=hub, state="idle", title=_("{hub} was not asked for this").format(hub=HUBS[hub].label))


def answer_status(answer: Answer, down_since: datetime | None = None) -> HubStatus:
    if answer.error is not None:
        return error_status(answer.hub, answer.error, down_since)
    return HubStatus(
        hub=answer.hub,
        state="good",
        text=_("{n} s").format(n=f"{answer.seconds:.1f}"),
        title=_("{hub} answered in {n} s").format(hub=HUBS[answer.hub].label, n=f"{answer.seconds:.2f}"),
    )


def with_hits(status: HubStatus, listed: int) -> HubStatus:
    """With the number of its LoRAs in the list, once it has answered."""
    return replace(status, hits=format.number(listed)) if status.state == "good" else status


def error_status(hub: HubName, error: HubUiError, down_since: datetime | None = None) -> HubStatus:
    if isinstance(error, AccessError):
        text = _("add a key") if isinstance(error, KeyRequired) else _("needs a key")
        return HubStatus(hub=hub, state="key", text=text, title=error.message)
    seconds = math.ceil(error.retry_after or 0)
    if isinstance(error, RateLimited):
        wait = _("asks again in {n} s").format(n=seconds) if seconds else _("asks to slow down")
        return HubStatus(hub=hub, state="down", text=wait, title=error.message, waits=seconds > 0)
    since = _("stopped answering {age}").format(age=format.ago(down_since.isoformat())) if down_since else ""
    again = _("asked again in {n} s").format(n=seconds) if seconds else ""
    return HubStatus(
        hub=hub, state="down", text=_("no answer"), title=error.message, since=since, waits=seconds > 0, again=again
    )
