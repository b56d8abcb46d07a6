"""What Hugging Face's client raises while a base model is looked up or fetched, as sentences for a person."""

from __future__ import annotations

import errno
from dataclasses import dataclass

import httpx2
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from connectors.errors import Gated, HubDown, HubUiError, KeyRequired, NoBase

# Not their subclasses: a connection that breaks is an OSError too.
_OF_THIS_DISK = (OSError, PermissionError, NotADirectoryError, FileExistsError, IsADirectoryError)
HUGGING_FACE = "https://huggingface.co"
FAILURES = (HfHubHTTPError, EntryNotFoundError, OfflineModeIsEnabled, httpx2.HTTPError, OSError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What was asked for. `gated`: our table says that people must agree first. `key`: there is a token.

    `endpoint` is where.
    """

    label: str
    repo: str
    gated: bool
    key: bool
    endpoint: str = HUGGING_FACE

    @property
    def page(self) -> str:
        return f"https://huggingface.co/{self.repo}"


def told(asked: Asked, error: Exception) -> HubUiError:
    """`error` is one of FAILURES."""
    # An anonymous caller is not told whether a gated repo is there.
    if isinstance(error, GatedRepoError) or (asked.gated and isinstance(error, RepositoryNotFoundError)):
        return gated(asked)
    if isinstance(error, RevisionNotFoundError):
        return NoBase(
            f"The commit of {asked.repo} that this version of the program uses is gone from Hugging Face. Choose "
            "another base, or update hub-ui."
        )
    if isinstance(error, RepositoryNotFoundError):
        return _nowhere(asked)
    if isinstance(error, HfHubHTTPError) and error.response is not None and error.response.status_code in (401, 403):
        return KeyRequired(f"Hugging Face wants a key for {asked.label}. Add one, or check it.", hub="huggingface")
    if isinstance(error, RemoteEntryNotFoundError):
        return NoBase(f"A file of {asked.repo} is gone from Hugging Face. Choose another base, or update hub-ui.")
    if type(error) in _OF_THIS_DISK:
        return _of_this_disk(asked, error)
    return HubDown(
        f"{asked.label} could not be fetched: Hugging Face can't be reached. Try again; what is there is kept.",
        hub="huggingface",
    )


def _nowhere(asked: Asked) -> NoBase:
    """A mirror, or the local hub of the demo, has only what was put there."""
    if asked.endpoint == HUGGING_FACE:
        return NoBase(f"There is no base model {asked.repo} on Hugging Face, or not for you. Choose another base.")
    return NoBase(
        f"There is no base model {asked.repo} at {asked.endpoint}, which HF_ENDPOINT names in place of Hugging Face. "
        "Choose another base, or unset HF_ENDPOINT."
    )


def gated(asked: Asked) -> Gated:
    if asked.key:
        return Gated(
            f"Hugging Face doesn't give out {asked.label} for your key yet: open {asked.page} signed in as the key's "
            "owner and agree to its licence (some authors answer by hand), then try again; or choose another base.",
            hub="huggingface",
            url=asked.page,
        )
    return Gated(
        f"{asked.label} is given out after you agree to its licence: open {asked.page}, agree, and set HF_TOKEN to a "
        "key of yours; or choose another base.",
        hub="huggingface",
        url=asked.page,
    )


def _of_this_disk(asked: Asked, error: Exception) -> NoBase:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return NoBase(f"The disk is full, and {asked.label} is not whole yet. Make room and try again: it goes on.")
    said = error.strerror if isinstance(error, OSError) else error
    return NoBase(f"{asked.label} can't be kept on this disk ({said}). Check Hugging Face's cache folder (HF_HOME).")
