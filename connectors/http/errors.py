"""Map the failures of HTTP requests and of huggingface_hub to our errors, with the table connectors/refusals.toml."""

import pkgutil
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import msgspec
import requests
from huggingface_hub import errors as hf
from requests import exceptions as transport
from urllib3.exceptions import HTTPError, ReadTimeoutError

from connectors import errors
from connectors.claims import read_tables
from connectors.errors import BadAnswer, HubDown, HubUiError, KeyRequired, NotWeights, RateLimited
from connectors.http.adapter import NotAllowedError
from connectors.http.json_fields import Table, moment, overfull, table
from connectors.http.retry import retry_after
from connectors.registry import HUBS, Origin

# The errors of `response.json()` for invalid JSON and for hostile JSON, such as a number of thousands of digits
# (ValueError) or thousands of nested brackets (RecursionError).
UNREADABLE = (ValueError, RecursionError)
# The errors that a GET can raise. requests does not wrap the errors of urljoin (ValueError) and urllib3 for a malformed
# redirect.
FAILURES = (transport.RequestException, HTTPError, ValueError)
_LONGEST_DETAIL = 600
# In seconds. A hub whose clock is wrong can ask for years.
LONGEST_WAIT = 3600.0
_MINUTES_FROM = 120.0
# Hugging Face explains its X-Error-Code in this header.
_MESSAGE = "X-Error-Message"
_DELIVERY = "The delivery host refuses the address that {label} gave. Try again in a minute."


