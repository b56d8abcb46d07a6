"""The client for Replicate, which hosts models that people trained there. All requests need a key, searches too."""

from contextlib import suppress
from urllib.parse import parse_qsl, urlsplit

from connectors.connector import Download, HttpDownload, is_past, make_page
from connectors.errors import BadAnswer, DownloadsDisabled, HubUiError, KeyRequired, NotFound
from connectors.http.json_fields import Table, address, table, tables, text
from connectors.http.session import HubClient
from connectors.query import Page, Query
from connectors.record import Lora, check_shown
from connectors.ref import Ref
from connectors.registry import HUBS
from connectors.replicate import parse

_MAX_FOUND = 50
_API_HOST, _WEB = "api.replicate.com", "https://replicate.com"


class Replicate(HubClient):
    def search(self, query: Query, cursor: str | None = None) -> Page:
        self._need_key()
        models, next_cursor = self._list(query, cursor)
        loras = [lora for lora in map(parse.lora, models) if lora is not None]
        if query.sort == "downloads":
            # The hub can't sort by runs, so only the page is sorted.
            loras.sort(key=lambda lora: -(lora.downloads or 0))
        # Without a text, the list is sorted by the newest version.
        times = (text(table(model.get("latest_version")).get("created_at")) for model in models)
        is_last = next_cursor == cursor or (not query.text and is_past(query, times))
        return make_page(loras, query, None if is_last else next_cursor)

    def get(self, ref: Ref) -> Lora:
        self._need_key()
        model = table(self._session.json(f"/v1/models/{ref.id}"))
        if ref.version and ref.version != text(table(model.get("latest_version")).get("id")):
            version = table(self._session.json(f"/v1/models/{ref.id}/versions/{ref.version}"))
            model = {**model, "latest_version": version}
        if model.get("visibility") == "private":
            # The owner of the key also owns a private model and its training, which may add claims.
            with suppress(HubUiError):
                trainings = tables(table(self._session.json("/v1/trainings")).get("results"))
                model = parse.with_training(model, trainings)
        lora = parse.lora(model)
        if lora is None:
            raise BadAnswer(f"Replicate answered about {ref.id} without a model.", hub=self.name)
        return check_shown(lora)

    def download(self, ref: Ref, lora: Lora | None = None) -> Download:
        """Return the download of the tar with the weights, from the URL that Replicate's predictor also uses.

        The URL is public but undocumented. It is on the website, or on the host of an endpoint that was configured.
        """
        lora = lora or self.get(ref)
        version, file = lora.resolve(ref)
        if file is None:
            raise DownloadsDisabled(f"“{lora.title}” has no weights to download. {version.access_note}", hub=self.name)
        return self.locate(version.ref)

    def locate(self, ref: Ref) -> Download:
        name = f"{ref.id.rpartition('/')[2]}.safetensors"
        web = _WEB if urlsplit(self._web).hostname == _API_HOST else self._web
        url = f"{web}/{ref.id}/versions/{ref.version}/_weights"
        return HttpDownload(ref=ref, name=name, url=url, headers=self._session.auth(url), in_tar=True)

    def _need_key(self) -> None:
        if not self.endpoint.token:
            raise KeyRequired(f"Replicate wants a key for every call. {HUBS[self.name].add_key}.", hub=self.name)

    def _list(self, query: Query, cursor: str | None) -> tuple[tuple[Table, ...], str | None]:
        """Return the models of one page, which include other models than LoRAs, and the next cursor."""
        if cursor is not None:
            # The cursor is only the query of the hub's `next` link, so it can't select another host.
            return self._page(self._session.json("/v1/models", parse_qsl(cursor)))
        if not query.words:
            newest = {"sort_by": "latest_version_created_at", "sort_direction": "desc"}
            return self._page(self._session.json("/v1/models", newest))
        # Fall back to the method QUERY, because the search endpoint is a beta. Some proxies reject QUERY.
        with suppress(NotFound, BadAnswer):
            params = {"query": query.words, "limit": min(query.limit, _MAX_FOUND)}
            hits = table(self._session.json("/v1/search", params)).get("models")
            if isinstance(hits, list):
                return tuple(table(hit.get("model")) or hit for hit in tables(hits)), None
        headers = {"Content-Type": "text/plain"}
        body = query.words.encode()
        return self._page(self._session.json("/v1/models", method="QUERY", data=body, headers=headers))

    def _page(self, response: object) -> tuple[tuple[Table, ...], str | None]:
        page = table(response)
        models = self._session.read_list(page.get("results"), "models")
        # Treat a `next` link to another origin as the end of the list.
        next_link = urlsplit(address(page.get("next")) or "")
        is_same_origin = next_link[:2] == urlsplit(self._web)[:2]
        return tables(models), next_link.query or None if is_same_origin else None
