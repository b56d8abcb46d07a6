"""The client for Hugging Face. A model is a repo and a version is a commit; huggingface_hub downloads the files."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import requests
from huggingface_hub import ModelInfo, get_hf_file_metadata, is_offline_mode
from huggingface_hub.errors import OfflineModeIsEnabled

from connectors.claims.base_models import spellings
from connectors.connector import Download, HubDownload, is_past, make_page, pin
from connectors.errors import BadAnswer, Gated, NotFound
from connectors.http.adapter import READ_SECONDS
from connectors.http.errors import huggingface_error, map_huggingface_errors
from connectors.http.json_fields import address, sha256, tables, text, texts
from connectors.http.session import HubClient, Params
from connectors.huggingface import parse
from connectors.query import Page, Query, Sort
from connectors.record import Lora, Version, check_shown
from connectors.ref import Ref, is_id

MAX_LIMIT = 100
MAX_COMMITS = 20
# The number of extra pages to read if a page is short because adapters of language models, which are also tagged
# `lora`, were left out of it.
_MORE_PAGES = 5
_EXPAND = (
    "author",
    "cardData",
    "downloads",
    "gated",
    "lastModified",
    "library_name",
    "likes",
    "pipeline_tag",
    "private",
    "sha",
    "siblings",
    "tags",
)
_SORTS: Mapping[Sort, str] = {"downloads": "downloads", "likes": "likes", "newest": "lastModified"}
_COMMIT = re.compile("[0-9a-f]{40}")
_MAX_CARD = 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class _List:
    """A list of the hub: the repos tagged `lora`, or the untagged repos with "lora" in their id."""

    tagged: bool
    base: str | None = None


class HuggingFace(HubClient):
    def search(self, query: Query, cursor: str | None = None) -> Page:
        """Return one page of results.

        The API has no OR over bases, nor over tag and name, so each alternative is a list. The lists are read one after
        the other. A cursor is "N?QUERY": the index of the list, and the query of the page (empty for the first page).
        This sends its own request, because `HfApi.list_models` does not return a cursor.
        """
        number, _, rest = (cursor or "0").partition("?")
        if not number.isascii() or not number.isdigit():
            raise BadAnswer("This page of Hugging Face's results can't be found again. Search anew.", hub=self.name)
        lists, index = _lists(query), int(number)
        if index >= len(lists):
            return Page(loras=())
        page, has_others = self._page(query, lists, index, parse_qsl(rest))
        for _ in range(_MORE_PAGES):
            if not has_others or len(page.loras) >= query.limit or page.cursor is None or "?" not in page.cursor:
                break
            more, has_others = self._page(query, lists, index, parse_qsl(page.cursor.partition("?")[2]))
            page = replace(more, loras=page.loras + more.loras, withheld=page.withheld + more.withheld)
        next_index = int(page.cursor) if page.cursor and page.cursor.isdigit() else None
        if next_index is None or lists[next_index].tagged or len(page.loras) >= query.limit:
            return page
        # Add the few untagged repos to the last page of tagged ones, so that a visitor need not request another page.
        untagged, _ = self._page(query, lists, next_index, [])
        withheld = page.withheld + untagged.withheld
        return replace(untagged, loras=page.loras + untagged.loras, withheld=withheld)

    def _page(
        self, query: Query, lists: tuple[_List, ...], index: int, params: list[tuple[str, str]]
    ) -> tuple[Page, bool]:
        """Return the page of a list that `params` select, or the first page if they are empty.

        The second value is whether the page had repos that are not LoRAs for images.
        """
        current = lists[index]
        # The hub's `search` matches repo ids only, not cards.
        params = params or [
            *([("filter", "lora")] if current.tagged else []),
            *([("filter", f"base_model:{current.base}")] if current.base is not None else []),
            *([("filter", query.tag)] if query.tag else []),
            *([("author", query.creator)] if query.creator else []),
            *([("search", query.words or "lora")] if query.words or not current.tagged else []),
            *([("sort", _SORTS[query.sort])] if query.sort in _SORTS else []),
            ("limit", str(min(query.limit, MAX_LIMIT))),
            *(("expand", name) for name in _EXPAND),
        ]
        response = self._get("/api/models", params, what="its list of models")
        items = self._session.read_list(self._session.read_json(response), "models")
        # Keep only the query of the hub's `next` link, so that a link can't send a request, or a key, to another host.
        next_query = urlsplit(address(response.links.get("next", {}).get("url")) or "").query
        cursor = f"{index + 1}" if index + 1 < len(lists) else None
        loras = [parse.lora(info, self._web) for info in _read_infos(items, current.tagged)]
        has_others = any(claim.field == "is_lora" for lora in loras for claim in lora.claims)
        has_next = next_query and parse_qsl(next_query) != params
        if has_next and not is_past(query, (text(item.get("lastModified")) for item in tables(items))):
            cursor = f"{index}?{next_query}"
        return make_page(loras, query, cursor), has_others

    def get(self, ref: Ref) -> Lora:
        """Return the LoRA of a repo, with its model card at the same commit.

        Raises Withheld if the LoRA must not be shown.
        """
        revision = f"/revision/{quote(ref.version, safe='')}" if ref.version else ""
        # HfApi.model_info(files_metadata=True) sends the same request, but reads a response of any size.
        response = self._get(f"/api/models/{ref.id}{revision}", {"blobs": "true"}, what=ref.id)
        data = self._session.read_json(response)
        with map_huggingface_errors(ref.id):
            info = ModelInfo(**data)  # type: ignore[no-untyped-call]
            has_card = any(sibling.rfilename == "README.md" for sibling in info.siblings or [])
            card = self._card(info) if has_card else None
            return check_shown(parse.lora(info, self._web, card))

    def _card(self, info: ModelInfo) -> str | None:
        """Return the text of the model card, or None if it was deleted or is gated."""
        with suppress(NotFound, Gated):
            response = self._get(f"/{info.id}/resolve/{text(info.sha) or 'main'}/README.md", what=f"card of {info.id}")
            return response.content.decode(errors="replace")[:_MAX_CARD]
        return None

    def history(self, ref: Ref) -> tuple[Version, ...]:
        """Return the newest MAX_COMMITS commits with their titles and dates, newest first, without their files."""
        # HfApi.list_repo_commits reads all pages.
        path = f"/api/models/{ref.id}/commits/main"
        response = self._get(path, {"limit": str(MAX_COMMITS)}, what=f"history of {ref.id}")
        items = self._session.read_list(self._session.read_json(response), "commits")
        return tuple(
            Version(
                ref=ref.lora.at(commit),
                name=commit[:8],
                description=text(item.get("title")) or "",
                updated_at=text(item.get("date")),
            )
            for item in tables(items)
            if (commit := text(item.get("id"))) and _COMMIT.fullmatch(commit)
        )[:MAX_COMMITS]

    def download(self, ref: Ref, lora: Lora | None = None) -> Download:
        """Return the download of a file, with the size and SHA-256 in the headers of a HEAD request.

        Raises HubUiError if the hub refuses access.
        """
        target = self.locate(lora.pin(ref) if lora else pin(self, ref))
        with map_huggingface_errors(f"{target.ref.id}/{target.path}"):
            metadata = get_hf_file_metadata(target.url, token=self.endpoint.token or False, timeout=READ_SECONDS)
        if lora is None:
            # Read the card, which may mark the LoRA as showing a minor: a pinned ref is resolved without its card.
            self.get(ref)
        # Only LFS and Xet files have their SHA-256 as ETag; a small file's is a git hash.
        return replace(target, size=metadata.size, sha256=sha256(metadata.etag))

    def locate(self, ref: Ref) -> HubDownload:
        if ref.file is None:
            raise NotFound(f"Hugging Face lists no weight file of {ref.id} at this commit.", hub=self.name)
        return HubDownload(ref=ref, endpoint=self._web, token=self.endpoint.token)

    def _get(self, path: str, params: Params = None, *, what: str) -> requests.Response:
        if is_offline_mode():
            raise huggingface_error(OfflineModeIsEnabled(), what)
        return self._session.send(path, params, what=what)


def _lists(query: Query) -> tuple[_List, ...]:
    """Return the lists that together hold the results of a query, tagged repos first.

    It is empty if no base has a repo on this hub, if the creator's name is invalid here, or if only runners are wanted.
    The list of untagged repos needs "lora" in the hub's `search`, so it is left out if the query's words lack it. A
    query for bases omits it as well, because it would cost a request per base and find almost no LoRAs.
    """
    if query.kinds == ("runner",) or (query.creator and not is_id("huggingface", f"{query.creator}/lora")):
        return ()
    if query.bases:
        names = dict.fromkeys(name for base in query.bases for name in spellings(base, "huggingface"))
        return tuple(_List(tagged=True, base=name) for name in names)
    by_name = not query.words or "lora" in query.words.lower()
    return (_List(tagged=True), _List(tagged=False)) if by_name else (_List(tagged=True),)


def _read_infos(items: list[Any], tagged: bool) -> Iterator[ModelInfo]:
    """Yield the valid repos of a list. From the list of untagged repos, yield only LoRAs for images."""
    for item in tables(items):
        try:
            info = ModelInfo(**item)  # type: ignore[no-untyped-call]
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        if not isinstance(info.id, str) or not is_id("huggingface", info.id):
            continue
        tags = {*texts(info.tags), text(info.pipeline_tag)}
        if tagged or ("lora" not in tags and "lora" in info.id.lower() and not tags.isdisjoint(parse.PICTURES)):
            yield info
