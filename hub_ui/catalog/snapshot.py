"""A catalog as one file: JSON lines compressed with Zstandard. The first line is a header, each other line a LoRA.

LoRAs are sorted by hub and id, the keys of an object alphabetically, and nothing depends on the computer. The same
LoRAs give the same text, and with the same version of `zstandard` the same bytes.
"""

import io
import json
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec
import zstandard

from connectors.errors import BadSnapshot, HubUiError, NotFound
from connectors.http.json_fields import moment
from connectors.record import Lora
from connectors.ref import is_id
from connectors.registry import HUBS
from hub_ui.base.disk import replacing
from hub_ui.catalog.changes import decode, read_json

FORMAT = "hub-ui catalog"
VERSION = 1
# Large enough for an efficient transaction, small enough for visible progress.
BATCH = 5_000
_LEVEL = 6
_MAGIC = b"\x28\xb5\x2f\xfd"
# A hub's response about one LoRA is limited to 16 MB.
_LONGEST_LINE = 64 * 1024 * 1024
_COPY_BYTES = 1024 * 1024

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """The result of an export. `unreadable` entries of the catalog are not in the file."""

    loras: int
    bytes: int
    unreadable: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """The result of an import.

    `changed` LoRAs were new or updated, `foreign` ones are of hubs that this version doesn't know.
    """

    loras: int
    changed: int
    foreign: int


def export(documents: Iterable[str], path: Path, on_progress: Callable[[int], None] = lambda _done: None) -> Exported:
    """Write the whole file or, after an error, none of it.

    `documents` are the catalog's entries, sorted by hub and id. Private LoRAs are skipped. Raises HubUiError if the
    file can't be written.
    """
    try:
        return _export(documents, path, on_progress)
    except OSError as error:
        raise HubUiError(
            f"{path} can't be written: {error.strerror or error}. Make room, or choose another place for it."
        ) from error


def _export(documents: Iterable[str], path: Path, on_progress: Callable[[int], None]) -> Exported:
    done = unreadable = 0
    with tempfile.TemporaryFile(dir=path.parent) as body:
        with _compressor().stream_writer(body, closefd=False) as lines:
            for document in documents:
                try:
                    entry = read_json(document)
                except ValueError:
                    unreadable += 1
                    continue
                # Skip private LoRAs, because a snapshot is shared and may be part of a public Space.
                if isinstance(entry, dict) and entry.get("private"):
                    continue
                lines.write(_dump(entry))
                done += 1
                if done % BATCH == 0:
                    on_progress(done)
        body.seek(0)
        first = {"format": FORMAT, "loras": done, "version": VERSION}
        with replacing(path, path.with_name(f".{path.name}.{secrets.token_hex(6)}")) as file:
            file.write(_compressor().compress(_dump(first)))
            shutil.copyfileobj(body, file, _COPY_BYTES)
            size = file.tell()
    return Exported(loras=done, bytes=size, unreadable=unreadable)


def load(path: Path, add: Callable[[Sequence[Lora], datetime], int], on_progress: OnProgress) -> Imported:
    """Pass the LoRAs to `add` in batches, each with the date of its newest LoRA.

    Raises BadSnapshot for a damaged file, NotFound for a missing one and HubUiError for one of a newer version. The
    LoRAs before the damage are added.
    """
    loras = changed = foreign = 0
    batch: list[Lora] = []

    def flush() -> None:
        nonlocal loras, changed
        changed += add(batch, _newest(batch)) if batch else 0
        loras += len(batch)
        batch.clear()

    with _open(path) as file:
        try:
            lines, total = _lines(file, path.name)
            for number, line in enumerate(lines, 1):
                lora = _lora(line, path.name, number)
                if lora.hub in HUBS:
                    batch.append(lora)
                else:
                    foreign += 1
                if len(batch) == BATCH:
                    flush()
                    on_progress(number, total)
        except (BadSnapshot, zstandard.ZstdError) as error:
            flush()
            reason = error.message if isinstance(error, BadSnapshot) else f"{path.name} is damaged ({error})."
            added = f"The {loras:,} LoRAs before that are in the catalog." if loras else "Nothing was added."
            raise BadSnapshot(f"{reason} {added}") from error
    flush()
    return Imported(loras=loras, changed=changed, foreign=foreign)


def count(path: Path) -> int:
    """Return the number of LoRAs in the header. Raises BadSnapshot for another file, NotFound for a missing one."""
    with _open(path) as file:
        return _lines(file, path.name)[1]


def _compressor() -> zstandard.ZstdCompressor:
    """Use one thread, because several would write other bytes, and a checksum."""
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True, write_content_size=False)


def _dump(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value, order="sorted") + b"\n"
    except UnicodeEncodeError:
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}. Check the name.") from None


def _lines(file: IO[bytes], name: str) -> tuple[Iterator[bytes], int]:
    """Return the lines after the header, and their expected number."""
    if file.read(len(_MAGIC)) != _MAGIC:
        raise BadSnapshot(f"{name} is no snapshot of a catalog. hub-ui catalog export writes one.")
    file.seek(0)
    text = io.BufferedReader(
        zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(file, read_across_frames=True, closefd=False),
        _COPY_BYTES,
    )
    try:
        first = msgspec.json.decode(text.readline(_LONGEST_LINE))
        is_ours = first["format"] == FORMAT
        version, total = int(first["version"]), int(first["loras"])
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError):
        is_ours = False
    if not is_ours:
        raise BadSnapshot(f"{name} is no snapshot of a catalog. hub-ui catalog export writes one.")
    if version > VERSION:
        raise HubUiError(f"{name} was written by a newer hub-ui. Update hub-ui to read it.")

    def read() -> Iterator[bytes]:
        for number in range(total):
            line = text.readline(_LONGEST_LINE)
            if not line.endswith(b"\n"):
                raise BadSnapshot(f"{name} ends after {number:,} of {total:,} LoRAs: a part of it is missing.")
            yield line
        if text.read(1):
            raise BadSnapshot(f"{name} is damaged: it has more than the {total:,} LoRAs that it should have.")

    return read(), total


def _lora(line: bytes, name: str, number: int) -> Lora:
    """Decode and check the LoRA of a line, because anyone may have written the file."""
    try:
        lora = decode(line.decode())
        msgspec.convert(msgspec.to_builtins(lora), Lora)
        sound = lora.hub not in HUBS or _is_sound(lora)
    except (HubUiError, UnicodeDecodeError, msgspec.ValidationError) as error:
        # Without a cause it is `decode`'s error for an entry of a newer hub-ui. All others mean damage.
        if isinstance(error, HubUiError) and error.__cause__ is None:
            raise
        sound = False
    if not sound:
        raise BadSnapshot(f"{name} is damaged: line {number + 1:,} is no LoRA.")
    return lora


def _is_sound(lora: Lora) -> bool:
    """Return whether all refs are parts of the LoRA and all addresses are web addresses."""
    refs = [ref for version in lora.versions for ref in (version.ref, *(file.ref for file in version.files))]
    addresses = [lora.url, *(example.url for version in lora.versions for example in version.examples)]
    return (
        is_id(lora.hub, lora.ref.id)
        and all(ref.lora == lora.ref.lora for ref in refs)
        and all(address.startswith(("https://", "http://")) for address in addresses if address)
    )


def _newest(loras: Sequence[Lora]) -> datetime:
    """Return the date of the newest LoRA as the date of the listing, because no hub has listed the LoRAs just now."""
    times = filter(None, (moment(lora.updated_at) for lora in loras))
    return min(max(times, default=datetime.fromtimestamp(0, UTC)), datetime.now(UTC))
