"""A HubDownload through huggingface_hub and its cache, then a hard link (or a copy) into the library."""

import logging
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils.tqdm import tqdm

from connectors.connector import HubDownload
from connectors.errors import HubUiError, IntegrityError, WrongHash
from connectors.http.adapter import Attempts, RetryPolicy
from connectors.http.errors import map_huggingface_errors
from hub_ui.library.disk import Fetched, check_space, hash_of, link_or_copy
from hub_ui.library.download.partial_file import check_file, check_promise
from hub_ui.library.download.progress import Meter

_MOST_TRIES = 2


def fetch(download: HubDownload, part: Path, meter: Meter, retry: RetryPolicy | None = None) -> Fetched:
    """Puts the file at `part` and checks it. A cached file that turns out damaged is fetched anew once."""
    meter.total = download.size
    # Its warnings spell out signed addresses, which let their bearer in, and say nothing that our error does not.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    check_space(part.parent, download.size)
    retry = retry or RetryPolicy()
    # huggingface_hub tries again by itself: five times our five would take minutes to say that the hub is down.
    retry = replace(retry, tries=min(retry.tries, _MOST_TRIES))
    try:
        return _fetch_and_check(download, part, meter, retry, force=False)
    except WrongHash:
        return _fetch_and_check(download, part, meter, retry, force=True)


def sweep(download: HubDownload) -> None:
    """Removes what killed processes left of this file in the cache, unless huggingface_hub holds the file's lock."""
    cache, folder = Path(constants.HF_HUB_CACHE), repo_folder_name(repo_id=download.repo, repo_type="model")
    left = list((cache / folder / "blobs").glob(f"{download.sha256}*.incomplete")) if download.sha256 else []
    if left:
        with suppress(Timeout, OSError), FileLock(cache / ".locks" / folder / f"{download.sha256}.lock", timeout=0):
            for path in left:
                path.unlink(missing_ok=True)


def _fetch_and_check(download: HubDownload, part: Path, meter: Meter, retry: RetryPolicy, *, force: bool) -> Fetched:
    attempts = Attempts(retry, meter.check)
    while True:
        try:
            cached = _fetch_into_cache(download, meter, force=force)
            break
        except HubUiError as error:
            attempts.wait(error, 0)
    part.unlink(missing_ok=True)
    link_or_copy(cached, part)
    try:
        fetched = hash_of(part)
        check_promise(fetched, download.size, download.sha256)
        check_file(part)
        return fetched
    except IntegrityError:
        # Else everyone who asks the cache would go on getting these bytes.
        cached.resolve().unlink(missing_ok=True)
        cached.unlink(missing_ok=True)
        raise


def _fetch_into_cache(download: HubDownload, meter: Meter, *, force: bool) -> Path:
    class Bar(tqdm):
        """huggingface_hub reports progress only to a tqdm class of the caller's; this one draws nothing."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]
            if kwargs.get("initial"):
                meter.at(int(kwargs["initial"]), meter.total)

        def update(self, n: float | None = 1) -> bool | None:
            meter.add(int(n or 0))
            return None

    try:
        with map_huggingface_errors(f"{download.repo}/{download.path}", endpoint=download.endpoint):
            path = hf_hub_download(
                download.repo,
                download.path,
                revision=download.commit,
                endpoint=download.endpoint,
                # False, not None: None would send a token found on this computer, even to another endpoint.
                token=download.token or False,
                force_download=force,
                tqdm_class=Bar,
            )
    except OSError as error:
        if error.errno is not None:
            raise
        # huggingface_hub's way of saying that the bytes ended before they should.
        raise WrongHash(
            "Hugging Face sent another number of bytes than it promised. Nothing was kept; pull it again.",
            hub="huggingface",
        ) from error
    return Path(path)
