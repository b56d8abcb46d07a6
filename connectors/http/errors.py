"""One map from everything that goes wrong with HTTP to our errors.

connectors/refusals.toml holds for answers, CONNECTIONS for requests that got none, and HUGGING_FACE for what
huggingface_hub raises.
"""

import re
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import chain
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

import httpx2
import msgspec
import requests
from huggingface_hub import errors as hf
from requests import exceptions as transport
from urllib3.exceptions import HTTPError, ReadTimeoutError

from connectors import errors
from connectors.errors import (
    BadAnswer,
    BadRef,
    Gated,
    HubDown,
    HubTimeout,
    HubUiError,
    KeyRequired,
    NotFound,
    NotWeights,
    RateLimited,
)
from connectors.http.adapter import NotAllowedError, NotPublicError
from connectors.http.json_fields import Table, count, moment, overfull, table
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
_DELIVERY = "The delivery host refuses the address that {label} gave. Try again in a minute."


class Answer(Protocol):
    """The answer of any HTTP library."""

    @property
    def status_code(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A row of refusals.toml."""

    error: str
    message: str
    statuses: tuple[str, ...] = ()
    words: str = ""
    code: str = ""
    what: str = ""

    @property
    def kind(self) -> type[HubUiError]:
        kind: type[HubUiError] = getattr(errors, self.error)
        return kind

    def matches(self, answer: Answer, text: str) -> bool:
        return (
            (not self.statuses or str(answer.status_code).startswith(self.statuses))
            and self.code in ("", answer.headers.get("X-Error-Code"))
            and re.search(self.words, text, re.IGNORECASE) is not None
        )


REFUSALS = msgspec.convert(
    tomllib.loads((Path(__file__).parents[1] / "refusals.toml").read_text(encoding="utf-8")),
    dict[str, tuple[Row, ...]],
)
_KEY = REFUSALS["any"][0].message
# The hub gives one answer for missing and private repositories, so that nobody learns which.
_GATED, _NO_REPO = (row.message for row in REFUSALS["huggingface"])

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
HUGGING_FACE: tuple[tuple[type[Exception], type[HubUiError], str], ...] = (
    (hf.GatedRepoError, Gated, _GATED),
    (hf.LocalEntryNotFoundError, HubDown, "{label} can't be reached, and {what} is not in the cache here."),
    (hf.RepositoryNotFoundError, NotFound, _NO_REPO),
    (
        hf.RevisionNotFoundError,
        NotFound,
        "{label} has no such commit, branch or tag of {what}. It may have been removed.",
    ),
    (hf.EntryNotFoundError, NotFound, "{label} has no {what}. It may have been removed."),
    (hf.DisabledRepoError, NotFound, "{label} has disabled {what}."),
    (hf.HFValidationError, BadRef, "{what} is no name that {label} could have."),
    (hf.OfflineModeIsEnabled, HubDown, "{label} is switched off here (HF_HUB_OFFLINE)."),
    (hf.XetDownloadError, HubDown, _UNREACHABLE),
    (hf.FileMetadataError, BadAnswer, _UNREADABLE),
)
_OF_HUGGING_FACE: Kinds = (
    *(kind for kind, _error, _message in HUGGING_FACE),
    hf.HfHubHTTPError,
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
    # An address that a person gave may be any hub's.
    rows = chain.from_iterable(REFUSALS.get(name, ()) for name in ((hub,) if hub else ("huggingface", "civitai")))
    row = next(row for row in (*rows, *REFUSALS["any"]) if row.matches(answer, text))
    message = row.message.format(
        label=hub_label(hub),
        what=row.what or what,
        status=answer.status_code,
        detail=detail,
        key=_key_advice(hub),
        when=when_again(wait),
        until=early_access_note(until, now) if until and until > now else "It is in early access, or sold.",
    )
    return row.kind(" ".join(message.split()), hub=hub, retry_after=wait if row.kind is RateLimited else None)


def key_required(hub: Origin | None, what: str = "this file") -> KeyRequired:
    return KeyRequired(_KEY.format(label=hub_label(hub), what=what, key=_key_advice(hub), detail="").strip(), hub=hub)


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
    for raised, kind, message in HUGGING_FACE:
        if isinstance(error, raised):
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


def early_access_note(until: datetime, now: datetime) -> str:
    hours = int((until - now).total_seconds() // 3600)
    span = f"{hours // 24} more days" if hours >= 48 else f"{hours} more hours" if hours > 1 else "less than two hours"
    return f"Early access for {span}, until {until:%Y-%m-%d %H:%M} UTC."


def _key_advice(hub: Origin | None) -> str:
    return f"{HUBS[hub].add_key}, or check the one you gave." if hub in HUBS else "Download it there."
