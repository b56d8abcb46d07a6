"""huggingface_hub's errors -> ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub.errors import (
    DisabledRepoError,
    EntryNotFoundError,
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from connectors.errors import (
    BadAnswer,
    BadRef,
    Gated,
    HubDown,
    HubTimeout,
    HubUiError,
    KeyRequired,
    NotFound,
    RateLimited,
    RegionBlocked,
)
from connectors.http.session import retry_after, when_again

HUB = "huggingface"
_LABEL = "Hugging Face"
# What huggingface_hub raises for anything that goes wrong between it and the hub.
FOREIGN = (
    HfHubHTTPError,
    EntryNotFoundError,
    FileMetadataError,
    HFValidationError,
    OfflineModeIsEnabled,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.StreamError,
)


@contextmanager
def as_ours(what: str) -> Iterator[None]:
    """Inside it, whatever huggingface_hub raises about `what` (a repo, a file) leaves as one of our errors."""
    try:
        yield
    except FOREIGN as error:
        raise translated(error, what) from error
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        # huggingface_hub builds its objects straight from the JSON, so a wrong shape, or JSON made to break readers,
        # shows as one of these.
        raise BadAnswer(f"{_LABEL} answered about {what} in a way we can't read.", hub=HUB) from error


def translated(error: Exception, what: str) -> HubUiError:
    return _of_repo(error, what) or _of_transport(error) or _of_status(error, what)


def _of_repo(error: Exception, what: str) -> HubUiError | None:
    """GatedRepoError is a RepositoryNotFoundError, and LocalEntryNotFoundError an EntryNotFoundError: narrow first."""
    if isinstance(error, GatedRepoError):
        return Gated(
            f"The author grants access to {what} one by one: ask for it on its page at {_LABEL}, then add your key "
            "(HF_TOKEN).",
            hub=HUB,
        )
    if isinstance(error, LocalEntryNotFoundError):
        return HubDown(f"{_LABEL} can't be reached, and {what} is not in the cache here.", hub=HUB)
    if isinstance(error, RepositoryNotFoundError):
        # The hub gives one answer for missing and private repos, so that nobody learns which.
        return NotFound(f"{_LABEL} has no {what}, or it is private: add a key (HF_TOKEN) if it is yours.", hub=HUB)
    if isinstance(error, RevisionNotFoundError):
        return NotFound(f"{_LABEL} has no such commit, branch or tag of {what} (any more).", hub=HUB)
    if isinstance(error, EntryNotFoundError):
        return NotFound(f"{_LABEL} has no {what} (any more).", hub=HUB)
    if isinstance(error, DisabledRepoError):
        return NotFound(f"{_LABEL} has disabled {what}.", hub=HUB)
    if isinstance(error, HFValidationError):
        return BadRef(f"{what} is no name {_LABEL} could have.", hub=HUB)
    return None


def _of_transport(error: Exception) -> HubUiError | None:
    if isinstance(error, OfflineModeIsEnabled):
        return HubDown(f"{_LABEL} is switched off here (HF_HUB_OFFLINE).", hub=HUB)
    if isinstance(error, httpx2.TimeoutException):
        return HubTimeout(f"{_LABEL} did not answer in time. Try again.", hub=HUB)
    if isinstance(error, httpx2.DecodingError | httpx2.TooManyRedirects | httpx2.StreamError | FileMetadataError):
        return BadAnswer(f"{_LABEL} answered in a way we can't read. Is its address right?", hub=HUB)
    if isinstance(error, httpx2.RequestError | httpx2.InvalidURL):
        return HubDown(f"{_LABEL} can't be reached. Check the connection and try again.", hub=HUB)
    return None


def _of_status(error: Exception, what: str) -> HubUiError:
    response = getattr(error, "response", None)
    status = response.status_code if isinstance(response, httpx2.Response) else 0
    if status in (401, 403):
        return KeyRequired(f"{_LABEL} does not take this key for {what}. Check HF_TOKEN.", hub=HUB)
    if status in (404, 410):
        return NotFound(f"{_LABEL} has no {what} (any more).", hub=HUB)
    if status == 429 and isinstance(response, httpx2.Response):
        seconds = retry_after(response)
        return RateLimited(
            f"{_LABEL} asks to slow down. Try again {when_again(seconds)}.", hub=HUB, retry_after=seconds
        )
    if status == 451:
        return RegionBlocked(f"{_LABEL} does not serve {what} in your region. Look for it on another hub.", hub=HUB)
    if status >= 500:
        return HubDown(f"{_LABEL} has a fault of its own ({status}). Try again in a minute.", hub=HUB)
    return BadAnswer(f"{_LABEL} refused the request about {what} ({status or type(error).__name__}).", hub=HUB)
