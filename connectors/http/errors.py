"""One map from everything that goes wrong with HTTP to our errors.

STATUSES holds for every server, EXCEPTIONS for the answers by which a hub means something else than their status says,
CONNECTIONS for requests that got no answer, and HUGGING_FACE for what huggingface_hub raises.
"""

import re
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple, Protocol
from urllib.parse import parse_qs, urlsplit

import httpx2
import requests
from huggingface_hub import errors as hf
from requests import exceptions as transport
from urllib3.exceptions import HTTPError, ReadTimeoutError

from connectors.claims.availability import early_access_note, moment
from connectors.errors import (
    BadAnswer,
    BadRef,
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
    UsageError,
)
from connectors.http.adapter import NotAllowedError, NotPublicError
from connectors.http.json_fields import Table, count, overfull, table
from connectors.registry import HUBS, Origin

# What `response.json()` raises for an answer that is no JSON, or JSON made to break readers: a number of thousands of
# digits, or thousands of brackets.
UNREADABLE = (ValueError, RecursionError)
# What a GET can raise. requests lets through what urljoin (ValueError) and urllib3 say of a hostile redirect's address.
FAILURES = (transport.RequestException, HTTPError, ValueError)
_LONGEST_DETAIL = 600
# Seconds. A wrong clock can ask for years.
LONGEST_WAIT = 3600.0
_MINUTES_FROM = 120.0
_RESETS = re.compile(r"resets in ~?(\d{1,5})s")
BROKE_OFF = "The connection broke off in the middle. Try again."
_UNREACHABLE = "{label} can't be reached. Check the connection and try again."
_UNREADABLE = "{label} answered in a way we can't read. Is its address right?"
_GATED = "The author grants access to {what} one by one. Ask for it on its own page, then add your key (HF_TOKEN)."
# The hub gives one answer for missing and private repositories, so that nobody learns which.
_NO_REPO = "{label} has no {what}, or it is private: add a key (HF_TOKEN) if it is yours."
_DELIVERY = "The delivery host refuses the address that {label} gave. Try again in a minute."


