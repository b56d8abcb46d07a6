"""Records, downloads, entries and weight files with defaults; a test names only what it is about."""

import hashlib
import json
from pathlib import Path
from typing import Any

from connectors.connector import Download, HttpDownload
from connectors.http.retry import RetryPolicy
from connectors.record import Record
from connectors.ref import Ref
from hub_ui.library.download.partial_file import DownloadIdentity, Meter, PartialFile
from hub_ui.library.download.transfer import DownloadOptions
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry

INK = Ref.parse("civitai:1001@2001#3001")
# Tries again at once, and sits out no rate limit.
QUICK = DownloadOptions(retry=RetryPolicy(tries=3, first=0.0, longest=0.0))
ONE_TRY = DownloadOptions(retry=RetryPolicy(tries=1))


def weights(size: int = 64, fill: bytes = b"\x01", **metadata: str) -> bytes:
    """A whole safetensors file with one tensor of `size` bytes."""
    notes = {"__metadata__": metadata} if metadata else {}
    header = json.dumps({**notes, "w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return len(header).to_bytes(8, "little") + header + fill * size


def put(library: Library, name: str, data: bytes = b"") -> Path:
    """A file in the library's folder."""
    path = library.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def files(library: Library) -> list[str]:
    """Those in the library's folder, without what is hidden: the locks of writers and the trash."""
    found = (path.relative_to(library.folder).as_posix() for path in library.folder.rglob("*") if path.is_file())
    return sorted(path for path in found if not path.startswith("."))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def record(**fields: Any) -> Record:
    values: dict[str, Any] = {
        "ref": INK, "hub": "civitai", "title": "Ink lines", "creator": "ada", "url": "https://civitai.com/models/1001",
        "base_model": "sd1", "architecture": "sd1", "raw_base_model": "SD 1.5", "kind": "style",
        "trigger_words": ("sks style",), "rank": 8, "alpha": 8.0, "algorithm": "lora", "weight": 0.8, "file": None,
        "license": None, "nsfw": "safe", "downloads": 1, "likes": 1, "updated_at": None, "images": (), "access": "open",
        "claims": (), "conflicts": (),
    }  # fmt: skip
    return Record(**{**values, **fields})


def download(url: str, **fields: Any) -> HttpDownload:
    return HttpDownload(**{"ref": INK, "name": "ink.safetensors", "url": url, **fields})


def entry(**fields: Any) -> Entry:
    values: dict[str, Any] = {
        "ref": INK, "title": "Ink lines", "file": "sd1/ada/Ink lines-2001.safetensors", "size": 3, "sha256": "a" * 64,
        "source": "https://civitai.com/api/download/models/2001",
    }  # fmt: skip
    return Entry(**{**values, **fields})


def a_part(folder: Path, **fields: Any) -> PartialFile:
    """Opened anew, it goes on with what lies in the folder."""
    purpose = DownloadIdentity(**{"ref": str(INK), "address": "https://hub.example/file", **fields})
    return PartialFile.open(folder, folder / "ink.part", folder / ".hub-ui/ink.json", purpose)


def pull_file(library: Library, found: Download, about: Record | Entry, **options: Any) -> Entry:
    """From where it is said to be, each time."""
    return library.pull(lambda: found, about, Meter(**options))
