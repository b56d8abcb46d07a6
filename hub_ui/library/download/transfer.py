"""An HttpDownload into its partial file: over one connection or several, resumed, hashed while it comes, and checked.

Of a tar only the .safetensors comes. Nothing is ever written under a member's own name. A HubDownload comes through
huggingface_hub and its cache, then by a hard link (or a copy) into the library.
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

# CivitAI rounds its sizes to kilobytes for some files: with a hash to decide, a size only has to be near.
_SIZE_TOLERANCE = 1024 * 1024
# A connection that brings so much a second is not what holds a download up: it goes on alone. The first piece tells.
_FAST_BYTES = 60_000_000
_FIRST_PIECE = 2 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class DownloadOptions:
    """Files of at least `parallel_from` bytes come over several connections, in pieces of `piece_size`."""

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
    """Fills the part with the file and checks it. Raises one of our errors; what came is then kept in the part."""
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
    """Where it `_is_whole`, all that lies at the address is asked for, from the front: a tar is then streamed."""

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
        """Tries until the part is complete, or a failure lasts."""
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
                # Also another tar than the part began with, or a server that forgot how to send parts of it.
                self.restart()
                self._is_whole = True
                attempts.wait(HubDown("The hub keeps exchanging the file.", hub=self.download.ref.hub), 0)
            except HubUiError as error:
                bytes_done = self.part.bytes_done
                if self.download.in_tar and self._is_whole:
                    # The bytes of a tar that is streamed can't be gone on with.
                    self.restart()
                self.part.save()
                attempts.wait(error, bytes_done)

    def check(self) -> None:
        """For the thread that hashes. A cancelled pull ends what is being read: a stalled server would hold it long."""
        try:
            self.meter.check()
        except PullCancelled:
            for response in tuple(self._reading):
                # Whoever reads gets an end in place of bytes, and then asks the meter. The answer may have been read to
                # its end already, or not be able to.
                with suppress(OSError, RuntimeError, ValueError):
                    response.raw.shutdown()
            raise

    def restart(self) -> None:
        self.part.restart()
        self.source.inside = None
        self.meter.at(0, self.download.size)

    def write(self, response: requests.Response, chunks: Iterator[bytes], start: int, stop: int | None) -> None:
        """Writes the bytes where they belong, and counts them. What comes without a length ends where the file does."""
        at = start
        with self.part.writer(at) as file, ExitStack() as after:
            self._reading.add(response)
            after.callback(self._reading.discard, response)
            # It may have been cancelled a moment before.
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
        """Requests what is missing, and writes it until the file is complete or something fails."""
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
        """Whether one connection does: for small files, where it is fast, and where the server sends whole ones."""
        size = self.part.size or self.download.size
        is_small = size is not None and size - self.part.bytes_done < self.options.parallel_from
        return self._is_whole or self._is_fast or is_small or self.options.connections < 2

    def _accept(self, answer: RangeAnswer) -> None:
        """Starts over unless the answer continues what is there already."""
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
        """Without a validator, only a promised hash can tell in the end that the two halves belong together."""
        same_size = None in (self.part.size, answer.total) or self.part.size == answer.total
        return same_size and (self.part.state.validator is not None or self.part.state.purpose.sha256 is not None)

    def _check_size(self, size: int | None) -> None:
        promised = self.download.size
        if size is not None and promised is not None and size > promised + _SIZE_TOLERANCE:
            raise WrongHash(
                _("More bytes come than the {promised} promised. Nothing was kept.").format(promised=promised)
            )

    def _spread(self, http: requests.Session) -> None:
        """Several connections take one piece after another of what is missing of a file whose size is known."""
        self._pieces = deque(
            (at, min(at + self.options.piece_size, stop))
            for start, stop in self.part.gaps()
            if stop is not None
            for at in range(start, stop, self.options.piece_size)
        )

        def take_some() -> None:
            with file_http(retry_reads=False) as own:
                self._take_pieces(own)

        with ThreadPoolExecutor(self.options.connections, thread_name_prefix="pull") as pool:
            others = [pool.submit(take_some) for _ in range(self.options.connections - 1)]
            self._take_pieces(http)
        for other in others:
            other.result()

    def _take_pieces(self, http: requests.Session) -> None:
        with ExitStack() as undo:
            # One connection that fails ends the others too.
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
        """Writes down where in the tar the LoRA lies, unless that takes more than the server can do."""
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
    """The same bytes, once the first nine have passed for a safetensors file's."""
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
    """Puts the file at `part` and checks it. A cached file that turns out damaged is fetched anew once."""
    meter.at(0, download.size)
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
    cache, folder = Path(constants.HF_HUB_CACHE), repo_folder_name(repo_id=download.ref.id, repo_type="model")
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
        with map_huggingface_errors(f"{download.ref.id}/{download.path}", endpoint=download.endpoint):
            path = hf_hub_download(
                download.ref.id,
                download.path,
                revision=download.ref.version,
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