class Answer(Protocol):
    """The answer of any HTTP library."""

    @property
    def status_code(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...


class Row(NamedTuple):
    """What an answer means that has one of `statuses`, `words` (a regex) in its text, and this X-Error-Code."""

    error: type[HubUiError]
    message: str
    statuses: Collection[int] = ()
    words: str = ""
    code: str = ""

    def matches(self, answer: Answer, text: str) -> bool:
        return (
            (not self.statuses or answer.status_code in self.statuses)
            and self.code in ("", answer.headers.get("X-Error-Code"))
            and re.search(self.words, text, re.IGNORECASE) is not None
        )


_KEY = Row(KeyRequired, "{label} wants a key for {what}. {key} {detail}", (401, 403))
STATUSES = (
    _KEY,
    Row(NotFound, "{label} does not have {what} (any more). {detail}", (404,)),
    Row(NotFound, "Its author has archived it: {label} does not have {what} any more.", (410,)),
    Row(RateLimited, "{label} asks to slow down. Try again {when}. {detail}", (429,)),
    Row(RegionBlocked, "{label} does not serve your region. Look for the same LoRA on another hub. {detail}", (451,)),
    Row(HubDown, "{label} has a fault of its own ({status}). Try again in a minute.", range(500, 600)),
    Row(BadAnswer, "{label} refused the request ({status}). {detail}"),
)

# Only CivitAI's texts tell apart what it means by 401 and 403.
_CIVITAI = (
    Row(
        DownloadsDisabled,
        "The author allows use on the hub only: this file can't be downloaded.",
        words="disabled downloads",
    ),
    Row(
        Paid,
        "{label} gives this file to buyers only. {until}",
        words="early access|purchase|do not have access to download",
    ),
    Row(
        RateLimited,
        "{label} has stopped downloads for a while: there were too many. Try again {when}.",
        (429,),
        words="unusual amount",
    ),
)
_HUGGING_FACE = (
    Row(Gated, _GATED, code="GatedRepo"),
    Row(NotFound, _NO_REPO.replace("{what}", "such repository"), code="RepoNotFound"),
)
_REPLICATE = (
    Row(Paid, "Replicate wants credit before it runs anything: replicate.com/account/billing. {detail}", (402,)),
    # An account without a way to pay is told the same as one that asks for a version that is not there.
    Row(
        NotFound,
        "Replicate has no such version, or doesn't let this key run it: it may be private, or the account has no way "
        "to pay yet (replicate.com/account/billing). {detail}",
        (422,),
        words=r"^[^\n]*version[^\n]*\n|specified version",
    ),
    Row(UsageError, "The model on Replicate does not take these settings: {detail}", (422,)),
    Row(KeyRequired, "Replicate does not let this key do that (REPLICATE_API_TOKEN). {detail}", (403,)),
    Row(UsageError, "Replicate does not take this. {detail}", (400, 409, 413)),
)
EXCEPTIONS: Mapping[Origin | None, tuple[Row, ...]] = {
    "civitai": _CIVITAI,
    "huggingface": _HUGGING_FACE,
    "replicate": _REPLICATE,
    # An address that a person gave may be any hub's.
    None: (*_HUGGING_FACE, *_CIVITAI),
}

Kinds = tuple[type[Exception], ...]
# The first row with the error's class decides, so that narrow classes come before wide ones.
CONNECTIONS: tuple[tuple[Kinds, type[HubUiError], str], ...] = (
    ((NotPublicError,), BadAnswer, "The address leads into this computer's own network, so it is not followed."),
    ((NotAllowedError,), BadAnswer, "{label} leads to an address on a host that isn't a hub's. It was not followed."),
    (
        (transport.Timeout, ReadTimeoutError, httpx2.TimeoutException),
        HubTimeout,
        "{label} did not answer in time. Try again.",
    ),
    ((transport.TooManyRedirects,), BadAnswer, "{label} sends this request in circles. Try again later."),
    ((transport.ChunkedEncodingError,), HubDown, BROKE_OFF),
    (
        (transport.InvalidURL, transport.MissingSchema, transport.InvalidSchema),
        HubDown,
        "{label} can't be reached: {url} is not a web address.",
    ),
    ((httpx2.DecodingError, httpx2.TooManyRedirects, httpx2.StreamError), BadAnswer, _UNREADABLE),
    ((Exception,), HubDown, _UNREACHABLE),
)
# GatedRepoError is a RepositoryNotFoundError, and LocalEntryNotFoundError an EntryNotFoundError.
HUGGING_FACE: tuple[tuple[Kinds, type[HubUiError], str], ...] = (
    ((hf.GatedRepoError,), Gated, _GATED),
    ((hf.LocalEntryNotFoundError,), HubDown, "{label} can't be reached, and {what} is not in the cache here."),
    ((hf.RepositoryNotFoundError,), NotFound, _NO_REPO),
    ((hf.RevisionNotFoundError,), NotFound, "{label} has no such commit, branch or tag of {what} (any more)."),
    ((hf.EntryNotFoundError,), NotFound, "{label} has no {what} (any more)."),
    ((hf.DisabledRepoError,), NotFound, "{label} has disabled {what}."),
    ((hf.HFValidationError,), BadRef, "{what} is no name that {label} could have."),
    ((hf.OfflineModeIsEnabled,), HubDown, "{label} is switched off here (HF_HUB_OFFLINE)."),
    ((hf.XetDownloadError,), HubDown, _UNREACHABLE),
    ((hf.FileMetadataError,), BadAnswer, _UNREADABLE),
)
_OF_HUGGING_FACE = (
    hf.HfHubHTTPError,
    hf.EntryNotFoundError,
    hf.FileMetadataError,
    hf.HFValidationError,
    hf.OfflineModeIsEnabled,
    hf.XetDownloadError,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.StreamError,
    NotAllowedError,
)


def hub_label(hub: Origin | None) -> str:
    return HUBS[hub].label if hub in HUBS else "The server"


def status_error(answer: Answer, hub: Origin | None, *, what: str = "this", body: Table | None = None) -> HubUiError:
    """The error that a refusal means. `body` is its JSON, `what` the thing that was asked for."""
    body = body or {}
    detail = detail_of(body)
    wait = retry_after(answer, detail)
    wait = None if wait is None else min(wait, LONGEST_WAIT)
    text = "\n".join(str(body.get(key, ""))[:_LONGEST_DETAIL] for key in ("title", "message", "detail", "error"))
    until, now = moment(body.get("deadline")), datetime.now(UTC)
    row = next(row for row in (*EXCEPTIONS.get(hub, ()), *STATUSES) if row.matches(answer, text))
    message = row.message.format(
        label=hub_label(hub),
        what=what,
        status=answer.status_code,
        detail=detail,
        key=_key_advice(hub),
        when=when_again(wait),
        until=early_access_note(until, now) if until and until > now else "It is in early access, or sold.",
    )
    return row.error(" ".join(message.split()), hub=hub, retry_after=wait if row.error is RateLimited else None)


def key_required(hub: Origin | None, what: str = "this file") -> KeyRequired:
    return KeyRequired(
        _KEY.message.format(label=hub_label(hub), what=what, key=_key_advice(hub), detail="").strip(), hub=hub
    )


def download_error(response: requests.Response, hub: Origin | None, *, redirected: bool = False) -> HubUiError | None:
    """The error in a download's answer, None if the body may be the file. `redirected`: another host answered."""
    if not response.ok:
        if response.status_code == 403 and redirected:
            return HubDown(_DELIVERY.format(label=hub_label(hub)), hub=hub)
        return status_error(response, hub, what="this file", body=error_body(response))
    if response.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "text/html":
        return None
    url = urlsplit(response.url)
    if parse_qs(url.query).get("reason") == ["download-auth"] or url.path.rstrip("/").endswith("/login"):
        return key_required(hub)
    return NotWeights(
        f"{hub_label(hub)} answered with a web page in place of the file. The page was not kept; try again later.",
        hub=hub,
    )


def connection_error(error: Exception, hub: Origin | None, *, url: str = "what it names") -> HubUiError:
    """The error for a request without an answer, or with one that broke off: any of FAILURES, or of httpx."""
    # After retries, and while a body is read, requests wraps a timeout in a ConnectionError.
    reasons = [getattr(argument, "reason", argument) for argument in error.args]
    found = next((reason for reason in reasons if isinstance(reason, ReadTimeoutError)), error)
    kind, message = next((kind, message) for kinds, kind, message in CONNECTIONS if isinstance(found, kinds))
    return kind(message.format(label=hub_label(hub), url=url), hub=hub)


@contextmanager
def map_huggingface_errors(what: str, *, endpoint: str = "") -> Iterator[None]:
    """Maps what huggingface_hub raises about `what` to our errors. `endpoint` tells the hub's refusals from others'."""
    try:
        yield
    except _OF_HUGGING_FACE as error:
        raise huggingface_error(error, what, endpoint=endpoint) from error
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        # A forced download that failed is a ValueError whose cause is the reason.
        if isinstance(error.__cause__, _OF_HUGGING_FACE):
            raise huggingface_error(error.__cause__, what, endpoint=endpoint) from error
        # huggingface_hub builds its objects straight from the JSON, so a wrong shape, or JSON made to break readers,
        # shows as one of these.
        raise BadAnswer(f"Hugging Face answered about {what} in a way we can't read.", hub="huggingface") from error


def huggingface_error(error: Exception, what: str, *, endpoint: str = "") -> HubUiError:
    hub = "huggingface"
    # "Not in the cache, and the hub could not be asked": the reason says more.
    if isinstance(error, hf.LocalEntryNotFoundError) and isinstance(error.__cause__, hf.HfHubHTTPError):
        error = error.__cause__
    for kinds, kind, message in HUGGING_FACE:
        if isinstance(error, kinds):
            return kind(message.format(label=hub_label(hub), what=what), hub=hub)
    response = getattr(error, "response", None)
    if not isinstance(response, httpx2.Response):
        return connection_error(error, hub)
    if response.status_code in (401, 403) and not str(response.url).startswith(endpoint):
        return HubDown(_DELIVERY.format(label=hub_label(hub)), hub=hub)
    return status_error(response, hub, what=what)


def error_body(response: requests.Response) -> Table:
    """The JSON of a refusal; empty for anything else."""
    try:
        return {} if overfull(response.content) else table(response.json())
    except UNREADABLE:
        return {}


# CivitAI uses the first and third, Replicate's problem+json the second and last, Hugging Face the third.
_DETAILS = ("message", "detail", "error", "title")


def detail_of(body: Table) -> str:
    """What the hub says of a refusal, on one line."""
    text = next((str(body[key]) for key in _DETAILS if isinstance(body.get(key), str)), "")
    return " ".join(text[:_LONGEST_DETAIL].split())


def retry_after(answer: Answer, detail: str = "") -> float | None:
    """Seconds to wait: Retry-After (RFC 9110: seconds or a date), Replicate's text, Hugging Face's RateLimit."""
    header = answer.headers.get("Retry-After", "")
    if (seconds := count(header)) is not None:
        return float(seconds)
    if header:
        try:
            return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
        except (ValueError, OverflowError):
            return None
    if resets := _RESETS.search(detail):
        return float(resets[1])
    for part in answer.headers.get("RateLimit", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == "t" and (seconds := count(value)) is not None:
            return float(seconds)
    reset = count(answer.headers.get("ratelimit-reset"))
    return float(reset) if reset is not None else None


def when_again(seconds: float | None) -> str:
    """The end of "Try again ..."."""
    if seconds is None:
        return "in a few minutes"
    if seconds >= _MINUTES_FROM:
        return f"in {round(seconds / 60)} minutes"
    return "in a second" if round(seconds) <= 1 else f"in {round(seconds)} seconds"


def _key_advice(hub: Origin | None) -> str:
    return f"{HUBS[hub].add_key}, or check the one you gave." if hub in HUBS else "Download it there."
