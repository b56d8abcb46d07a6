"""The local hubs with any number of LoRAs, each made from its number when a page of a list has it: none is kept.

`running_hubs(data, around=GeneratedHubs(civitai=25_000).around)`. The lists page, and write their items, as the local
hubs do. Nothing but lists is answered.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, overload

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from hub_ui.demo.hubs.answers import Delivery, RefusalError, answer_refusal, bearer
from hub_ui.demo.hubs.civitai import CivitaiHub
from hub_ui.demo.hubs.civitai_store import CivitaiStore, Model, ModelQuery
from hub_ui.demo.hubs.folder import Access
from hub_ui.demo.hubs.huggingface import list_item, page_answer
from hub_ui.demo.hubs.huggingface_store import Commit, Repo, RepoFile
from hub_ui.demo.hubs.replicate import ReplicateHub, _refusal
from tests.faults import Faulty

T = TypeVar("T")
# The first LoRA of each hub; each later one is a little newer.
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=10)
_ORIGIN = "http://127.0.0.1"


class Newest(Sequence[T]):
    """The numbers below `total`, the highest first, each as what `make` makes of it."""

    def __init__(self, total: int, make: Callable[[int], T]) -> None:
        self._numbers = range(total - 1, -1, -1)
        self._make = make

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> list[T]: ...
    def __getitem__(self, place: int | slice) -> T | list[T]:
        found = self._numbers[place]
        return self._make(found) if isinstance(found, int) else [self._make(number) for number in found]


@dataclass(kw_only=True)
class GeneratedHubs:
    """How many models each hub has, which may grow while it runs. Every fifth of Replicate's is no LoRA."""

    civitai: int = 0
    huggingface: int = 0
    replicate: int = 0

    @property
    def loras(self) -> Mapping[str, int]:
        replicate = self.replicate - len(range(4, self.replicate, 5))
        return {"civitai": self.civitai, "huggingface": self.huggingface, "replicate": replicate}

    def around(self, name: str, app: ASGIApp) -> ASGIApp:
        routes: dict[str, Route] = {
            "civitai": Route("/api/v1/models", self._civitai),
            "huggingface": Route("/api/models", self._huggingface),
            "replicate": Route("/v1/models", self._replicate),
        }
        if name not in routes:
            return app
        own = Starlette(routes=[routes[name]], exception_handlers={RefusalError: answer_refusal})
        return replace(app, app=own) if isinstance(app, Faulty) else own

    def _civitai(self, request: Request) -> Response:
        store = CivitaiStore(models={}, files={}, access=Access())
        delivery = Delivery(origin=_ORIGIN, secret=b"")
        lists = _CivitaiLists(store=store, delivery=delivery, origin=_ORIGIN, total=self.civitai)
        return lists.list_models(request)

    def _huggingface(self, request: Request) -> Response:
        query = request.query_params
        total = self.huggingface if "lora" in query.getlist("filter") else 0
        return page_answer(request, Newest(total, huggingface_repo), lambda repo: list_item(repo, query))

    async def _replicate(self, request: Request) -> Response:
        if not bearer(request):
            raise _refusal(401, "You did not pass a valid authentication token", "Unauthenticated")
        return ReplicateHub._page(None, request, Newest(self.replicate, replicate_model))  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class _CivitaiLists(CivitaiHub):
    total: int

    def _find(self, query: ModelQuery) -> Sequence[Model]:
        return Newest(self.total, civitai_model)


def civitai_model(number: int) -> Model:
    hashes = {"SHA256": _hex("civitai", number).upper()}
    file = {"id": number * 3 + 1, "name": f"{number}.safetensors", "sizeKB": 36_000, "type": "Model", "hashes": hashes}
    stats = {"downloadCount": number % 9_973, "thumbsUpCount": number % 997}
    version = {
        "id": number * 2 + 1,
        "name": "v1",
        "baseModel": "SDXL 1.0",
        "publishedAt": _date(number),
        "trainedWords": [f"style{number}"],
        "files": [{**file, "metadata": {"format": "SafeTensor"}, "primary": True}],
        "images": [],
        "stats": stats,
    }
    data = {
        "id": number + 1,
        "name": f"Style {number}",
        "type": "LORA",
        "nsfwLevel": 1,
        "tags": ["style"],
        "creator": {"username": _maker(number)},
        "stats": stats,
        "modelVersions": [version],
    }
    return Model(id=number + 1, data=data)


def huggingface_repo(number: int) -> Repo:
    name, date, path = f"{_maker(number)}/style-{number}", _date(number), f"{number}.safetensors"
    files = {path: RepoFile(path=path, recorded={"size": 40_000_000, "lfs": {"sha256": _hex("hf", number)}})}
    info = {
        "_id": _hex("id", number)[:24],
        "id": name,
        "author": _maker(number),
        "lastModified": date,
        "createdAt": date,
        "downloads": number % 7_919,
        "likes": number % 101,
        "tags": ["lora", "base_model:adapter:black-forest-labs/FLUX.1-dev"],
    }
    commit = Commit(sha=_hex("commit", number)[:40], date=date, title="Upload model", files=files)
    return Repo(id=name, info=info, commits=(commit,))


def replicate_model(number: int) -> dict[str, Any]:
    name = f"style-{number}"
    inputs = ("top_p",) if number % 5 == 4 else ("prompt", "replicate_weights", "lora_scale")
    schema = {"properties": {each: {"type": "string"} for each in inputs}}
    return {
        "url": f"https://replicate.com/{_maker(number)}/{name}",
        "owner": _maker(number),
        "name": name,
        "visibility": "public",
        "run_count": number % 5_003,
        "latest_version": {
            "id": _hex("replicate", number),
            "created_at": _date(number),
            "openapi_schema": {"components": {"schemas": {"Input": schema}}},
        },
    }


def _date(number: int) -> str:
    return f"{FIRST + number * STEP:%Y-%m-%dT%H:%M:%S.000Z}"


def _hex(kind: str, number: int) -> str:
    return hashlib.sha256(f"{kind} {number}".encode()).hexdigest()


def _maker(number: int) -> str:
    return f"maker{number % 400}"
