"""Replicate: models that people trained there. Every call needs a key, looking included."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import parse_qsl, urlsplit

from connectors.connector import Download, HttpDownload
from connectors.errors import BadAnswer, DownloadsDisabled, HubUiError, KeyRequired, NotFound
from connectors.filter import sift
from connectors.http.json_fields import Table, address, table, tables, text
from connectors.http.session import Endpoint, Session
from connectors.query import Page, Query
from connectors.record import Lora
from connectors.ref import HubName, Ref
from connectors.replicate import parse

_MAX_FOUND = 50
_API_HOST, _WEB = "api.replicate.com", "https://replicate.com"


class Replicate:
    name: ClassVar[HubName] = "replicate"
    label: ClassVar[str] = "Replicate"

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._origin = endpoint.url.rstrip("/")
        self._session = Session(endpoint)

    def search(self, query: Query, cursor: str | None = None) -> Page:
        self._need_key()
        models, following = self._listed(query, cursor)
        loras = (parse.lora(model) for model in models if parse.describes_lora(model))
        kept = sift((lora for lora in loras if lora is not None), query)
        if query.sort == "downloads":
            # The hub can't sort by runs; within the page we can.
            kept = tuple(sorted(kept, key=lambda lora: -(lora.downloads or 0)))
        return Page(hub=self.name, loras=kept, cursor=following if following != cursor else None)

    def get(self, ref: Ref) -> Lora:
        self._need_key()
        model = table(self._session.json(f"/v1/models/{ref.id}"))
        if ref.version and ref.version != text(table(model.get("latest_version")).get("id")):
            version = table(self._session.json(f"/v1/models/{ref.id}/versions/{ref.version}"))
            model = parse.with_version(model, version)
        if model.get("visibility") == "private":
            model = self._with_training(model)
        lora = parse.lora(model)
        if lora is None:
            raise BadAnswer(f"Replicate answered about {ref.id} without a model.", hub=self.name)
        return lora

    def _with_training(self, model: Table) -> Table:
        """A private model is the key's own, and so is the training that made it. Without that list it is as good."""
        try:
            trainings = tables(table(self._session.json("/v1/trainings")).get("results"))
        except HubUiError:
            return model
        return parse.with_training(model, trainings)

    def pin(self, ref: Ref) -> Ref:
        if ref.pinned:
            return ref.at(ref.version)
        version = self.get(ref).version(None)
        if version is None:
            raise NotFound(f"{ref.id} has no version on Replicate.", hub=self.name)
        return version.ref

    def download(self, ref: Ref) -> Download:
        """The weights' tar, at the address that Replicate's own predictor loads fine-tunes from.

        It is not in the API's documentation, but public, and needs no key. It lies on the website, not on the API's
        host; an endpoint of one's own has both in one place.
        """
        lora = self.get(ref)
        version = lora.version(ref.version)
        if version is None:
            raise NotFound(f"{ref.id} has no such version on Replicate.", hub=self.name)
        file = version.file
        if file is None:
            raise DownloadsDisabled(f"{lora.title} has no weights to download. {version.access_note}", hub=self.name)
        return self._tar(version.ref, file.name)

    def locate(self, ref: Ref) -> Download:
        return self._tar(ref, f"{ref.id.rpartition('/')[2]}.safetensors")

    def _tar(self, ref: Ref, name: str) -> HttpDownload:
        web = _WEB if urlsplit(self._origin).hostname == _API_HOST else self._origin
        url = f"{web}/{ref.id}/versions/{ref.version}/_weights"
        return HttpDownload(ref=ref, name=name, url=url, headers=self._session.auth(url), in_tar=True)

    def _need_key(self) -> None:
        if not self.endpoint.token:
            raise KeyRequired(
                "Replicate wants a key for every call. Add a key (REPLICATE_API_TOKEN) from replicate.com/account.",
                hub=self.name,
            )

    def _listed(self, query: Query, cursor: str | None) -> tuple[tuple[Table, ...], str | None]:
        """The models of one page, LoRAs or not, and the next page's cursor."""
        if cursor is not None:
            # The cursor is only the query of the hub's `next` link: it can't lead anywhere but to this list.
            return self._page(self._session.json("/v1/models", parse_qsl(cursor)))
        if not query.text:
            newest = {"sort_by": "latest_version_created_at", "sort_direction": "desc"}
            return self._page(self._session.json("/v1/models", newest))
        try:
            return self._found(query), None
        except (NotFound, BadAnswer):
            # The search endpoint is a beta. The older way is the QUERY method, which some proxies refuse.
            headers = {"Content-Type": "text/plain"}
            body = query.text.encode()
            return self._page(self._session.json("/v1/models", method="QUERY", data=body, headers=headers))

    def _found(self, query: Query) -> tuple[Table, ...]:
        answer = table(self._session.json("/v1/search", {"query": query.text, "limit": min(query.limit, _MAX_FOUND)}))
        if not isinstance(answer.get("models"), list):
            raise BadAnswer("Replicate's search answered without models.", hub=self.name)
        return tuple(table(hit.get("model")) or hit for hit in tables(answer["models"]))

    def _page(self, answer: object) -> tuple[tuple[Table, ...], str | None]:
        page = table(answer)
        if not isinstance(page.get("results"), list):
            raise BadAnswer("Replicate answered without a list of models. Try again in a minute.", hub=self.name)
        return tables(page["results"]), self._own(address(page.get("next")))

    def _own(self, link: str | None) -> str | None:
        """The query of a `next` link of this hub. One that leads elsewhere ends the list."""
        if link is None:
            return None
        place, own = urlsplit(link), urlsplit(self._origin)
        if (place.scheme, place.netloc) != (own.scheme, own.netloc):
            return None
        return place.query or None
