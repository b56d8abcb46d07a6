"""FACTS about one weight file, on disk or remote, from its header and a few bytes more.

The body of the file is not downloaded.
"""

from base64 import b64encode
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tarfile import BLOCKSIZE
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

from connectors.connector import Download, over_http
from connectors.errors import HubUiError, NotFound, UsageError
from connectors.http.adapter import file_http
from connectors.http.ranges import HttpReader, RangedSource
from connectors.http.retry import LONGEST_SHORT_WAIT, RetryPolicy
from connectors.weights import lora_facts
from connectors.weights.file_type import Layouts
from connectors.weights.header import FIRST_READ, FileReader, RangeReader, read_raw
from connectors.weights.lora_facts import LoraFacts
from connectors.weights.tar import TarMember, is_tar

# Increase this number if the same header is read differently than before. Stored facts are then read anew.
_READ_AS = 6
MOST_REQUESTS = 3
_MAX_EXTRA_READ = 256 * 1024
# FACTS of the contracts: names and order are stable.
_FACTS = (
    "is_lora", "what", "architecture", "alternatives", "base_model", "format", "algorithm", "rank", "ranks", "alpha",
    "alpha_source", "scale", "text_encoder", "control", "tensors", "size", "trigger_words", "bytes_read", "requests",
    "warnings",
)  # fmt: skip
_RETRY = RetryPolicy(tries=3, first=0.1, longest=LONGEST_SHORT_WAIT)


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """The facts of one weight file. `size` is in bytes; `bytes_read` and `requests` count their cost (0 if cached)."""

    adapter: LoraFacts
    size: int | None = None
    bytes_read: int = 0
    requests: int = 0

    def to_json(self) -> dict[str, Any]:
        facts = self.adapter
        converted = {
            "alternatives": list(facts.alternatives),
            "ranks": {str(rank): layers for rank, layers in facts.ranks.items()},
            "size": self.size,
            "trigger_words": list(facts.trigger_words),
            "bytes_read": self.bytes_read,
            "requests": self.requests,
            "warnings": list(facts.remarks),
        }
        return {name: converted[name] if name in converted else getattr(facts, name) for name in _FACTS}

    def encode(self) -> str:
        """Return everything but the cost, with the claims, as text for `decode_facts`."""
        return msgspec.json.encode((_READ_AS, self.adapter, self.size)).decode()


def decode_facts(text: str) -> Facts | None:
    """Return the facts that `encode` stored, or None for text that is damaged or from an earlier version."""
    try:
        read_as, facts, size = msgspec.json.decode(text, type=tuple[int, LoraFacts, int | None])
    except (msgspec.MsgspecError, RecursionError):
        return None
    return Facts(adapter=facts, size=size) if read_as == _READ_AS else None


def inspect_path(path: Path, layouts: Layouts | None = None) -> Facts:
    """Return the facts of a .safetensors on disk, or of a tar that holds one. `layouts` caches the structure of tables.

    Raises NotFound or UsageError for a wrong path, and HubUiError if the file can't be read.
    """
    try:
        if not path.exists():
            raise NotFound(f"There is no file {path} here. Check the name, or give a web address or HUB:ID.")
        if not path.is_file():
            raise UsageError(f"{path} is no file. Name the .safetensors itself.")
        with path.open("rb") as file:
            packed = is_tar(file.read(BLOCKSIZE))
            source = FileReader(file)
            return _facts(source, layouts, in_tar=packed)
    except OSError as error:
        raise HubUiError(f"{path} can't be read: {error.strerror or error}.") from error


def inspect_url(url: str) -> Facts:
    """Return the facts of a .safetensors at any web address, or of a tar that holds one.

    Raises UsageError for other text.
    """
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        is_readable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_readable = False
    if not is_readable:
        raise UsageError(f"“{url[:120]}” is no web address that could be read.")
    # Send name and password as a header, to the URL's own origin only.
    address = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}".encode()
    headers = {"Authorization": f"Basic {b64encode(login).decode()}"} if parts.username else {}
    with file_http() as http:
        reader = HttpReader(http, RangedSource(address, headers=headers, retry=_RETRY))
        return _facts(reader, in_tar=is_tar(reader.read(0, FIRST_READ)))


def inspect_download(download: Download) -> Facts:
    http_download = over_http(download)
    source = RangedSource.of(http_download, retry=_RETRY)
    # A URL that differs from the permanent address has cost a request to the hub.
    source.requests = 1 if http_download.source not in (None, http_download.url) else 0
    with file_http() as http:
        return _facts(HttpReader(http, source), in_tar=http_download.in_tar)


def _facts(reader: RangeReader, layouts: Layouts | None = None, *, in_tar: bool) -> Facts:
    source = TarMember(reader) if in_tar else reader
    structure, header = (layouts or Layouts()).read(read_raw(source), source.size)
    facts = lora_facts.from_structure(structure, header, partial(read_sparingly, source, reader))
    return Facts(adapter=facts, size=source.size, bytes_read=reader.bytes_read, requests=reader.requests)


def read_sparingly(source: RangeReader | TarMember, reader: RangeReader, start: int, stop: int) -> bytes:
    """Return a few more bytes of `source`, whose header is known. Return b"" if they cost too much or can't be read.

    `reader` counts the requests.
    """
    if stop - start > _MAX_EXTRA_READ:
        return b""
    cached = source.peek(start, stop)
    if len(cached) == stop - start or reader.requests >= MOST_REQUESTS:
        return cached if len(cached) == stop - start else b""
    try:
        return source.read(start, stop)
    except HubUiError:
        return b""
