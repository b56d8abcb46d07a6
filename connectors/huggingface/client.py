"""Hugging Face, through huggingface_hub's public interface. The hub's unit is a repo at a commit."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote, urlsplit

import httpx2
from huggingface_hub import ModelInfo, get_hf_file_metadata, get_session, hf_hub_url

# Documented as public, though the package does not mark them for type checkers.
from huggingface_hub.utils import (  # type: ignore[attr-defined]
    build_hf_headers,
    hf_raise_for_status,
)

from connectors.claims.base_models import spellings
from connectors.connector import Download, HubDownload
from connectors.errors import BadAnswer, Gated, NotFound
from connectors.filter import sift
from connectors.http.adapter import ANSWER_SECONDS, same_site
from connectors.http.json_fields import Table, address, overfull, sha256, tables, text, texts
from connectors.http.session import MAX_JSON_BYTES, READ_SECONDS, USER_AGENT, Endpoint
from connectors.huggingface import parse
from connectors.huggingface.errors import as_ours
from connectors.query import Page, Query, Sort
from connectors.record import Lora, Version, WeightFile
from connectors.ref import HubName, Ref, is_id

MAX_LIMIT = 100
_EXPAND = (
    "author",
    "cardData",
    "downloads",
    "gated",
    "lastModified",
    "likes",
    "pipeline_tag",
    "sha",
    "siblings",
    "tags",
)
# What an author who forgot the tag `lora` still says of a LoRA for pictures; language models have none of these.
_PICTURES = {"diffusers", "image-to-image", "image-to-video", "stable-diffusion", "text-to-image", "text-to-video"}
_SORTS: Mapping[Sort, str] = {"downloads": "downloads", "likes": "likes", "newest": "createdAt"}
# Not 429: huggingface_hub would sleep as long as the hub asks, up to minutes, where a person is told to wait.
_RETRIED = (500, 502, 503, 504)
_MAX_CARD = 1024 * 1024
_MAX_REDIRECTS = 5
_TRIES = 3
_BACKOFF_SECONDS = 0.25
_OF_THE_WAY = ("content-encoding", "content-length", "transfer-encoding")


class HuggingFace:
    name: ClassVar[HubName] = "huggingface"
    label: ClassVar[str] = "Hugging Face"

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._web = endpoint.url.rstrip("/")

    def search(self, query: Query, cursor: str | None = None) -> Page:
        """One page of the hub's list.

        The hub can't be asked for "one of these bases", nor for "tagged or named lora", so each of those is a list of
        its own, read one after the other; the cursor holds which one, and where in it. `list_models` gives no cursor,
        hence the request of our own.
        """
        lists = _lists(query)
        place, inside = _place(cursor)
        if place >= len(lists):
            return Page(hub=self.name, loras=())
        page = self._page(query, lists, place, inside)
        following = int(page.cursor) if page.cursor and page.cursor.isdigit() else None
        if following is None or lists[following].tagged or len(page.loras) >= query.limit:
            return page
        # The few untagged repos come with the last page of tagged ones: nobody should have to ask for them.
        rest = self._page(query, lists, following, [])
        return replace(rest, loras=page.loras + rest.loras)

    def _page(self, query: Query, lists: tuple[_List, ...], place: int, inside: list[tuple[str, str]]) -> Page:
        asked = inside or _params(query, lists[place])
        with as_ours("its list of models"):
            response = self._get("/api/models", asked)
            items = None if overfull(response.content) else response.json()
        if not isinstance(items, list):
            raise BadAnswer("Hugging Face answered without a list of models. Try again.", hub=self.name)
        kept = [info for info in _infos(items) if lists[place].tagged or _untagged_lora(info)]
        return Page(
            hub=self.name,
            loras=sift((parse.lora(info, self._web) for info in kept), query),
            cursor=_next(response, place, len(lists), asked),
        )

    def get(self, ref: Ref) -> Lora:
        revision = f"/revision/{quote(ref.version, safe='')}" if ref.version else ""
        with as_ours(ref.id):
            # As HfApi.model_info(files_metadata=True) asks; that would read an answer of any size.
            response = self._get(f"/api/models/{ref.id}{revision}", {"blobs": "true"})
            info = ModelInfo(**response.json())  # type: ignore[no-untyped-call]
        with as_ours(f"card of {ref.id}"):
            return parse.lora(info, self._web, self._card(info))

    def pin(self, ref: Ref) -> Ref:
        if ref.pinned and ref.file:
            return ref
        lora = self.get(ref)
        version = lora.version(None)
        if version is None:
            raise NotFound(f"Hugging Face names no commit for {ref}.", hub=self.name)
        return self._file(version, ref).ref

    def download(self, ref: Ref) -> Download:
        """Asks the hub about the one file: access, size and SHA-256 come in the headers of the answer."""
        ref = self.pin(ref)
        commit, path = ref.version or "", ref.file or ""
        url = hf_hub_url(ref.id, path, revision=commit, endpoint=self._web)
        with as_ours(f"{ref.id}/{path}"):
            found = get_hf_file_metadata(url, token=self.endpoint.token or False, timeout=READ_SECONDS)
        # Only LFS and Xet files have their SHA-256 as ETag; a small file's is git's own.
        return replace(self.locate(ref), size=found.size, sha256=sha256(found.etag))

    def locate(self, ref: Ref) -> HubDownload:
        path = ref.file or ""
        return HubDownload(
            ref=ref,
            name=path.rpartition("/")[2],
            endpoint=self._web,
            repo=ref.id,
            commit=ref.version or "",
            path=path,
            token=self.endpoint.token,
        )

    def _file(self, version: Version, ref: Ref) -> WeightFile:
        chosen = version.file if ref.file is None else None
        if ref.file is not None:
            chosen = next((file for file in version.files if file.ref.file == ref.file), None)
        if chosen is None:
            what = f"file {ref.file}" if ref.file else "weight file"
            raise NotFound(f"{ref.id} has no {what} at {version.name}.", hub=self.name)
        return chosen

    def _card(self, info: ModelInfo) -> str | None:
        """The card's text at the same commit. A repo without one is still a repo."""
        if not any(sibling.rfilename == "README.md" for sibling in info.siblings or []):
            return None
        url = hf_hub_url(info.id, "README.md", revision=text(info.sha), endpoint=self._web)
        try:
            with as_ours(f"card of {info.id}"):
                return self._get(url.removeprefix(self._web), {}).text[:_MAX_CARD]
        except (NotFound, Gated):
            return None

    def _get(self, path: str, params: Table | Iterable[tuple[str, str]]) -> httpx2.Response:
        """The whole answer, its status checked, its size capped. Redirects are followed within the hub's own site."""
        url = httpx2.URL(self._web + path, params=httpx2.QueryParams(params))  # type: ignore[arg-type]
        for _ in range(_MAX_REDIRECTS):
            response = self._asked(url)
            if not response.has_redirect_location:
                hf_raise_for_status(response)
                return response
            following = response.url.join(response.headers["Location"])
            if not same_site(str(url), str(following)):
                raise BadAnswer(
                    f"Hugging Face sends this to another address ({str(following)[:200]}). If that is the hub's new "
                    "one, set it as HF_ENDPOINT.",
                    hub=self.name,
                )
            url = following
        raise httpx2.TooManyRedirects("the hub sends this request in circles")

    def _asked(self, url: httpx2.URL) -> httpx2.Response:
        """huggingface_hub's http_backoff would read bodies of any size, those of redirects too."""
        # False, not None: without a key of ours huggingface_hub must not send one that lies on this machine.
        headers = build_hf_headers(token=self.endpoint.token or False, user_agent=USER_AGENT)
        for attempt in range(_TRIES):
            last = attempt + 1 == _TRIES
            try:
                with get_session().stream(
                    "GET", url, headers=headers, follow_redirects=False, timeout=READ_SECONDS
                ) as answer:
                    if answer.status_code not in _RETRIED or last:
                        return _read(answer)
            except (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError):
                if last:
                    raise
            time.sleep(_BACKOFF_SECONDS * 2**attempt)
        raise AssertionError("the last try returns or raises")


