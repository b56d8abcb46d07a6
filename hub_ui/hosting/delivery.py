"""A weight file on its way through the page to the visitor who asks for it, with that visitor's right."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from connectors.http.adapter import file_http
from connectors.http.ranges import Range, RangedSource
from connectors.ref import Ref
from hub_ui.hosting.connector import refusals_for_visitors
from hub_ui.hosting.downloads import VisitorDownloads, is_shared
from hub_ui.library.download.hasher import check_start


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """`path` is a file on this disk; without one, `chunks` are the bytes as the hub sends them."""

    name: str
    size: int | None
    path: Path | None = None
    chunks: Iterator[bytes] = field(default_factory=lambda: iter(()))


def deliver(downloads: VisitorDownloads, ref: Ref) -> Delivery:
    """Counts its bytes. Raises the hub's refusal, or LimitReached, before the first one."""
    entry, found, right = downloads.locate(ref)
    name = PurePosixPath(entry.file).name
    path = downloads.cache.find(entry.sha256, shared=is_shared(right)) if entry.sha256 else None
    if path is None and found.in_tar:
        # Only the file within is wanted, and where it lies shows when the tar is read.
        fetched = downloads.cache.fetch(found, shared=is_shared(right))
        path = downloads.cache.find(fetched.sha256, shared=is_shared(right))
    if path is not None:
        size = path.stat().st_size
        downloads.quotas.spend("bytes", size)
        return Delivery(name=name, size=size, path=path)
    with refusals_for_visitors(ref.hub), ExitStack() as undo:
        source = RangedSource.of(found)
        answer = source.open(undo.enter_context(file_http(retry_reads=False)), Range(whole=True))
        undo.callback(answer.response.close)
        told = answer.total if answer.total is not None else found.size
        size = downloads.cache.largest if told is None else told
        downloads.cache.check_size(size)
        downloads.quotas.spend("bytes", size)
        chunks = source.chunks(answer, most=downloads.cache.largest)
        head = b""
        while len(head) < 9 and (more := next(chunks, b"")):
            head += more
        # A web page in place of the file is no download.
        check_start(head)
        return Delivery(name=name, size=answer.total, chunks=_send(head, chunks, undo.pop_all()))


def _send(head: bytes, chunks: Iterator[bytes], open_: ExitStack) -> Iterator[bytes]:
    with open_:
        yield head
        yield from chunks
