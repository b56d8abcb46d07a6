"""A HubDownload through huggingface_hub and its cache, then a hard link (or a copy) into the library."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
from filelock import FileLock, Timeout
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    XetDownloadError,
)
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils.tqdm import tqdm

from connectors.connector import HubDownload
from connectors.errors import (
    Gated,
    HubDown,
    HubTimeout,
    HubUiError,
    IntegrityError,
    KeyRequired,
    NotFound,
    RateLimited,
    RegionBlocked,
    WrongHash,
)
from connectors.http.session import retry_after, when_again
from hub_ui.library.disk import Fetched, check_space, hash_of, link_or_copy
from hub_ui.library.download.fetch import check_promise
from hub_ui.library.download.hasher import check_file
from hub_ui.library.download.progress import Meter
from hub_ui.library.download.retry import Attempts, RetryPolicy

_MOST_TRIES = 2


def fetch(download: HubDownload, part: Path, meter: Meter, patience: RetryPolicy | None = None) -> Fetched:
    """Puts the file at `part` and checks it. A cached file that turns out damaged is fetched anew once."""
    meter.total = download.size
    # Its warnings spell out signed addresses, which let their bearer in, and say nothing that our error does not.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    check_space(part.parent, download.size)
    try:
        return _placed(download, part, meter, patience or RetryPolicy(), force=False)
    except WrongHash:
        return _placed(download, part, meter, patience or RetryPolicy(), force=True)


def sweep(download: HubDownload) -> None:
    """Takes away what killed processes left of this file in the cache: huggingface_hub never goes on with it.

    It holds its own lock of a file while it downloads, so what lies there while the lock is free is nobody's.
    """
    cache, folder = Path(constants.HF_HUB_CACHE), repo_folder_name(repo_id=download.repo, repo_type="model")
    left = list((cache / folder / "blobs").glob(f"{download.sha256}*.incomplete")) if download.sha256 else []
    if left:
        with suppress(Timeout, OSError), FileLock(cache / ".locks" / folder / f"{download.sha256}.lock", timeout=0):
            for path in left:
                path.unlink(missing_ok=True)


def _placed(download: HubDownload, part: Path, meter: Meter, patience: RetryPolicy, *, force: bool) -> Fetched:
    # huggingface_hub tries again by itself: five times our five would take minutes to say that the hub is down.
    attempts = Attempts(patience=replace(patience, tries=min(patience.tries, _MOST_TRIES)), check=meter.check)
    while True:
        try:
            cached = _cached(download, meter, force=force)
            break
        except HubUiError as error:
            attempts.failed(error, 0)
    part.unlink(missing_ok=True)
    link_or_copy(cached, part)
    try:
        return _checked(download, part)
    except IntegrityError:
        # Else everyone who asks the cache would go on getting these bytes.
        cached.resolve().unlink(missing_ok=True)
        cached.unlink(missing_ok=True)
        raise


def _checked(download: HubDownload, part: Path) -> Fetched:
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
        raise _ours(error, download) from error
    # huggingface_hub's way of saying that a forced download failed; the reason is its cause.
    except ValueError as error:
        raise _ours(error.__cause__ or error, download) from error
    except OSError as error:
        if error.errno is not None:
            raise
        # And of saying that the bytes ended before they should.
        raise WrongHash(
            "Hugging Face sent another number of bytes than it promised. Nothing was kept; pull it again.",
            hub="huggingface",
        ) from error
    return Path(path)


def _bar_for(meter: Meter) -> type[tqdm]:
    """huggingface_hub tells its progress only to a tqdm class of the caller's; this one draws nothing."""

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]
            if kwargs.get("initial"):
                meter.at(int(kwargs["initial"]), meter.total)

        def update(self, n: float | None = 1) -> bool | None:
            meter.add(int(n or 0))
            return None

    return Bar


def _ours(error: BaseException, download: HubDownload) -> HubUiError:
    # "Not in the cache, and the hub could not be asked": the hub's own answer says more.
    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, HfHubHTTPError):
        error = error.__cause__
    response = error.response if isinstance(error, HfHubHTTPError) else None
    page = f"{download.endpoint}/{download.repo}"
    match error:
        case GatedRepoError():
            return Gated(
                f"The author grants access to this repository one by one. Ask for it at {page}, then add your key "
                "(HF_TOKEN).",
                hub="huggingface",
            )
        case RepositoryNotFoundError() if response is not None and response.status_code == 401:
            # Hugging Face answers anonymous people alike for private and for missing repositories.
            return KeyRequired(
                "The repository is private, or gone. Add a key that may read it (HF_TOKEN, from "
                "huggingface.co/settings/tokens).",
                hub="huggingface",
            )
        case LocalEntryNotFoundError() | OfflineModeIsEnabled() | httpx2.TransportError():
            return _unreachable(error)
        case EntryNotFoundError():
            return _gone()
        case _:
            return _by_status(response, download.endpoint) if response is not None else _unreachable(error)


def _by_status(response: httpx2.Response, endpoint: str) -> HubUiError:
    status = response.status_code
    if status in (401, 403) and not str(response.url).startswith(endpoint):
        return HubDown("The delivery host refuses the address Hugging Face gave. Try again.", hub="huggingface")
    if status in (401, 403):
        return KeyRequired(
            "Hugging Face wants a key for this file. Add one (HF_TOKEN, from huggingface.co/settings/tokens), or check "
            "the one you gave.",
            hub="huggingface",
        )
    if status == 429:
        seconds = retry_after(response)
        again = when_again(seconds)
        return RateLimited(
            f"Hugging Face asks to slow down. Try again {again}.", hub="huggingface", retry_after=seconds
        )
    if status in (404, 410):
        return _gone()
    if status == 451:
        return RegionBlocked(
            "Hugging Face does not serve this file in your region. Look for it on another hub.", hub="huggingface"
        )
    return HubDown(f"Hugging Face has a fault of its own ({status}). Try again in a minute.", hub="huggingface")


def _gone() -> NotFound:
    return NotFound("The file is not in this repository at this commit (any more).", hub="huggingface")


def _unreachable(error: BaseException) -> HubUiError:
    if isinstance(error, httpx2.TimeoutException):
        return HubTimeout("Hugging Face did not answer in time. Try again.", hub="huggingface")
    return HubDown("Hugging Face can't be reached. Check the connection and try again.", hub="huggingface")
