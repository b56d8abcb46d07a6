"""Hugging Face. The hub's unit is a repo at a commit; its files are for huggingface_hub to fetch."""

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
# Pages that are read in place of adapters of language models, which are tagged `lora` too.
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
    """A list of the hub: repos tagged `lora`, or those without the tag that have it in their id."""

    tagged: bool
    base: str | None = None


class HuggingFace(HubClient):
    def search(self, query: Query, cursor: str | None = None) -> Page:
        """One page of the hub's list.

        The hub can't be asked for "one of these bases", nor for "tagged or named lora", so each of those is a list of
        its own, read one after the other. A cursor is "N?QUERY": the N-th list, and the hub's own query for the page
        (empty: its first). `list_models` gives no cursor, hence the request of our own.
        """
        number, _, rest = (cursor or "0").partition("?")
        if not number.isascii() or not number.isdigit():
            raise BadAnswer("This page of Hugging Face's results can't be found again. Search anew.", hub=self.name)
        lists, place = _lists(query), int(number)
        if place >= len(lists):
            return Page(loras=())
        page, others = self._page(query, lists, place, parse_qsl(rest))
        for _ in range(_MORE_PAGES):
            if not others or len(page.loras) >= query.limit or page.cursor is None or "?" not in page.cursor:
                break
            more, others = self._page(query, lists, place, parse_qsl(page.cursor.partition("?")[2]))
            page = replace(more, loras=page.loras + more.loras, withheld=page.withheld + more.withheld)
        following = int(page.cursor) if page.cursor and page.cursor.isdigit() else None
        if following is None or lists[following].tagged or len(page.loras) >= query.limit:
            return page
        # The few untagged repos come with the last page of tagged ones: nobody should have to ask for them.
        untagged, _ = self._page(query, lists, following, [])
        withheld = page.withheld + untagged.withheld
        return replace(untagged, loras=page.loras + untagged.loras, withheld=withheld)

    def _page(
        self, query: Query, lists: tuple[_List, ...], place: int, params: list[tuple[str, str]]
    ) -> tuple[Page, bool]:
        """The page of the list at `place` that `params` select, or its first page without `params`.

        Also whether something was left out of it that is no LoRA for images.
        """
        listed = lists[place]
        # `search` matches repo ids only; there is no search in cards.
        params = params or [
            *([("filter", "lora")] if listed.tagged else []),
            *([("filter", f"base_model:{listed.base}")] if listed.base is not None else []),
            *([("filter", query.tag)] if query.tag else []),
            *([("author", query.creator)] if query.creator else []),
            *([("search", query.words or "lora")] if query.words or not listed.tagged else []),
            *([("sort", _SORTS[query.sort])] if query.sort in _SORTS else []),
            ("limit", str(min(query.limit, MAX_LIMIT))),
            *(("expand", name) for name in _EXPAND),
        ]
        response = self._get("/api/models", params, what="its list of models")
        items = self._session.read_list(self._session.read_json(response), "models")
        # Of the hub's `next` link only the query is kept, so a link can't send us, or a key, to another host.
        following = urlsplit(address(response.links.get("next", {}).get("url")) or "").query
        cursor = f"{place + 1}" if place + 1 < len(lists) else None
        loras = [parse.lora(info, self._web) for info in _read_infos(items, listed.tagged)]
        has_others = any(claim.field == "is_lora" for lora in loras for claim in lora.claims)
        goes_on = following and parse_qsl(following) != params
        if goes_on and not is_past(query, (text(item.get("lastModified")) for item in tables(items))):
            cursor = f"{place}?{following}"
        return make_page(loras, query, cursor), has_others

    def get(self, ref: Ref) -> Lora:
        """Fetches the repo, and its card at the same commit if it has one."""
        revision = f"/revision/{quote(ref.version, safe='')}" if ref.version else ""
        # The request of HfApi.model_info(files_metadata=True), which would read an answer of any size.
        answer = self._get(f"/api/models/{ref.id}{revision}", {"blobs": "true"}, what=ref.id)
        data = self._session.read_json(answer)
        with map_huggingface_errors(ref.id):
            info = ModelInfo(**data)  # type: ignore[no-untyped-call]
            has_card = any(sibling.rfilename == "README.md" for sibling in info.siblings or [])
            card = self._card(info) if has_card else None
            return check_shown(parse.lora(info, self._web, card))

    def _card(self, info: ModelInfo) -> str | None:
        """None where it is gone, or only for those who have access."""
        with suppress(NotFound, Gated):
            answer = self._get(f"/{info.id}/resolve/{text(info.sha) or 'main'}/README.md", what=f"card of {info.id}")
            return answer.content.decode(errors="replace")[:_MAX_CARD]
        return None

    def history(self, ref: Ref) -> tuple[Version, ...]:
        """The newest commits of the repo, with their titles and dates, newest first; their files are not listed."""
        # HfApi.list_repo_commits would read all pages.
        path = f"/api/models/{ref.id}/commits/main"
        answer = self._get(path, {"limit": str(MAX_COMMITS)}, what=f"history of {ref.id}")
        items = self._session.read_list(self._session.read_json(answer), "commits")
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
        """Asks the hub about the file: access, size and SHA-256 are in the headers of its answer."""
        place = self.locate(lora.pin(ref) if lora else pin(self, ref))
        with map_huggingface_errors(f"{place.ref.id}/{place.path}"):
            found = get_hf_file_metadata(place.url, token=self.endpoint.token or False, timeout=READ_SECONDS)
        if lora is None:
            # A pinned ref is resolved without its card, which may mark it as showing a minor.
            self.get(ref)
        # Only LFS and Xet files have their SHA-256 as ETag; a small file's is git's own.
        return replace(place, size=found.size, sha256=sha256(found.etag))

    def locate(self, ref: Ref) -> HubDownload:
        if ref.file is None:
            raise NotFound(f"Hugging Face lists no weight file of {ref.id} at this commit.", hub=self.name)
        return HubDownload(ref=ref, endpoint=self._web, token=self.endpoint.token)

    def _get(self, path: str, params: Params = None, *, what: str) -> requests.Response:
        if is_offline_mode():
            raise huggingface_error(OfflineModeIsEnabled(), what)
        return self._session.send(path, params, what=what)


def _lists(query: Query) -> tuple[_List, ...]:
    """Tagged repos first. Empty if none of the bases has a repo here, the creator's name is none of this hub, or only
    runners are wanted.

    `search` matches ids only, so repos that have just the name can be asked for only where the text leaves room; and
    one request more for every base would find next to nothing.
    """
    if query.kinds == ("runner",) or (query.creator and not is_id("huggingface", f"{query.creator}/lora")):
        return ()
    if query.bases:
        names = dict.fromkeys(name for base in query.bases for name in spellings(base, "huggingface"))
        return tuple(_List(tagged=True, base=name) for name in names)
    by_name = not query.words or "lora" in query.words.lower()
    return (_List(tagged=True), _List(tagged=False)) if by_name else (_List(tagged=True),)


def _read_infos(items: list[Any], tagged: bool) -> Iterator[ModelInfo]:
    """The repos that can be read; of a list without the tag, those that are LoRAs."""
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
