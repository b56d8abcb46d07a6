"""What a refusal to hand out a file means, and what the person can do about it. `hub` is None for any other server."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import requests
from urllib3.exceptions import HTTPError

from connectors.claims.availability import early_access_note, moment
from connectors.errors import (
    BadAnswer,
    DownloadsDisabled,
    Gated,
    HubDown,
    HubTimeout,
    HubUiError,
    KeyRequired,
    NotFound,
    NotWeights,
    Paid,
    RateLimited,
    RegionBlocked,
)
from connectors.http.adapter import NotPublicError
from connectors.http.json_fields import table
from connectors.http.session import UNREADABLE, error_text, retry_after, when_again
from connectors.registry import HUBS, Origin


def refusal(response: requests.Response, hub: Origin | None, *, redirected: bool | None = None) -> HubUiError | None:
    """The error in an answer's status or address, None if its body may be the file.

    CivitAI tells its refusals apart in the texts only (hub_apis 1.10): one 401 asks for a key, the other means never.
    `redirected`: whether another address led here, for those who follow redirects themselves.
    """
    led = bool(response.history) if redirected is None else redirected
    if response.ok:
        return _page_instead(response, hub)
    if response.status_code == 403 and led:
        return HubDown("The delivery host refuses the address the hub gave. Try again in a minute.", hub=hub)
    said = error_text(response)
    return _by_code(response, hub) or _by_text(response, said, hub) or _by_status(response, said, hub)


def _page_instead(response: requests.Response, hub: Origin | None) -> HubUiError | None:
    if response.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "text/html":
        return None
    parts = urlsplit(response.url)
    signs_in = parse_qs(parts.query).get("reason") == ["download-auth"] or parts.path.rstrip("/").endswith("/login")
    if signs_in:
        return _wants_key(hub)
    return NotWeights(
        f"{_who(hub)} answered with a web page in place of the file. The page was not kept; try again later.", hub=hub
    )


def _by_code(response: requests.Response, hub: Origin | None) -> HubUiError | None:
    """Hugging Face's X-Error-Code, which alone tells a gated repository from a missing one."""
    code = response.headers.get("X-Error-Code", "")
    if code == "GatedRepo":
        return Gated(
            "The author grants access to this repository one by one. Ask for it on its own page, then add your key.",
            hub=hub,
        )
    if code == "RepoNotFound":
        return NotFound("The hub has no such repository, or it is private: add a key if it is yours.", hub=hub)
    return None


def _by_text(response: requests.Response, said: str, hub: Origin | None) -> HubUiError | None:
    text = said.lower()
    if "disabled downloads" in text:
        return DownloadsDisabled("The author allows use on the hub only: this file can't be downloaded.", hub=hub)
    if "early access" in text or "purchase" in text:
        return Paid(f"This file has to be bought on the hub first, or waited for. {_until(response) or said}", hub=hub)
    if "do not have access" in text:
        return Gated("The author has not granted you access to this file. Ask for it on the LoRA's own page.", hub=hub)
    return None


def _by_status(response: requests.Response, said: str, hub: Origin | None) -> HubUiError:
    status = response.status_code
    if status in (401, 403):
        return _wants_key(hub, said)
    if status == 410:
        return NotFound("Its author has archived it, so its files are not handed out any more.", hub=hub)
    if status == 404:
        return NotFound(f"The file is not there (any more). {said}".strip(), hub=hub)
    if status == 429:
        wait = retry_after(response)
        return RateLimited(
            f"{_who(hub)} asks to slow down. Try again {when_again(wait)}. {said}".strip(), hub=hub, retry_after=wait
        )
    if status == 451:
        return RegionBlocked(f"{_who(hub)} does not serve your region. Look for the same LoRA on another hub.", hub=hub)
    if status >= 500:
        return HubDown(f"{_who(hub)} has a fault of its own ({status}). Try again in a minute.", hub=hub)
    return BadAnswer(f"{_who(hub)} refused the download ({status}). {said}".strip(), hub=hub)


def _wants_key(hub: Origin | None, said: str = "") -> KeyRequired:
    then = f"{HUBS[hub].add_key}, or check the one you gave." if hub in HUBS else "Download it there."
    return KeyRequired(f"{_who(hub)} hands this file to signed-in people only. {then} {said}".strip(), hub=hub)


def _until(response: requests.Response) -> str | None:
    try:
        until, now = moment(table(response.json()).get("deadline")), datetime.now(UTC)
    except UNREADABLE:
        return None
    return early_access_note(until, now) if until is not None and until > now else None


def _who(hub: Origin | None) -> str:
    return "The hub" if hub else "The server"


# What a GET can raise. requests lets through what urljoin (ValueError) and urllib3 say of a hostile redirect's address.
FAILED = (requests.exceptions.RequestException, HTTPError, ValueError)


def unreachable(error: Exception, hub: Origin | None) -> HubUiError:
    """The error for a request without an answer, or with one that broke off: any of FAILED."""
    if isinstance(error, NotPublicError):
        return BadAnswer("The address leads into this computer's own network, so it is not followed.", hub=hub)
    if isinstance(error, requests.exceptions.Timeout):
        return HubTimeout(f"{_who(hub)} did not answer in time. Try again.", hub=hub)
    if isinstance(error, requests.exceptions.TooManyRedirects | requests.exceptions.InvalidSchema):
        return BadAnswer(f"{_who(hub)} sends this download in circles. Try again later.", hub=hub)
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return HubDown("The connection broke off in the middle. Try again.", hub=hub)
    return HubDown(f"{_who(hub)} can't be reached. Check the connection and try again.", hub=hub)
