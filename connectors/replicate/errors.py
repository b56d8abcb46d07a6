"""Replicate's refusals of runs, in words that say what to do: its texts tell apart what the status does not."""

from __future__ import annotations

import re

import requests

from connectors.errors import HubUiError, KeyRequired, NotFound, Paid, RateLimited, UsageError
from connectors.http.json_fields import Table, overfull, table, text
from connectors.http.session import UNREADABLE, retry_after, when_again
from connectors.registry import HUBS

_HUB = "replicate"
_RESETS = re.compile(r"resets in ~?(\d{1,5})s")
_LONGEST_DETAIL = 600


def explain(response: requests.Response) -> HubUiError | None:
    """For a Session. None for what the status says well enough."""
    body = _body(response)
    said = " ".join((text(body.get("detail"), _LONGEST_DETAIL) or "").split())
    status = response.status_code
    if status == 402:
        return Paid(f"Replicate wants credit before it runs anything: replicate.com/account/billing. {said}", hub=_HUB)
    if status == 429:
        wait = _wait(response, said)
        return RateLimited(
            f"Replicate asks to slow down. Try again {when_again(wait)}. {said}".strip(), hub=_HUB, retry_after=wait
        )
    if status == 422:
        return _unfit(said, text(body.get("title")) or "")
    if status == 403:
        return KeyRequired(
            f"Replicate does not let this key do that ({HUBS[_HUB].token_variable}). {said}".strip(), hub=_HUB
        )
    if status in (400, 409, 413):
        return UsageError(f"Replicate does not take this. {said}".strip(), hub=_HUB)
    return None


def no_key(what: str) -> KeyRequired:
    return KeyRequired(f"{what} on Replicate needs a key, and costs money there. {HUBS[_HUB].add_key}.", hub=_HUB)


def _unfit(said: str, title: str) -> HubUiError:
    """An account without a way to pay is told the same as one that asks for a version that is not there."""
    if "version" in title.lower() or "specified version" in said.lower():
        return NotFound(
            "Replicate has no such version, or doesn't let this key run it: it may be private, or the account has no "
            f"way to pay yet (replicate.com/account/billing). {said}",
            hub=_HUB,
        )
    return UsageError(f"The model on Replicate does not take these settings: {said or title}", hub=_HUB)


def _wait(response: requests.Response, said: str) -> float | None:
    """The header's, else the text's: "Your rate limit resets in ~30s." """
    known = _RESETS.search(said)
    if response.headers.get("Retry-After"):
        return retry_after(response)
    return float(known[1]) if known else retry_after(response)


def _body(response: requests.Response) -> Table:
    try:
        return {} if overfull(response.content) else table(response.json())
    except UNREADABLE:
        return {}
