"""FACTS about one weight file, wherever it lies, read from its header and never from its body."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tarfile import BLOCKSIZE
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import msgspec

from connectors.connector import Download, HttpDownload, HubDownload
from connectors.errors import HubUiError, NotFound, UsageError
from connectors.http.files import file_http
from connectors.http.ranges import FileRanges, HttpRanges, Ranges, Sparing
from connectors.weights import lora_facts
from connectors.weights.file_type import Layouts
from connectors.weights.header import FIRST_READ, read_raw
from connectors.weights.lora_facts import LoraFacts
from connectors.weights.tar import TarMember, is_tar

# Goes up when the same header is read differently than before: what was stored is then read anew.
_READ_AS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """`size` is the weight file's. `bytes_read` and `requests` are what it took to know all this, 0 if it was known."""

    adapter: LoraFacts
    size: int | None = None
    bytes_read: int = 0
    requests: int = 0

    def to_json(self) -> dict[str, Any]:
        """FACTS of the contracts: names and order are stable."""
        said = self.adapter.to_json()
        last = {name: said.pop(name) for name in ("trigger_words", "warnings")}
        return {
            **said,
            "size": self.size,
            "trigger_words": last["trigger_words"],
            "bytes_read": self.bytes_read,
            "requests": self.requests,
            "warnings": last["warnings"],
        }

    def stored(self) -> str:
        """Everything, claims included, as text that `restored` reads."""
        text = msgspec.json.encode(_Stored(read_as=_READ_AS, adapter=self.adapter, size=self.size))
        return text.decode()


def restored(text: str) -> Facts | None:
    """None for what an earlier version stored, or damage made of it."""
    try:
        found = msgspec.json.decode(text, type=_Stored)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return Facts(adapter=found.adapter, size=found.size) if found.read_as == _READ_AS else None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stored:
    read_as: int
    adapter: LoraFacts
    size: int | None


def inspect_path(path: Path, layouts: Layouts | None = None) -> Facts:
    """A .safetensors on disk, or a tar that holds one. With `layouts`, a table of tensors seen before is known."""
    try:
        if not path.exists():
            raise NotFound(f"There is no file {path} here. Check the name, or give a web address or HUB:ID.")
        if not path.is_file():
            raise UsageError(f"{path} is no file. Name the .safetensors itself.")
        with path.open("rb") as file:
            packed = is_tar(file.read(BLOCKSIZE))
            source = FileRanges(file)
            return _facts(TarMember(source) if packed else source, layouts)
    except OSError as error:
        raise HubUiError(f"{path} can't be read: {error.strerror or error}.") from error


def inspect_url(url: str) -> Facts:
    """Any web address of a .safetensors, or of a tar that holds one."""
    address, headers = _login_apart(url)
    with file_http() as http:
        source = HttpRanges(http, address, headers=headers)
        return _facts(TarMember(source) if is_tar(source.read(0, FIRST_READ)) else source)


def inspect_download(download: Download) -> Facts:
    with _source(download) as source:
        in_tar = isinstance(download, HttpDownload) and download.in_tar
        return _facts(TarMember(source) if in_tar else source)


@contextmanager
def _source(download: Download) -> Iterator[HttpRanges]:
    with file_http() as http:
        if isinstance(download, HubDownload):
            yield HttpRanges(http, _resolved(download), headers=_bearer(download.token), hub=download.ref.hub)
            return
        # Who knows another address than the lasting one has asked the hub for it.
        asked = 1 if download.source not in (None, download.url) else 0
        yield HttpRanges(
            http, download.url, source=download.source, headers=download.headers, hub=download.ref.hub, asked=asked
        )


def _facts(source: Ranges, layouts: Layouts | None = None) -> Facts:
    structure, header = (layouts or Layouts()).read(read_raw(source), source.size)
    found = lora_facts.from_structure(structure, header, Sparing(source))
    return Facts(adapter=found, size=source.size, bytes_read=source.bytes_read, requests=source.requests)


def _resolved(download: HubDownload) -> str:
    return f"{download.endpoint}/{download.repo}/resolve/{download.commit}/{quote(download.path)}"


def _bearer(token: str | None) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _login_apart(url: str) -> tuple[str, Mapping[str, str]]:
    """The address without name and password, which go to its own origin alone, as a header."""
    try:
        parts = urlsplit(url)
        host, known = parts.netloc.rpartition("@")[2], parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        known = False
    if not known:
        raise UsageError(f"“{url[:120]}” is no web address that could be read.")
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}".encode()
    headers = {"Authorization": f"Basic {b64encode(login).decode()}"} if parts.username else {}
    return urlunsplit((parts.scheme, host, parts.path, parts.query, "")), headers
