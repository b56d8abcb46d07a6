"""FACTS about one weight file, wherever it lies, read from its header and never from its body."""

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

# Goes up when the same header is read differently than before: what was stored is then read anew.
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
    """`size` is the weight file's. `bytes_read` and `requests` are what it took to know all this, 0 if it was known."""

    adapter: LoraFacts
    size: int | None = None
    bytes_read: int = 0
    requests: int = 0

    def to_json(self) -> dict[str, Any]:
        facts = self.adapter
        own = {
            "alternatives": list(facts.alternatives),
            "ranks": {str(rank): layers for rank, layers in facts.ranks.items()},
            "size": self.size,
            "trigger_words": list(facts.trigger_words),
            "bytes_read": self.bytes_read,
            "requests": self.requests,
            "warnings": list(facts.remarks),
        }
        return {name: own[name] if name in own else getattr(facts, name) for name in _FACTS}

    def encode(self) -> str:
        """Everything but the cost, claims included, as text that `decode_facts` reads."""
        return msgspec.json.encode((_READ_AS, self.adapter, self.size)).decode()


def decode_facts(text: str) -> Facts | None:
    """None for what an earlier version stored, or damage made of it."""
    try:
        read_as, facts, size = msgspec.json.decode(text, type=tuple[int, LoraFacts, int | None])
    except (msgspec.MsgspecError, RecursionError):
        return None
    return Facts(adapter=facts, size=size) if read_as == _READ_AS else None


def inspect_path(path: Path, layouts: Layouts | None = None) -> Facts:
    """A .safetensors on disk, or a tar that holds one. With `layouts`, a table of tensors seen before is known."""
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
    """Any web address of a .safetensors, or of a tar that holds one."""
    try:
        parts = urlsplit(url)
        host, known = parts.netloc.rpartition("@")[2], parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        known = False
    if not known:
        raise UsageError(f"“{url[:120]}” is no web address that could be read.")
    # Name and password go to the address's own origin alone, as a header.
    address = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}".encode()
    headers = {"Authorization": f"Basic {b64encode(login).decode()}"} if parts.username else {}
    with file_http() as http:
        reader = HttpReader(http, RangedSource(address, headers=headers, retry=_RETRY))
        return _facts(reader, in_tar=is_tar(reader.read(0, FIRST_READ)))


def inspect_download(download: Download) -> Facts:
    found = over_http(download)
    source = RangedSource.of(found, retry=_RETRY)
    # Whoever knows another address than the lasting one has asked the hub for it.
    source.requests = 1 if found.source not in (None, found.url) else 0
    with file_http() as http:
        return _facts(HttpReader(http, source), in_tar=found.in_tar)


def _facts(reader: RangeReader, layouts: Layouts | None = None, *, in_tar: bool) -> Facts:
    source = TarMember(reader) if in_tar else reader
    structure, header = (layouts or Layouts()).read(read_raw(source), source.size)
    found = lora_facts.from_structure(structure, header, partial(read_sparingly, source, reader))
    return Facts(adapter=found, size=source.size, bytes_read=reader.bytes_read, requests=reader.requests)


def read_sparingly(source: RangeReader | TarMember, reader: RangeReader, start: int, stop: int) -> bytes:
    """A few bytes more of a `source` whose header is known. What would cost its `reader` too much, or fails, is b""."""
    if stop - start > _MAX_EXTRA_READ:
        return b""
    known = source.peek(start, stop)
    if len(known) == stop - start or reader.requests >= MOST_REQUESTS:
        return known if len(known) == stop - start else b""
    try:
        return source.read(start, stop)
    except HubUiError:
        return b""
