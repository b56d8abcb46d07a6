"""CivitAI: the largest community collection, with a public API that needs no key for searching."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import parse_qs, quote, urlsplit

from connectors.civitai import parse
from connectors.claims.base_models import spellings
from connectors.connector import Download, HttpDownload, is_past, make_page
from connectors.errors import BadAnswer, DownloadsDisabled, NotFound, Paid
from connectors.http.errors import key_required
from connectors.http.json_fields import Table, table, tables, text, whole
from connectors.http.session import HubClient
from connectors.query import Page, Query, Sort
from connectors.record import Example, Kind, Lora, check_shown
from connectors.ref import Ref

MAX_LIMIT = 100
# The most that /images gives at once.
MOST_IMAGES = 200
_MAX_ID = 2**31 - 1
_SORTS: Mapping[Sort, str] = {"downloads": "Most Downloaded", "likes": "Most Liked", "newest": "Newest"}
# Only these kinds have a category of their own at CivitAI; `tag` takes a single value.
_CATEGORIES: Mapping[Kind, str] = {"character": "character", "style": "style", "tool": "tool"}


class CivitAI(HubClient):
    def search(self, query: Query, cursor: str | None = None) -> Page:
        """Sends lists as repeated parameters: with commas, `types` is an error and `baseModels` matches nothing."""
        bases = dict.fromkeys(name for base in query.bases for name in spellings(base, "civitai"))
        if query.kinds == ("runner",) or (query.bases and not bases):
            return Page(loras=())
        params = {
            "types": list(parse.LORA_TYPES),
            "limit": min(query.limit, MAX_LIMIT),
            "query": query.words or None,
            "sort": _SORTS.get(query.sort),
            "baseModels": list(bases) or None,
            "tag": query.tag or (_CATEGORIES.get(query.kinds[0]) if len(query.kinds) == 1 else None),
            "username": query.creator,
            # Without it, only models with a safe image are listed, with only their safe images.
            "nsfw": None if query.nsfw == "safe" else "true",
            "cursor": cursor,
        }
        answer = table(self._session.json("/api/v1/models", {k: v for k, v in params.items() if v is not None}))
        items = self._session.read_list(answer.get("items"), "models")
        now = datetime.now(UTC)
        loras = [lora for item in tables(items) if (lora := parse.lora(item, self._web, now)) is not None]
        # Only a missing nextCursor is the end: a page of a text search may be empty. It may be a number.
        following = text(table(answer.get("metadata")).get("nextCursor"))
        ends = following == cursor or is_past(query, (lora.updated_at for lora in loras))
        return make_page(loras, query, None if ends else following)

    def get(self, ref: Ref) -> Lora:
        """Raises Withheld for one that nobody is shown, as `by_hash` and `download` do."""
        alone = self._fetch("model-versions", ref.version) if ref.version else {}
        model = self._fetch_model(ref.id or text(alone.get("modelId")))
        if not model:
            return self._read_version(alone, {}, ref)
        self._check_owner(alone, ref)
        listed = tables(model.get("modelVersions"))
        if not alone and listed and (first := whole(listed[0].get("id"))) is not None:
            # Prompts and usage are in a version's own answer only. Some regions hide a version without a safe image.
            with suppress(NotFound):
                alone = self._fetch("model-versions", str(first))
        complete = parse.with_version(model, alone) if alone else model
        return self._check_found(parse.lora(complete, self._web, datetime.now(UTC)), ref)

    def by_hash(self, value: str) -> tuple[Lora, Ref]:
        """The LoRA with the one version that has a file with this hash, and the file's ref. Raises NotFound.

        `value` is a SHA256, AutoV2 (its first 10 digits) or AutoV3 (first 12 digits of the SHA-256 after the header).
        """
        alone = table(self._session.json(f"/api/v1/model-versions/by-hash/{quote(value, safe='')}"))
        model = self._fetch_model(text(alone.get("modelId")))
        lora = parse.lora_of_version(alone, self._web, datetime.now(UTC), model)
        if lora is None or not check_shown(lora).versions:
            raise NotFound(f"CivitAI knows the hash {value[:12]}, but not as a LoRA's.", hub=self.name)
        version = lora.versions[0]
        ids = [
            str(file.get("id"))
            for file in tables(alone.get("files"))
            if value.upper() in [str(known).upper() for known in table(file.get("hashes")).values()]
        ]
        file = next((file for file in version.files if file.ref.file in ids), None)
        return lora, file.ref if file else version.ref

    def images(self, ref: Ref) -> tuple[Example, ...]:
        """One page, of those that people liked best; none for a ref without a version."""
        if ref.version is None:
            return ()
        params = {
            "modelVersionId": ref.version, "limit": MOST_IMAGES, "sort": "Most Reactions", "nsfw": "X",
            # Without them `meta` is null, or one deeper.
            "withMeta": "true", "flatMeta": "true",
        }  # fmt: skip
        items = self._session.read_list(table(self._session.json("/api/v1/images", params)).get("items"), "images")
        return tuple(found for item in tables(items) if (found := parse.community_image(item)) is not None)

    def download(self, ref: Ref, lora: Lora | None = None) -> Download:
        """Finds the URL of the bytes by `fileId`, so that a refusal shows here and the key is sent to the hub alone.

        The hub's `downloadUrl`s are not used: some answer 404, and one endpoint writes the host "undefined" into them.
        """
        if lora is None and ref.version:
            alone = self._fetch("model-versions", ref.version)
            lora = self._read_version(alone, self._fetch_model(text(alone.get("modelId"))), ref)
        lora = check_shown(lora or self.get(ref))
        if lora.access in ("archived", "removed"):
            gone = f"“{lora.title}” is {lora.access} on CivitAI: its files can't be downloaded any more."
            raise NotFound(gone, hub=self.name, url=lora.url)
        version, file = lora.resolve(ref)
        if file is None:
            raise NotFound(f"CivitAI lists no file in version {version.name} of “{lora.title}”.", hub=self.name)
        if version.access == "generation-only":
            raise DownloadsDisabled(f"“{lora.title}” can be used on CivitAI only: {version.access_note}", hub=self.name)
        if version.access == "paid" and self.endpoint.token is None:
            raise Paid(f"“{lora.title}” is not free yet. {version.access_note} See {lora.url}", hub=self.name)
        own = self._address(file.ref)
        url = self._session.target(own.removeprefix(self._web)) or own
        place = urlsplit(url)
        # The hub redirects what it takes for a browser to a web page instead of refusing with an error.
        if place.netloc == urlsplit(self._web).netloc and not place.path.startswith("/api/"):
            if place.path.startswith("/login") or "download-auth" in parse_qs(place.query).get("reason", []):
                raise key_required("civitai")
            raise Paid(f"CivitAI wants you to open {lora.url} for this.", hub=self.name, url=lora.url)
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

    def _fetch(self, kind: Literal["models", "model-versions"], number: str) -> Table:
        # For a number over 32 bits the hub answers 400 (models) or 500 (versions).
        if not number.isdecimal() or int(number) > _MAX_ID:
            raise NotFound(f"CivitAI has no number {number}.", hub=self.name)
        answer = table(self._session.json(f"/api/v1/{kind}/{number}"))
        if whole(answer.get("id")) is None:
            raise BadAnswer(f"CivitAI answered about number {number} without its id. Try again.", hub=self.name)
        return answer

    def _fetch_model(self, number: str | None) -> Table:
        """Empty for one of a real person or a removed one: these answer 404, while a version may still be described."""
        with suppress(NotFound):
            return self._fetch("models", number) if number else {}
        return {}

    def _read_version(self, alone: Table, model: Table, ref: Ref) -> Lora:
        """The LoRA with one version, from the answer about the version alone."""
        self._check_owner(alone, ref)
        return self._check_found(parse.lora_of_version(alone, self._web, datetime.now(UTC), model), ref)

    def _check_owner(self, version: Table, ref: Ref) -> None:
        if ref.id and text(version.get("modelId")) not in (None, ref.id):
            raise NotFound(f"CivitAI's model {ref.id} has no version {ref.version}.", hub=self.name)

    def _check_found(self, lora: Lora | None, ref: Ref) -> Lora:
        if lora is None:
            raise NotFound(f"CivitAI has no LoRA under {ref}.", hub=self.name)
        return check_shown(lora)
