"""Turns the errors of Hugging Face's client for base models into messages."""

import errno
from dataclasses import dataclass

import httpx2
from huggingface_hub import errors as hf

from connectors.errors import Gated, HubUiError, NoBase
from connectors.http.errors import huggingface_error

# Not their subclasses: a connection that breaks is an OSError too.
_OF_THIS_DISK = (OSError, PermissionError, NotADirectoryError, FileExistsError, IsADirectoryError)
HUGGING_FACE = "https://huggingface.co"
FAILURES = (hf.HfHubHTTPError, hf.EntryNotFoundError, hf.OfflineModeIsEnabled, httpx2.HTTPError, OSError)


@dataclass(frozen=True, kw_only=True, slots=True)
class RepoQuery:
    """The repo and its hub. `gated`: our table says that users must accept terms first. `key`: there is a token."""

    label: str
    repo: str
    gated: bool
    key: bool
    endpoint: str = HUGGING_FACE


def base_error(query: RepoQuery, error: Exception) -> HubUiError:
    """`error` is one of FAILURES."""
    if isinstance(error, OSError) and type(error) in _OF_THIS_DISK:
        if error.errno == errno.ENOSPC:
            return NoBase(f"The disk is full, and {query.label} is not whole yet. Make room and try again: it goes on.")
        return NoBase(
            f"{query.label} can't be kept on this disk ({error.strerror}). Check Hugging Face's cache folder (HF_HOME)."
        )
    # The hub doesn't tell an anonymous caller whether a gated repo exists.
    if isinstance(error, hf.GatedRepoError) or (query.gated and isinstance(error, hf.RepositoryNotFoundError)):
        return access_error(query)
    if isinstance(error, hf.RevisionNotFoundError):
        return NoBase(
            f"The commit of {query.repo} that this version of the program uses is gone from Hugging Face. Choose "
            "another base, or update hub-ui."
        )
    if isinstance(error, hf.RemoteEntryNotFoundError):
        return NoBase(f"A file of {query.repo} is gone from Hugging Face. Choose another base, or update hub-ui.")
    if not isinstance(error, hf.RepositoryNotFoundError):
        found = huggingface_error(error, query.label)
        message = f"{query.label} could not be fetched: {found.message} What is there is kept."
        return type(found)(message, hub=found.hub, retry_after=found.retry_after)
    if query.endpoint == HUGGING_FACE:
        return NoBase(f"There is no base model {query.repo} on Hugging Face, or not for you. Choose another base.")
    # A mirror, and the demo's local hub, have only some of the repos.
    return NoBase(
        f"There is no base model {query.repo} at {query.endpoint}, which HF_ENDPOINT names in place of Hugging Face. "
        "Choose another base, or unset HF_ENDPOINT."
    )


def access_error(query: RepoQuery) -> Gated:
    page = f"https://huggingface.co/{query.repo}"
    if query.key:
        message = (
            f"Hugging Face doesn't give out {query.label} for your key yet: open {page} signed in as the key's owner "
            "and agree to its licence (some authors answer by hand), then try again; or choose another base."
        )
    else:
        message = (
            f"{query.label} is given out after you agree to its licence: open {page}, agree, and set HF_TOKEN to a key "
            "of yours; or choose another base."
        )
    return Gated(message, hub="huggingface", url=page)
