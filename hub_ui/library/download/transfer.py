"""Download a file into its partial file: over one connection or several, resumed, hashed while it arrives, and checked.

Of a tar archive, only the .safetensors file is downloaded. Names inside the archive are never used for files. A
HubDownload uses huggingface_hub with its cache, and then a hard link or a copy in the library.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import requests
from filelock import FileLock, Timeout
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils.tqdm import tqdm

from connectors.connector import HttpDownload, HubDownload
from connectors.errors import BadAnswer, HubDown, HubUiError, IntegrityError, NotWeights, WrongHash
from connectors.http.adapter import file_http
from connectors.http.errors import map_huggingface_errors
from connectors.http.ranges import FileChanged, HttpReader, Range, RangeAnswer, RangedSource, Renew
from connectors.http.retry import Attempts, RetryPolicy
from connectors.weights.tar import TarMember, only_safetensors
from hub_ui.base.disk import Fetched, check_space, hash_of, link_or_copy, write_all
from hub_ui.base.i18n import _
from hub_ui.library.download.partial_file import (
    Meter,
    PartialFile,
    PullCancelled,
    check_file,
    check_promise,
    check_start,
    hash_while_written,
)

# CivitAI rounds some sizes to kilobytes. The hash decides, so a size only has to be close.
_SIZE_TOLERANCE = 1024 * 1024
# Above this speed, in bytes per second, more connections don't help. It is measured with the first piece.
_FAST_BYTES = 60_000_000
_FIRST_PIECE = 2 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class DownloadOptions:
    """The options of downloads.

    Files of at least `parallel_from` bytes are downloaded over several connections, in pieces of `piece_size`.
    """

    connections: int = 4
    parallel_from: int = 64 * 1024 * 1024
    piece_size: int = 16 * 1024 * 1024
    retry: RetryPolicy = field(default_factory=RetryPolicy)


def fetch(
    download: HttpDownload,
    part: PartialFile,
    meter: Meter,
    *,
    renew: Renew | None = None,
    options: DownloadOptions | None = None,
) -> Fetched:
    """Download the file into the part and check it. After an error the received bytes stay in the part."""
    transfer = Transfer(
        download=download, source=RangedSource.of(download, renew), part=part, meter=meter,
        options=options or DownloadOptions(),
    )  # fmt: skip
    ended = threading.Event()
    with ThreadPoolExecutor(1, thread_name_prefix="sha256") as pool:
        sha256 = pool.submit(hash_while_written, part, ended, transfer.check)
        try:
            transfer.run()
        finally:
            ended.set()
        fetched = Fetched(size=part.bytes_done, sha256=sha256.result())
    check_promise(fetched, download.size, download.sha256)
    check_file(part.path)
    return fetched


@dataclass(kw_only=True)
class Transfer:
    """A running download. If it `_is_whole`, it requests all bytes at the address from the start, and streams a tar."""

    download: HttpDownload
    source: RangedSource
    part: PartialFile
    meter: Meter
    options: DownloadOptions
    _reading: set[requests.Response] = field(default_factory=set)
    _pieces: deque[tuple[int, int]] = field(default_factory=deque)
    _stop: threading.Event = field(default_factory=threading.Event)
    _is_fast: bool = False
    _is_whole: bool = False

    def run(self) -> None:
        """Retry until the part is complete or a failure lasts."""
        attempts = Attempts(self.options.retry, self.meter.check)
        self.source.inside = self.part.state.inside
        self.meter.at(self.part.bytes_done, self.part.size or self.download.size)
        while not self.part.complete:
            try:
                if not self.download.in_tar or self.source.inside is not None:
                    self._fetch_missing()
                elif not self._is_whole:
                    self._find_in_tar()
                else:
                    self._stream_tar()
            except FileChanged:
                # Raised also for another tar than the part's, and for a server that no longer serves ranges.
                self.restart()
                self._is_whole = True
                attempts.wait(HubDown("The hub keeps exchanging the file.", hub=self.download.ref.hub), 0)
            except HubUiError as error:
                bytes_done = self.part.bytes_done
                if self.download.in_tar and self._is_whole:
                    # A streamed tar can't be resumed.
                    self.restart()
                self.part.save()
                attempts.wait(error, bytes_done)

    def check(self) -> None:
        """Raise PullCancelled after a cancellation, and end running reads, which a stalled server could block."""
        try:
            self.meter.check()
        except PullCancelled:
            for response in tuple(self._reading):
                # The reading thread then gets the end of the stream, and checks the meter. shutdown() fails if the
                # response was read already or does not support it.
                with suppress(OSError, RuntimeError, ValueError):
                    response.raw.shutdown()
            raise

    def restart(self) -> None:
        self.part.restart()
        self.source.inside = None
        self.meter.at(0, self.download.size)

    def write(self, response: requests.Response, chunks: Iterator[bytes], start: int, stop: int | None) -> None:
        """Write received bytes to the part and count them. Without a length, the file ends where the response ends."""
        at = start
        with self.part.writer(at) as file, ExitStack() as after:
            self._reading.add(response)
            after.callback(self._reading.discard, response)
            # The download may have been cancelled just before.
            self.meter.check()
            for chunk in () if at == stop else check_first_bytes(chunks) if at == 0 else chunks:
                if self._stop.is_set():
                    return
                end = at + len(chunk)
                if stop is not None and end > stop:
                    raise BadAnswer(
                        _("The hub sends more than it announced. Try again later."), hub=self.download.ref.hub
                    )
                if stop is None:
                    self._check_size(end)
                write_all(file, chunk)
                self.part.wrote(at, end)
                at = end
                self.meter.add(len(chunk))
        if self.part.size is None and stop in (None, start):
            self.part.update(size=at)

    def _fetch_missing(self) -> None:
        """Request the missing bytes, and write them until the file is complete or an error occurs."""
        self._stop.clear()
        before = self.part.bytes_done
        start, stop = next(self.part.gaps())
        is_narrow = self._is_narrow()
        if not is_narrow:
            piece = min(_FIRST_PIECE, self.options.piece_size)
            stop = min(start + piece, stop or start + piece)
        wanted = Range() if self._is_whole else Range(start=start, stop=stop, validator=self.part.state.validator)
        with file_http(retry_reads=False) as http:
            answer = self.source.open(http, wanted)
            with answer.response:
                self._accept(answer)
                began = time.monotonic()
                self.write(answer.response, self.source.chunks(answer), answer.start, answer.stop)
            if answer.partial and self.part.size is not None and not is_narrow:
                self._is_fast = self.part.end_of(start) - start >= _FAST_BYTES * (time.monotonic() - began)
                if not self._is_fast:
                    self._spread(http)
        if self.part.bytes_done == before and not self.part.complete:
            raise HubDown(_("The answer held nothing. Try again."), hub=self.download.ref.hub)

    def _is_narrow(self) -> bool:
        """Return whether to use one connection: for small files, fast servers, and servers without ranges."""
        size = self.part.size or self.download.size
        is_small = size is not None and size - self.part.bytes_done < self.options.parallel_from
        return self._is_whole or self._is_fast or is_small or self.options.connections < 2

    def _accept(self, answer: RangeAnswer) -> None:
        """Restart the download unless the response continues the part."""
        if self.part.bytes_done and (not answer.partial or not self._continues(answer)):
            self.restart()
            if answer.partial:
                raise FileChanged(_("The hub has exchanged the file. Try again."), hub=self.download.ref.hub)
        self._check_size(answer.total)
        if answer.total == 0:
            check_start(b"")
        if not self.part.bytes_done:
            self.part.update(validator=answer.validator, size=answer.total)
            self._is_whole = False
        self.meter.at(self.part.bytes_done, self.part.size or self.download.size)
        check_space(self.part.path.parent, None if self.part.size is None else self.part.size - self.part.bytes_done)

    def _continues(self, answer: RangeAnswer) -> bool:
        """Return whether the response may continue the part. Without a validator, a promised hash proves it later."""
        same_size = None in (self.part.size, answer.total) or self.part.size == answer.total
        return same_size and (self.part.state.validator is not None or self.part.state.purpose.sha256 is not None)

    def _check_size(self, size: int | None) -> None:
        promised = self.download.size
        if size is not None and promised is not None and size > promised + _SIZE_TOLERANCE:
            raise WrongHash(
                _("More bytes come than the {promised} promised. Nothing was kept.").format(promised=promised)
            )

    def _spread(self, http: requests.Session) -> None:
        """Download the missing bytes over several connections, piece by piece. The size must be known."""
        self._pieces = deque(
            (at, min(at + self.options.piece_size, stop))
            for start, stop in self.part.gaps()
            if stop is not None
            for at in range(start, stop, self.options.piece_size)
        )

        def take_some() -> None:
            with file_http(retry_reads=False) as session:
                self._take_pieces(session)

        with ThreadPoolExecutor(self.options.connections, thread_name_prefix="pull") as pool:
            others = [pool.submit(take_some) for _ in range(self.options.connections - 1)]
            self._take_pieces(http)
        for other in others:
            other.result()

    def _take_pieces(self, http: requests.Session) -> None:
        with ExitStack() as undo:
            # A failed connection stops the others.
            undo.callback(self._stop.set)
            while not self._stop.is_set():
                try:
                    start, stop = self._pieces.popleft()
                except IndexError:
                    break
                answer = self.source.open(http, Range(start=start, stop=stop, validator=self.part.state.validator))
                with answer.response:
                    if not answer.partial or not self._continues(answer):
                        raise FileChanged(_("The hub has exchanged the file. Try again."), hub=self.download.ref.hub)
                    self.write(answer.response, self.source.chunks(answer), answer.start, answer.stop)
            undo.pop_all()

    def _find_in_tar(self) -> None:
        """Store the position of the LoRA in the tar, unless the server does not support the range requests for that."""
        try:
            with file_http() as http:
                source = RangedSource.of(self.download, retry=RetryPolicy(tries=3, first=0.1))
                member = TarMember(HttpReader(http, source))
                if not member.is_alone():
                    raise NotWeights(_("The archive holds several LoRA files, and nothing says which one is meant."))
        except BadAnswer:
            self._is_whole = True
        else:
            self.restart()
            self.source.inside = member.start, member.size or 0
            self.part.update(inside=self.source.inside, size=member.size)

    def _stream_tar(self) -> None:
        self.restart()
        with file_http(retry_reads=False) as http:
            answer = self.source.open(http, Range())
            with answer.response:
                self.meter.at(0, answer.total)
                check_space(self.part.path.parent, answer.total)
                self.write(answer.response, only_safetensors(self.source.chunks(answer)), 0, None)


def check_first_bytes(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the same bytes after checking that the first nine can start a safetensors file."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= 9:
            break
    check_start(head)
    yield head
    yield from chunks


_MOST_TRIES = 2


def fetch_from_hub(download: HubDownload, part: Path, meter: Meter, retry: RetryPolicy | None = None) -> Fetched:
    """Download the file to `part` and check it. A damaged file in the cache is downloaded again once."""
    meter.at(0, download.size)
    # huggingface_hub's warnings contain signed addresses, which grant access, and add nothing to our error.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    check_space(part.parent, download.size)
    retry = retry or RetryPolicy()
    # huggingface_hub retries by itself: five of its tries in each of our five would take minutes to report a hub that
    # is down.
    retry = replace(retry, tries=min(retry.tries, _MOST_TRIES))
    try:
        return _fetch_and_check(download, part, meter, retry, force=False)
    except WrongHash:
        return _fetch_and_check(download, part, meter, retry, force=True)


def sweep(download: HubDownload) -> None:
    """Delete leftovers of killed processes for this file from the cache, unless huggingface_hub has locked it."""
    cache, folder = Path(constants.HF_HUB_CACHE), repo_folder_name(repo_id=download.ref.id, repo_type="model")
    leftovers = list((cache / folder / "blobs").glob(f"{download.sha256}*.incomplete")) if download.sha256 else []
    if leftovers:
        with suppress(Timeout, OSError), FileLock(cache / ".locks" / folder / f"{download.sha256}.lock", timeout=0):
            for path in leftovers:
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
        # Delete the damaged file, because other users of the cache would get it as well.
        cached.resolve().unlink(missing_ok=True)
        cached.unlink(missing_ok=True)
        raise


def _fetch_into_cache(download: HubDownload, meter: Meter, *, force: bool) -> Path:
    class Bar(tqdm):
        """A progress bar that draws nothing. huggingface_hub reports progress only to a tqdm class of the caller's."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]
            if kwargs.get("initial"):
                meter.at(int(kwargs["initial"]), meter.total)

        def update(self, n: float | None = 1) -> bool | None:
            meter.add(int(n or 0))
            return None

    try:
        with map_huggingface_errors(f"{download.ref.id}/{download.path}", endpoint=download.endpoint):
            path = hf_hub_download(
                download.ref.id,
                download.path,
                revision=download.ref.version,
                endpoint=download.endpoint,
                # False, not None: with None, huggingface_hub would send a token found on this computer, even to another
                # endpoint.
                token=download.token or False,
                force_download=force,
                tqdm_class=Bar,
            )
    except OSError as error:
        if error.errno is not None:
            raise
        # huggingface_hub raises OSError without errno if the number of bytes is wrong.
        raise WrongHash(
            "Hugging Face sent another number of bytes than it promised. Nothing was kept; pull it again.",
            hub="huggingface",
        ) from error
    return Path(path)
