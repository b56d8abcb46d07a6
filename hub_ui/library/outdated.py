"""What has become of the library's LoRAs on their hubs: newer versions, files replaced in silence, what is gone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from connectors.claims.resolve import flatten
from connectors.connector import HttpDownload
from connectors.errors import AccessError, HubDown, HubTimeout, HubUiError, NotFound, RateLimited
from connectors.http.files import file_http
from connectors.record import Lora, Version, WeightFile
from connectors.ref import LOCAL, Origin, Ref
from hub_ui.library.download.address import Asked, RangedSource, Renew
from hub_ui.library.download.progress import Meter
from hub_ui.library.download.retry import Attempts, RetryPolicy
from hub_ui.library.download.tar import only_safetensors
from hub_ui.library.lockfile import Entry

# "superseded": there is a newer version, and the library holds it, too. "replaced": its author put other bytes under
# the same version. "unknown": the hub says too little to tell.
State = Literal["current", "newer", "superseded", "replaced", "gone", "unknown", "failed"]
# After one of these the hub is left alone: the next question would end alike.
_ALL_OF_IT = (HubDown, HubTimeout, RateLimited, AccessError)
LOCAL_NOTE = "No hub is known to have this file, so nobody tells of newer versions."


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateStatus:
    """`newest` is a pinned ref to pull in the entry's place, of the newest version for the same base model."""

    entry: Entry
    state: State
    newest: Ref | None = None
    newest_name: str | None = None
    newest_at: str | None = None
    note: str | None = None
    error: HubUiError | None = None


def outdated(entries: Iterable[Entry], get: Callable[[Ref], Lora]) -> Iterator[UpdateStatus]:
    """One request a LoRA, however many of its files are here. A hub that fails costs its own entries only."""
    library = tuple(entries)
    answers: dict[Ref, Lora | HubUiError] = {}
    failed: dict[Origin, HubUiError] = {}
    for entry in library:
        if entry.ref.hub == LOCAL:
            yield UpdateStatus(entry=entry, state="unknown", note=LOCAL_NOTE)
            continue
        asked = entry.ref.lora if entry.ref.id else entry.ref
        if asked not in answers:
            answers[asked] = failed.get(entry.ref.hub) or _answer(asked, get)
        answer = answers[asked]
        if isinstance(answer, _ALL_OF_IT):
            failed[entry.ref.hub] = answer
        found = _standing(entry, answer)
        yield _superseded(found) if found.state == "newer" and _holds(library, found.newest) else found


def _holds(library: Iterable[Entry], newest: Ref | None) -> bool:
    """CivitAI gives a version several files, any of which will do; on Hugging Face each file is a LoRA of its own."""
    if newest is None:
        return False
    wanted = newest if newest.hub == "huggingface" else newest.at(newest.version)
    return any(entry.answers_to(wanted) for entry in library)


def _superseded(found: UpdateStatus) -> UpdateStatus:
    note = f"The library holds the newer one. Where this one is not needed: hub-ui remove {found.entry.ref}"
    return replace(found, state="superseded", note=note)


def _answer(ref: Ref, get: Callable[[Ref], Lora]) -> Lora | HubUiError:
    try:
        return get(ref)
    except HubUiError as error:
        return error


def _standing(entry: Entry, answer: Lora | HubUiError) -> UpdateStatus:
    if isinstance(answer, NotFound):
        return UpdateStatus(entry=entry, state="gone", note="The LoRA is not on its hub any more. Keep the file.")
    if isinstance(answer, HubUiError):
        return UpdateStatus(entry=entry, state="failed", error=answer)
    if entry.ref.hub == "huggingface":
        return _commit(entry, answer)
    return _version(entry, answer)


def _commit(entry: Entry, lora: Lora) -> UpdateStatus:
    """Commits come and go with every edit of a card: only other bytes of the same file are news."""
    newest = lora.version(None)
    file = newest.find_file(entry.ref) if newest else None
    if newest is None or file is None:
        return UpdateStatus(
            entry=entry, state="gone", note="The newest commit has no such file any more; the pinned one still may."
        )
    match _same(file, entry):
        case True:
            return UpdateStatus(entry=entry, state="current")
        case False if newest.ref.version == entry.ref.version:
            return _replaced(entry, newest, file)
        case False:
            return _newer(entry, newest)
    return UpdateStatus(entry=entry, state="unknown", note="The hub states no SHA-256 for this file.")