Answer = requests.Response | httpx2.Response


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A row of refusals.toml."""

    error: type[HubUiError]
    message: str
    statuses: tuple[str, ...] = ()
    words: str = ""
    code: str = ""
    what: str = ""
    raised: tuple[type[Exception], ...] = ()

    def matches(self, answer: Answer, text: str) -> bool:
        return (
            (not self.statuses or str(answer.status_code).startswith(self.statuses))
            and self.code in ("", answer.headers.get("X-Error-Code"))
            and re.search(self.words, text, re.IGNORECASE) is not None
        )


def _read_class(_kind: type, name: str) -> Any:
    return pkgutil.resolve_name(name) if ":" in name else getattr(errors, name)


REFUSALS = msgspec.convert(read_tables("refusals.toml"), dict[str, tuple[Row, ...]], dec_hook=_read_class)
_KEY = REFUSALS["any"][0].message
# Narrow classes first: LocalEntryNotFoundError is an EntryNotFoundError.
_OF_HUGGING_FACE = (*REFUSALS["huggingface_hub"], *REFUSALS["huggingface"])
_RAISED_BY_HUGGING_FACE: tuple[type[Exception], ...] = (
    *(kind for row in _OF_HUGGING_FACE for kind in row.raised),
    *(hf.HfHubHTTPError, hf.FileMetadataError, hf.XetDownloadError),
    *(httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, NotAllowedError),
)


def hub_label(hub: Origin | None) -> str:
    return HUBS[hub].label if hub in HUBS else "The server"


def status_error(answer: Answer, hub: Origin | None, *, what: str = "this") -> HubUiError:
    """Return the error for a response with an error status. `what` names the requested thing in the message."""
    # huggingface_hub may not have read the body of its response.
    body = error_body(answer) if isinstance(answer, requests.Response) else {}
    detail = detail_of(body)
    wait = retry_after(answer, detail)
    wait = None if wait is None else min(wait, LONGEST_WAIT)
    fields = [body.get(key, "") for key in ("title", "message", "detail", "error")]
    text = "\n".join(str(field)[:_LONGEST_DETAIL] for field in (*fields, answer.headers.get(_MESSAGE, "")))
    until, now = moment(body.get("deadline")), datetime.now(UTC)
    # Without `hub` the URL was typed by a person, and may be of either of these hubs.
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
    sentence = " ".join(message.split())
    # Messages of hubs often lack a full stop.
    sentence += "" if sentence.endswith((".", "!", "?")) else "."
    return row.error(sentence, hub=hub, retry_after=wait if row.error in (RateLimited, HubDown) else None)


def key_required(hub: Origin | None) -> KeyRequired:
    message = _KEY.format(label=hub_label(hub), what="this file", key=_key_advice(hub), detail="")
    return KeyRequired(message.strip(), hub=hub)


def download_error(response: requests.Response, hub: Origin | None, *, redirected: bool = False) -> HubUiError | None:
    """Return the error of a download's response, or None if the body may be the file.

    `redirected`: the hub redirected the request, or gave a signed address for the file.
    """
    if not response.ok:
        if response.status_code == 403 and redirected:
            return HubDown(_DELIVERY.format(label=hub_label(hub)), hub=hub)
        return status_error(response, hub, what="this file")
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
    """Return our error for a request without a response, or with one that broke off.

    `error` is one of FAILURES, or an error of httpx.
    """
    # requests wraps a timeout in a ConnectionError after retries and while it reads a body.
    reasons = [getattr(argument, "reason", argument) for argument in error.args]
    cause = next((reason for reason in reasons if isinstance(reason, ReadTimeoutError)), error)
    row = next(row for row in REFUSALS["no_answer"] if isinstance(cause, row.raised))
    return row.error(row.message.format(label=hub_label(hub), url=url), hub=hub)


@contextmanager
def map_huggingface_errors(what: str, *, endpoint: str = "") -> Iterator[None]:
    """Map the errors that huggingface_hub raises within the block to our errors. `what` names the requested thing.

    A 401 or 403 from a URL that does not begin with `endpoint` came from the delivery host, not from the hub.
    """
    try:
        yield
    except _RAISED_BY_HUGGING_FACE as error:
        raise huggingface_error(error, what, endpoint=endpoint) from error
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        # huggingface_hub raises a ValueError for a forced download that failed; its cause is the reason.
        if isinstance(error.__cause__, _RAISED_BY_HUGGING_FACE):
            raise huggingface_error(error.__cause__, what, endpoint=endpoint) from error
        # huggingface_hub does not validate the JSON, so a wrong shape or hostile JSON raises one of these errors.
        raise BadAnswer(f"Hugging Face answered about {what} in a way we can't read.", hub="huggingface") from error


def huggingface_error(error: Exception, what: str, *, endpoint: str = "") -> HubUiError:
    hub = "huggingface"
    # The error only says that the file is not in the cache and could not be downloaded; its cause says why.
    if isinstance(error, hf.LocalEntryNotFoundError) and isinstance(error.__cause__, hf.HfHubHTTPError):
        error = error.__cause__
    for row in _OF_HUGGING_FACE:
        if isinstance(error, row.raised):
            return row.error(row.message.format(label=hub_label(hub), what=what), hub=hub)
    response = getattr(error, "response", None)
    if not isinstance(response, httpx2.Response):
        return connection_error(error, hub)
    if response.status_code in (401, 403) and not str(response.url).startswith(endpoint):
        return HubDown(_DELIVERY.format(label=hub_label(hub)), hub=hub)
    return status_error(response, hub, what=what)


def error_body(response: requests.Response) -> Table:
    """Return the JSON object in the body of an error response, or an empty table."""
    try:
        return {} if overfull(response.content) else table(response.json())
    except UNREADABLE:
        return {}


# CivitAI uses `message` and `error`, Replicate's problem+json `detail` and `title`, and Hugging Face `error`.
_DETAILS = ("message", "detail", "error", "title")


def detail_of(body: Table) -> str:
    """Return the hub's message in an error response, on one line."""
    text = next((str(body[key]) for key in _DETAILS if isinstance(body.get(key), str)), "")
    return " ".join(text[:_LONGEST_DETAIL].split())


def when_again(seconds: float | None) -> str:
    """Return the end of the sentence "Try again …"."""
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
