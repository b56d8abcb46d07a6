"""The client for CivitAI, the largest community collection. Its public API allows searches without a key."""

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
# The largest page of /images.
MOST_IMAGES = 200
_MAX_ID = 2**31 - 1
_SORTS: Mapping[Sort, str] = {"downloads": "Most Downloaded", "likes": "Most Liked", "newest": "Newest"}
# CivitAI has a category for these kinds only. The parameter `tag` accepts a single value.
_CATEGORIES: Mapping[Kind, str] = {"character": "character", "style": "style", "tool": "tool"}


class CivitAI(HubClient):
    def search(self, query: Query, cursor: str | None = None) -> Page:
        """Return one page of results.

        Lists are sent as repeated parameters. With commas, the API rejects `types`, and `baseModels` has no results.
        """
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
            # Without `nsfw`, CivitAI lists only models with a safe image, and only their safe images.
            "nsfw": None if query.nsfw == "safe" else "true",
            "cursor": cursor,
        }
        results = table(self._session.json("/api/v1/models", {k: v for k, v in params.items() if v is not None}))
        items = self._session.read_list(results.get("items"), "models")
        now = datetime.now(UTC)
        loras = [lora for item in tables(items) if (lora := parse.lora(item, self._web, now)) is not None]
        # The last page has no nextCursor, which may be text or a number. An empty page is not always the last one.
        next_cursor = text(table(results.get("metadata")).get("nextCursor"))
        is_last = next_cursor == cursor or is_past(query, (lora.updated_at for lora in loras))
        return make_page(loras, query, None if is_last else next_cursor)

    def get(self, ref: Ref) -> Lora:
        """Return the LoRA with all of its versions.

        Raises Withheld, as `by_hash` and `download` do, if the LoRA must not be shown.
        """
        version = self._fetch("model-versions", ref.version) if ref.version else {}
        model = self._fetch_model(ref.id or text(version.get("modelId")))
        if not model:
            return self._read_version(version, {}, ref)
        self._check_owner(version, ref)
        versions = tables(model.get("modelVersions"))
        if not version and versions and (first := whole(versions[0].get("id"))) is not None:
            # Only the endpoint of a version returns prompts and usageControl. It responds 404 in some regions if the
            # version has no safe image.
            with suppress(NotFound):
                version = self._fetch("model-versions", str(first))
        complete = parse.with_version(model, version) if version else model
        return self._check_found(parse.lora(complete, self._web, datetime.now(UTC)), ref)

    def by_hash(self, value: str) -> tuple[Lora, Ref]:
        """Return the LoRA, with only the version that has a file with this hash, and the file's ref.

        `value` is a SHA-256, AutoV2 (its first 10 digits) or AutoV3 (first 12 digits of the SHA-256 after the header).
        Raises NotFound.
        """
        found = table(self._session.json(f"/api/v1/model-versions/by-hash/{quote(value, safe='')}"))
        model = self._fetch_model(text(found.get("modelId")))
        lora = parse.lora_of_version(found, self._web, datetime.now(UTC), model)
        if lora is None or not check_shown(lora).versions:
            raise NotFound(f"CivitAI knows the hash {value[:12]}, but not as a LoRA's.", hub=self.name)
        version = lora.versions[0]
        ids = [
            str(file.get("id"))
            for file in tables(found.get("files"))
            if value.upper() in [str(digits).upper() for digits in table(file.get("hashes")).values()]
        ]
        file = next((file for file in version.files if file.ref.file in ids), None)
        return lora, file.ref if file else version.ref

    def images(self, ref: Ref) -> tuple[Example, ...]:
        """Return one page of a version's community images, the most liked first, or () if the ref has no version."""
        if ref.version is None:
            return ()
        params = {
            "modelVersionId": ref.version, "limit": MOST_IMAGES, "sort": "Most Reactions", "nsfw": "X",
            # Without withMeta, `meta` is null. Without flatMeta, it is nested one level deeper.
            "withMeta": "true", "flatMeta": "true",
        }  # fmt: skip
        items = self._session.read_list(table(self._session.json("/api/v1/images", params)).get("items"), "images")
        return tuple(image for item in tables(items) if (image := parse.community_image(item)) is not None)

    def download(self, ref: Ref, lora: Lora | None = None) -> Download:
        """Return the download of a file, whose URL is requested by `fileId`.

        The redirect is not followed, so that a refusal is raised here, and the key is sent to the hub only. The hub's
        `downloadUrl` is not used: some respond 404, and one endpoint writes the host "undefined" into them.
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
        api_url = self._address(file.ref)
        url = self._session.target(api_url.removeprefix(self._web)) or api_url
        target = urlsplit(url)
        # If the hub takes the client for a browser, it redirects to a web page in place of an error.
        if target.netloc == urlsplit(self._web).netloc and not target.path.startswith("/api/"):
            if target.path.startswith("/login") or "download-auth" in parse_qs(target.query).get("reason", []):
                raise key_required("civitai")
            raise Paid(f"CivitAI wants you to open {lora.url} for this.", hub=self.name, url=lora.url)
        return HttpDownload(
            ref=file.ref,
            name=file.name,
            url=url,
            headers=self._session.auth(url),
            size=file.size,
            sha256=file.sha256,
            source=api_url,
        )

    def locate(self, ref: Ref) -> Download:
        url = self._address(ref)
        return HttpDownload(ref=ref, name=f"{ref.version}.safetensors", url=url, headers=self._session.auth(url))

    def _address(self, ref: Ref) -> str:
        selector = f"?fileId={ref.file}" if ref.file else ""
        return f"{self._web}/api/download/models/{ref.version}{selector}"

    def _fetch(self, kind: Literal["models", "model-versions"], number: str) -> Table:
        # The hub responds to a larger number with 400 (models) or 500 (versions).
        if not number.isdecimal() or int(number) > _MAX_ID:
            raise NotFound(f"CivitAI has no number {number}.", hub=self.name)
        answer = table(self._session.json(f"/api/v1/{kind}/{number}"))
        if whole(answer.get("id")) is None:
            raise BadAnswer(f"CivitAI answered about number {number} without its id. Try again.", hub=self.name)
        return answer

    def _fetch_model(self, number: str | None) -> Table:
        """Return a model, or {} if the hub responds 404.

        The hub does so for removed models and models of real persons, but may still describe their versions.
        """
        with suppress(NotFound):
            return self._fetch("models", number) if number else {}
        return {}

    def _read_version(self, alone: Table, model: Table, ref: Ref) -> Lora:
        self._check_owner(alone, ref)
        return self._check_found(parse.lora_of_version(alone, self._web, datetime.now(UTC), model), ref)

    def _check_owner(self, version: Table, ref: Ref) -> None:
        if ref.id and text(version.get("modelId")) not in (None, ref.id):
            raise NotFound(f"CivitAI's model {ref.id} has no version {ref.version}.", hub=self.name)

    def _check_found(self, lora: Lora | None, ref: Ref) -> Lora:
        if lora is None:
            raise NotFound(f"CivitAI has no LoRA under {ref}.", hub=self.name)
        return check_shown(lora)
