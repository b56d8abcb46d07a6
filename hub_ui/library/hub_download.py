"""A HubDownload through huggingface_hub and its cache, then a hard link (or a copy) into the library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    XetDownloadError,
)
from huggingface_hub.utils.tqdm import tqdm

from connectors.connector import HubDownload
from connectors.errors import Gated, HubDown, HubTimeout, HubUiError, KeyRequired, NotFound, RateLimited, WrongHash
from hub_ui.library.disk import Fetched, check_space, hash_of, link_or_copy
from hub_ui.library.download import check_promise
from hub_ui.library.progress import Meter
from hub_ui.library.weights import check_file


def fetch(download: HubDownload, part: Path, meter: Meter) -> Fetched:
    """Puts the file at `part` and checks it. A cached file that turns out damaged is fetched anew once."""
    meter.total = download.size
    check_space(part.parent, download.size)
    try:
        return _placed(download, part, meter, force=False)
    except WrongHash:
        return _placed(download, part, meter, force=True)


def _placed(download: HubDownload, part: Path, meter: Meter, *, force: bool) -> Fetched:
    cached = _cached(download, meter, force=force)
    part.unlink(missing_ok=True)
    link_or_copy(cached, part)
    fetched = hash_of(part)
    check_promise(fetched, download.size, download.sha256)
    check_file(part)
    return fetched


def _cached(download: HubDownload, meter: Meter, *, force: bool) -> Path:
    try:
        path = hf_hub_download(
            download.repo,
            download.path,
            revision=download.commit,
            endpoint=download.endpoint,
            # False, not None: None would send a token found on this computer, even to another endpoint.
            token=download.token or False,
            force_download=force,
            tqdm_class=_bar_for(meter),
        )
    except (HfHubHTTPError, EntryNotFoundError, OfflineModeIsEnabled, XetDownloadError, httpx2.HTTPError) as error:
        raise _ours(error) from error
    # huggingface_hub's way of saying that a forced download failed; the reason is its cause.
    except ValueError as error:
        raise _ours(error.__cause__ or error) from error
    return Path(path)


def _bar_for(meter: Meter) -> type[tqdm]:
    """huggingface_hub tells its progress only to a tqdm class of the caller's; this one draws nothing."""

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> bool | None:
            meter.add(int(n or 0))
            return None

    return Bar


def _ours(error: BaseException) -> HubUiError:
    # "Not in the cache, and the hub could not be asked": the hub's own answer says more.
    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, HfHubHTTPError):
        error = error.__cause__
    status = error.response.status_code if isinstance(error, HfHubHTTPError) and error.response is not None else None
    match error:
        case GatedRepoError():
            return Gated(
                "The author grants access to this repository one by one. Ask for it on its page on Hugging Face, "
                "then add your key here.",
                hub="huggingface",
            )
        case RepositoryNotFoundError() if status == 401:
            # Hugging Face answers anonymous people alike for private and for missing repositories.
            return KeyRequired("The repository is private, or gone. Add a key that may read it.", hub="huggingface")
        case LocalEntryNotFoundError() | OfflineModeIsEnabled() | httpx2.TransportError():
            return _unreachable(error)
        case _:
            return _by_status(status, error)


def _by_status(status: int | None, error: BaseException) -> HubUiError:
    if status in (401, 403):
        return KeyRequired("Hugging Face wants a key for this file. Add one, or check it.", hub="huggingface")
    if status == 429:
        return RateLimited("Hugging Face asks to slow down. Try again in a few minutes.", hub="huggingface")
    if status in (404, 410) or isinstance(error, EntryNotFoundError):
        return NotFound("The file is not in this repository at this commit (any more).", hub="huggingface")
    return HubDown("Hugging Face could not hand out the file. Try again in a minute.", hub="huggingface")


def _unreachable(error: BaseException) -> HubUiError:
    if isinstance(error, httpx2.TimeoutException):
        return HubTimeout("Hugging Face did not answer in time. Try again.", hub="huggingface")
    return HubDown("Hugging Face can't be reached. Check the connection and try again.", hub="huggingface")