def _read(answer: httpx2.Response) -> httpx2.Response:
    """The same answer with its body, which is cut over the cap: then it is no JSON, instead of filling memory.

    A redirect has no body that anybody needs.
    """
    body, deadline = bytearray(), time.monotonic() + ANSWER_SECONDS
    for chunk in () if answer.has_redirect_location else answer.iter_bytes():
        body += chunk
        if len(body) > MAX_JSON_BYTES:
            break
        if time.monotonic() > deadline:
            raise httpx2.ReadTimeout("the answer took too long", request=answer.request)
    # What is encoded on its way is decoded now.
    headers = [(name, value) for name, value in answer.headers.multi_items() if name.lower() not in _OF_THE_WAY]
    return httpx2.Response(answer.status_code, headers=headers, content=bytes(body), request=answer.request)


@dataclass(frozen=True, kw_only=True, slots=True)
class _List:
    """One list of the hub's: repos tagged `lora`, or those without the tag whose id says it."""

    tagged: bool
    base: str | None = None


def _lists(query: Query) -> tuple[_List, ...]:
    """Tagged repos first. Empty when no base asked for has a repo here.

    `search` matches ids only, so repos that have just the name can be asked for only where the text leaves room; and
    one request more for every base would find next to nothing.
    """
    if query.bases:
        names = dict.fromkeys(name for base in query.bases for name in spellings(base, "huggingface"))
        return tuple(_List(tagged=True, base=name) for name in names)
    by_name = not query.text or "lora" in query.text.lower()
    return (_List(tagged=True), _List(tagged=False)) if by_name else (_List(tagged=True),)