def _version(entry: Entry, lora: Lora) -> UpdateStatus:
    own = lora.version(entry.ref.version)
    if own is not None and (other := _other_file(own, entry)) is not None:
        return _replaced(entry, own, other)
    later = [
        version for version in lora.versions if _is_later(version, entry, own) and _fits(lora, version, entry, own)
    ]
    if later:
        return _newer(entry, max(later, key=_age))
    # Replicate tells of one version unless asked for another.
    if own is None and entry.ref.hub == "civitai":
        return UpdateStatus(entry=entry, state="gone", note="This version is not on its hub any more. Keep the file.")
    return UpdateStatus(entry=entry, state="current")


def _other_file(version: Version, entry: Entry) -> WeightFile | None:
    """The file that stands where the entry's was, if it has other bytes. A file may be given a number of its own."""
    if any(_same(file, entry) for file in version.files):
        return None
    there = version.find_file(entry.ref)
    if there is not None:
        return there if _same(there, entry) is False else None
    # Its number is gone: another file with a hash that is not ours has taken its place.
    return version.file if version.file and _same(version.file, entry) is False else None


def _same(file: WeightFile, entry: Entry) -> bool | None:
    """None where the hub does not say."""
    if file.sha256 is not None:
        return file.sha256.lower() == entry.sha256
    # CivitAI's sizes are rounded ones.
    return False if file.size not in (None, entry.size) and entry.ref.hub == "huggingface" else None


def _is_later(version: Version, entry: Entry, own: Version | None) -> bool:
    if version.ref.version == entry.ref.version:
        return False
    if entry.ref.hub == "replicate":
        # Its answer holds the newest one.
        return True
    if own is not None and own.updated_at and version.updated_at:
        return _age(version) > _age(own)
    return _number(version.ref) > _number(entry.ref)


def _fits(lora: Lora, version: Version, entry: Entry, own: Version | None) -> bool:
    """A version for another base model is another LoRA, and no update. One without a file can't be had."""
    if entry.ref.hub == "replicate":
        return True
    base = _base(lora, own) if own is not None else entry.base_model
    return version.file is not None and _base(lora, version) == base


def _base(lora: Lora, version: Version) -> str | None:
    record = flatten(lora, version)
    return record.base_model or record.raw_base_model


def _age(version: Version) -> tuple[str, int]:
    return version.updated_at or "", _number(version.ref)


def _number(ref: Ref) -> int:
    """CivitAI counts its versions up."""
    return int(ref.version) if ref.version and ref.version.isdecimal() else 0


def _newer(entry: Entry, version: Version) -> UpdateStatus:
    file = version.find_file(entry.ref) or version.file
    return UpdateStatus(
        entry=entry,
        state="newer",
        newest=file.ref if file else version.ref,
        newest_name=version.name,
        newest_at=version.updated_at,
        note=version.access_note,
    )


def _replaced(entry: Entry, version: Version, file: WeightFile) -> UpdateStatus:
    return UpdateStatus(
        entry=entry,
        state="replaced",
        newest=file.ref,
        newest_name=version.name,
        newest_at=version.updated_at,
        note=f"Its author replaced the file under the same version (sha256 now {(file.sha256 or '')[:12]}…).",
    )


def sha256_at(download: HttpDownload, renew: Renew, meter: Meter, patience: RetryPolicy) -> str:
    """Of the file itself where it lies in a tar. Raises one of our errors when it can't be had whole."""
    address = RangedSource(download, renew)
    attempts = Attempts(patience=patience, check=meter.check)
    while True:
        try:
            return _once(download, address, meter)
        except HubUiError as error:
            attempts.failed(error, 0)


def _once(download: HttpDownload, address: RangedSource, meter: Meter) -> str:
    digest = hashlib.sha256()
    with file_http(again=False) as http:
        answer = address.open(http, Asked(whole=True))
        with answer.response:
            meter.at(0, answer.total)
            came = _whole(address.chunks(answer), answer.total, download, meter)
            for chunk in only_safetensors(came) if download.in_tar else came:
                digest.update(chunk)
            # What lies behind the LoRA in a tar: a connection that breaks there has brought another tar.
            for _ in came:
                pass
    return digest.hexdigest()


def _whole(chunks: Iterator[bytes], total: int | None, download: HttpDownload, meter: Meter) -> Iterator[bytes]:
    came = 0
    for chunk in chunks:
        came += len(chunk)
        meter.add(len(chunk))
        yield chunk
    if total is not None and came != total:
        raise HubDown("The connection broke off in the middle. Try again.", hub=download.ref.hub)
