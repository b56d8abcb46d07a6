"""CivitAI: the largest community collection, with a public API that needs no key for looking."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, urlsplit

import requests

from connectors.civitai import parse
from connectors.claims.availability import early_access_note, moment
from connectors.claims.base_models import spellings
from connectors.connector import Download, HttpDownload
from connectors.errors import BadAnswer, DownloadsDisabled, HubUiError, KeyRequired, NotFound, Paid, RateLimited
from connectors.filter import sift
from connectors.http.json_fields import Table, count, table, tables, text, whole
from connectors.http.session import UNREADABLE, Endpoint, Session, error_text, retry_after
from connectors.query import Page, Query, Sort
from connectors.record import Kind, Lora, Version, WeightFile
from connectors.ref import HubName, Ref

MAX_LIMIT = 100
_MAX_ID = 2**31 - 1
_SORTS: Mapping[Sort, str] = {"downloads": "Most Downloaded", "likes": "Most Liked", "newest": "Newest"}
# Only these kinds have one category of CivitAI's that holds them all; `tag` takes a single value.
_CATEGORIES: Mapping[Kind, str] = {"character": "character", "style": "style", "tool": "tool"}


class CivitAI:
    name: ClassVar[HubName] = "civitai"
    label: ClassVar[str] = "CivitAI"

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._web = endpoint.url.rstrip("/")
        self._session = Session(endpoint, explain=_explained)

    def search(self, query: Query, cursor: str | None = None) -> Page:
        bases = tuple(name for base in query.bases for name in spellings(base, "civitai"))
        if query.bases and not bases:
            return Page(hub=self.name, loras=())
        answer = self._session.json("/api/v1/models", _params(query, bases, cursor))
        items = table(answer).get("items")
        if not isinstance(items, list):
            raise BadAnswer("CivitAI answered without a list of models. Try again in a minute.", hub=self.name)
        now = datetime.now(UTC)
        loras = (parse.lora(item, self._web, now) for item in tables(items))
        return Page(
            hub=self.name,
            loras=sift((lora for lora in loras if lora is not None), query),
            cursor=_next(table(answer.get("metadata")), cursor),
            total=count(table(answer.get("metadata")).get("totalItems")),
        )

    def get(self, ref: Ref) -> Lora:
        alone = self._version(ref.version) if ref.version else {}
        model_id = ref.id or text(alone.get("modelId")) or ""
        try:
            model = self._model(model_id)
        except NotFound:
            # Models of real people and removed ones answer 404, while their versions may still be described.
            model = {}
        if not model:
            return self._known(parse.lora_of_version(alone, self._web, datetime.now(UTC)), ref)
        return self._known(parse.lora(self._completed(model, alone, ref), self._web, datetime.now(UTC)), ref)

    def by_hash(self, value: str) -> tuple[Lora, Ref]:
        """The LoRA with the one version that holds such a file, and the file's ref. Raises NotFound.

        The hub takes any of its kinds of hash: SHA256, AutoV2 (its first 10 digits), AutoV3 (the first 12 digits of the
        SHA-256 of what follows the header).
        """
        alone = table(self._session.json(f"/api/v1/model-versions/by-hash/{quote(value, safe='')}"))
        lora = parse.lora_of_version(alone, self._web, datetime.now(UTC))
        if lora is None or not lora.versions:
            raise NotFound(f"CivitAI knows the hash {value[:12]}, but not as a LoRA's.", hub=self.name)
        version = lora.versions[0]
        ids = [str(file.get("id")) for file in tables(alone.get("files")) if _has_hash(file, value)]
        file = next((file for file in version.files if file.ref.file in ids), None)
        return lora, file.ref if file else version.ref

    def pin(self, ref: Ref) -> Ref:
        if ref.id and ref.pinned and ref.file:
            return ref
        lora = self.get(ref)
        version = self._chosen(lora, ref)
        file = _named(version, ref.file)
        if file is None and ref.file:
            raise NotFound(f"CivitAI lists no file {ref.file} in this version.", hub=self.name)
        return file.ref if file else version.ref

    def download(self, ref: Ref) -> Download:
        """Asks the hub where the bytes are, so that a refusal shows here and the key stays with the hub.

        The hub's own `downloadUrl`s are not used: those with type and format answer 404 for some files, and one
        endpoint writes a host named "undefined" into them. `fileId` always selects.
        """
        lora = self._of_version(ref) if ref.version else self.get(ref)
        version = self._chosen(lora, ref)
        file = _named(version, ref.file)
        if file is None:
            raise NotFound(_why_no_file(lora, version), hub=self.name, url=lora.url)
        if version.access == "generation-only":
            raise DownloadsDisabled(f"“{lora.title}” can be used on CivitAI only: {version.access_note}", hub=self.name)
        if version.access == "paid" and self.endpoint.token is None:
            raise Paid(f"“{lora.title}” is not free yet. {version.access_note} See {lora.url}", hub=self.name)
        own = self._address(file.ref)
        target = self._session.target(own.removeprefix(self._web))
        url = self._checked(target, lora) if target else own
        return HttpDownload(
            ref=file.ref,
            name=file.name,
            url=url,
            headers=self._session.auth(url),
            size=file.size,
            sha256=file.sha256,
            source=own,
        )

    def locate(self, ref: Ref) -> Download:
        url = self._address(ref)
        return HttpDownload(ref=ref, name=f"{ref.version}.safetensors", url=url, headers=self._session.auth(url))

    def _address(self, ref: Ref) -> str:
        selector = f"?fileId={ref.file}" if ref.file else ""
        return f"{self._web}/api/download/models/{ref.version}{selector}"

    def _checked(self, target: str, lora: Lora) -> str:
        """To a client it takes for a browser the hub answers a refusal with a page of its own instead of an error."""
        place = urlsplit(target)
        if place.netloc != urlsplit(self._web).netloc or place.path.startswith("/api/"):
            return target
        if place.path.startswith("/login") or "download-auth" in parse_qs(place.query).get("reason", []):
            raise _key_required()
        raise Paid(f"CivitAI wants you to open {lora.url} for this.", hub=self.name, url=lora.url)

    def _model(self, model_id: str) -> Table:
        if not model_id:
            return {}
        self._check_id(model_id)
        answer = table(self._session.json(f"/api/v1/models/{model_id}"))
        if whole(answer.get("id")) is None:
            raise BadAnswer("CivitAI answered without a model. Try again in a minute.", hub=self.name)
        return answer

    def _version(self, version_id: str) -> Table:
        self._check_id(version_id)
        answer = table(self._session.json(f"/api/v1/model-versions/{version_id}"))
        if whole(answer.get("id")) is None:
            raise BadAnswer("CivitAI answered without a version. Try again in a minute.", hub=self.name)
        return answer

    def _check_id(self, number: str) -> None:
        """Over four bytes the hub answers 400 in one place and a fault of its own in the other."""
        if not number.isdecimal() or int(number) > _MAX_ID:
            raise NotFound(f"CivitAI has no number {number}.", hub=self.name)

    def _of_version(self, ref: Ref) -> Lora:
        """The one version, from its own answer alone."""
        alone = self._version(ref.version or "")
        self._check_owner(alone, ref)
        return self._known(parse.lora_of_version(alone, self._web, datetime.now(UTC)), ref)

    def _check_owner(self, version: Table, ref: Ref) -> None:
        if ref.id and text(version.get("modelId")) not in (None, ref.id):
            raise NotFound(f"CivitAI's model {ref.id} has no version {ref.version}.", hub=self.name)

    def _completed(self, model: Table, alone: Table, ref: Ref) -> Table:
        """With the asked version's own answer, or the default version's, which alone hold prompts and usage."""
        self._check_owner(alone, ref)
        listed = tables(model.get("modelVersions"))
        if not alone and listed and (first := whole(listed[0].get("id"))) is not None:
            try:
                alone = self._version(str(first))
            except NotFound:
                # In a restricted region a version without a tame picture is hidden though its model isn't.
                return model
        return parse.with_version(model, alone) if alone else model

    def _known(self, lora: Lora | None, ref: Ref) -> Lora:
        if lora is None:
            raise NotFound(f"CivitAI has no LoRA under {ref}.", hub=self.name)
        return lora

    def _chosen(self, lora: Lora, ref: Ref) -> Version:
        version = lora.version(ref.version)
        if version is None:
            raise NotFound(f"CivitAI lists no version of “{lora.title}” to download. See {lora.url}", hub=self.name)
        return version


def _params(query: Query, bases: tuple[str, ...], cursor: str | None) -> dict[str, Any]:
    """Lists are sent as repeated parameters: a comma list is an error for `types` and matches nothing for `baseModels`.

    `nsfw` absent means: only models with a tame picture, and only their tame pictures.
    """
    category = _CATEGORIES.get(query.kinds[0]) if len(query.kinds) == 1 else None
    wanted: dict[str, Any] = {
        "types": list(parse.LORA_TYPES),
        "limit": min(query.limit, MAX_LIMIT),
        "query": query.text or None,
        "sort": _SORTS.get(query.sort),
        "baseModels": list(dict.fromkeys(bases)) or None,
        "tag": category,
        "nsfw": None if query.nsfw == "safe" else "true",
        "cursor": cursor,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _next(metadata: Table, cursor: str | None) -> str | None:
    """Only a missing nextCursor is the end: a page of a text search may be empty. It may be a number."""
    found = text(metadata.get("nextCursor"))
    return found if found != cursor else None


def _named(version: Version, file_id: str | None) -> WeightFile | None:
    if file_id is None:
        return version.file
    return next((file for file in version.files if file.ref.file == file_id), None)


def _has_hash(file: Table, value: str) -> bool:
    return value.upper() in [str(known).upper() for known in table(file.get("hashes")).values()]


def _why_no_file(lora: Lora, version: Version) -> str:
    if lora.access in ("archived", "removed"):
        return f"“{lora.title}” is {lora.access} on CivitAI: its files can't be downloaded any more."
    return f"CivitAI lists no such file in version {version.name} of “{lora.title}”."


def _key_required() -> KeyRequired:
    return KeyRequired(
        "CivitAI gives this file to signed-in people only. Add a key (CIVITAI_TOKEN, from civitai.com/user/account), "
        "or check the one you gave.",
        hub="civitai",
    )


def _explained(response: requests.Response) -> HubUiError | None:
    """The refusals of the download endpoint, which share two statuses."""
    said = error_text(response)
    if "disabled downloads" in said:
        return DownloadsDisabled("Its author allows generation on CivitAI only, no downloads.", hub="civitai")
    if "Early Access" in said or "do not have access to download" in said:
        until, now = moment(_body(response).get("deadline")), datetime.now(UTC)
        note = early_access_note(until, now) if until and until > now else "It is in early access, or sold."
        return Paid(f"CivitAI gives this file to buyers only. {note}", hub="civitai")
    if response.status_code == 401 and "logged in" in said:
        return _key_required()
    if response.status_code == 429 and "unusual amount" in said:
        after = retry_after(response)
        return RateLimited("CivitAI has stopped downloads for a while: too many.", hub="civitai", retry_after=after)
    return None


def _body(response: requests.Response) -> Table:
    try:
        return table(response.json())
    except UNREADABLE:
        return {}