def _untagged_lora(info: ModelInfo) -> bool:
    tags = {*texts(info.tags), text(info.pipeline_tag)}
    return "lora" not in tags and "lora" in info.id.lower() and not tags.isdisjoint(_PICTURES)


def _params(query: Query, chosen: _List) -> list[tuple[str, str]]:
    wanted = [("filter", "lora")] if chosen.tagged else []
    if chosen.base is not None:
        wanted.append(("filter", f"base_model:{chosen.base}"))
    if query.text or not chosen.tagged:
        # Matches repo ids only; there is no search in cards.
        wanted.append(("search", query.text or "lora"))
    if query.sort in _SORTS:
        wanted.append(("sort", _SORTS[query.sort]))
    wanted.append(("limit", str(min(query.limit, MAX_LIMIT))))
    return wanted + [("expand", name) for name in _EXPAND]


def _place(cursor: str | None) -> tuple[int, list[tuple[str, str]]]:
    """A cursor is "N?QUERY": the N-th base's list, and the hub's own query for the page (empty: its first)."""
    number, _, rest = (cursor or "0").partition("?")
    if not number.isascii() or not number.isdigit():
        raise BadAnswer("This page of Hugging Face's results can't be found again. Search anew.", hub="huggingface")
    return int(number), parse_qsl(rest)


def _next(response: httpx2.Response, place: int, lists: int, asked: list[tuple[str, str]]) -> str | None:
    """Of the hub's `next` link only the query is kept, so a link can't send us, or a key, to another host."""
    link = address(response.links.get("next", {}).get("url"))
    query = urlsplit(link).query if link else ""
    if query and parse_qsl(query) != asked:
        return f"{place}?{query}"
    return f"{place + 1}" if place + 1 < lists else None


def _infos(items: list[Any]) -> Iterator[ModelInfo]:
    """Whatever is readable: one repo with a broken card must not cost the page."""
    for item in tables(items):
        try:
            info = ModelInfo(**item)  # type: ignore[no-untyped-call]
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        if isinstance(info.id, str) and is_id("huggingface", info.id):
            yield info
