"""Damaged answers of the three hubs, and what the connectors make of them.

The connectors are the real ones, down to the HTTP libraries; only what those would have sent is answered from memory.
"""

import io
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import httpx2
import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse

import connectors
from connectors.claims.resolve import flatten
from connectors.connector import Connector, HasImages, pin
from connectors.query import LONGEST_TEXT, Query
from connectors.record import Lora, Version
from connectors.ref import HubName, Ref, is_id
from connectors.registry import HUBS
from hub_ui.images.example_settings import usage
from tests.connectors import building
from tests.corpus import RESPONSES
from tests.tools.fuzz.mutations import TEXTS, corrupted, damaged, written

_WEB = "https://hub.invalid"
_REPO, _OWNED = "huggingface:sundayprint/risograph-weekend", "replicate:pearlgrey/fog-harbour"
_CARD = Path(__file__).with_name("card.txt").read_text(encoding="utf-8")
Ask = Callable[[Mapping[HubName, Connector], Any], Iterable[Lora]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A sort of answer: where it is given, how it is asked for, and the recordings that show it."""

    path: str
    ask: Ask
    made: Any
    recorded: tuple[str, ...] = ()
    # A recording of one model stands in a list of its own.
    listed_as: str | None = None


def _searched(hub: HubName, text: str = "") -> Ask:
    query = Query(text=" ".join(text.split())[:LONGEST_TEXT], nsfw="explicit", limit=100)
    return lambda hubs, answer: hubs[hub].search(query).loras


def _opened(text: str, number: str = "") -> Ask:
    """All that is asked of one LoRA. `number` is where an answer has its own, which is then the one asked for."""

    def ask(hubs: Mapping[HubName, Connector], answer: Any) -> Iterator[Lora]:
        ref = Ref.parse(text)
        found = str(answer.get(number)) if isinstance(answer, dict) else ""
        ref = replace(ref, id=found) if number and is_id("civitai", found) else ref
        yield hubs[ref.hub].get(ref)
        hubs[ref.hub].download(pin(hubs[ref.hub], ref))

    return ask


def _civitai_images(hubs: Mapping[HubName, Connector], answer: Any) -> Sequence[Lora]:
    hub, ref = hubs["civitai"], Ref.parse("civitai:4128@41280")
    assert isinstance(hub, HasImages)
    for used in usage(Version(ref=ref, name="v1"), hub.images(ref)):
        used.claim("CivitAI")
    return []


_META = {"prompt": "a pier", "seed": 1, "meta": {"prompt": "a pier", "cfgScale": 7}, "resources": [{"name": "ink"}]}
_CIVITAI_MODEL = building.civitai_model(
    modelVersions=[
        building.civitai_version(
            images=[building.civitai_image(meta=_META)], paidAccess={"endsAt": None}, description="<p>Weight 0.8</p>"
        )
    ]
)
_HUGGINGFACE = building.huggingface_item(
    siblings=[
        {"rfilename": "README.md", "size": 1},
        {"rfilename": "ink.safetensors", "size": 9, "lfs": {"size": 9, "sha256": "ab" * 32, "pointerSize": 1}},
    ]
)
_REPLICATE = building.replicate_model(weights_url="https://huggingface.co/a/b", cover_image_url="https://a.b/c.png")
# By name; the first whose path fits gives the answer.
KINDS: Mapping[str, Kind] = {
    "civitai-models": Kind(
        path=r"/api/v1/models",
        ask=_searched("civitai"),
        made={"items": [_CIVITAI_MODEL, building.civitai_model()], "metadata": {"nextCursor": "2|3", "totalItems": 2}},
        recorded=("civitai_model_*.json",),
        listed_as="items",
    ),
    "civitai-model": Kind(
        path=r"/api/v1/models/.*",
        ask=_opened("civitai:4128", "id"),
        made=_CIVITAI_MODEL,
        recorded=("civitai_model_*.json",),
    ),
    "civitai-images": Kind(
        path=r"/api/v1/images",
        ask=_civitai_images,
        made={
            "items": [building.civitai_image(id=at, baseModel="Pony", meta=_META) for at in range(6)],
            "metadata": {},
        },
    ),
    "civitai-version": Kind(
        path=r"/api/v1/model-versions/.*",
        ask=_opened("civitai:4128@41280", "modelId"),
        made=building.civitai_alone(),
        recorded=("civitai_version_*.json", "civitai_info_sidecar_*.json"),
    ),
    "huggingface-models": Kind(
        path=r"/api/models",
        ask=_searched("huggingface"),
        made=[_HUGGINGFACE],
        recorded=("hf_model_*.json",),
        listed_as="",
    ),
    "huggingface-model": Kind(
        path=r"/api/models/.*", ask=_opened(_REPO), made=_HUGGINGFACE, recorded=("hf_model_*.json",)
    ),
    "huggingface-card": Kind(path=r".*/README\.md", ask=_opened(_REPO), made=_CARD, recorded=("hf_readme_*.md",)),
    "replicate-models": Kind(
        path=r"/v1/models",
        ask=_searched("replicate"),
        made={"results": [_REPLICATE], "next": f"{_WEB}/v1/models?cursor=2", "previous": None},
        recorded=("replicate_models_*.json",),
    ),
    "replicate-search": Kind(
        path=r"/v1/search", ask=_searched("replicate", "fog"), made={"models": [{"model": _REPLICATE, "metadata": {}}]}
    ),
    "replicate-version": Kind(
        path=r"/v1/models/.*/versions/.*",
        ask=_opened(f"{_OWNED}@{'dd66' * 16}"),
        made=building.replicate_version(),
        recorded=("replicate_version_*.json",),
    ),
    "replicate-model": Kind(
        path=r"/v1/models/.*", ask=_opened(_OWNED), made=_REPLICATE, recorded=("replicate_model_*.json",)
    ),
}
_STATUSES = (*(200,) * 24, 201, 400, 401, 403, 404, 410, 429, 451)
_HEADERS: tuple[Mapping[str, str], ...] = (
    *({},) * 12,
    {"Retry-After": "\u00b2"},
    {"Retry-After": "9" * 5_000},
    {"Retry-After": "Mon, 01 Jan 0001 00:00:00 -0000"},
    {"RateLimit": '"api";r=0;t=\u00b2', "ratelimit-reset": "9" * 500},
    {"X-Error-Code": "GatedRepo"},
    {"Content-Type": "text/html; charset=utf-16"},
    {"Content-Type": "application/json; charset=nonsense"},
    {"Content-Type": ""},
    {"Content-Encoding": "gzip"},
    {"Link": '<https://hub.invalid/api/models?cursor=2>; rel="next"'},
    {"Link": '<https://[hub/>; rel="next"'},
    {"Link": "<>;;,<"},
    {"Location": "https://[hub/"},
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One answer in place of what its kind should be. `asked` is what it was before it was written."""

    kind: str
    data: bytes
    headers: Mapping[str, str]
    asked: Any
    status: int = 200

    @property
    def name(self) -> str:
        return f"{self.kind}.json"


def seeds() -> dict[str, list[Any]]:
    return {name: [kind.made, *_recorded(kind)] for name, kind in KINDS.items()}


def _recorded(kind: Kind) -> Iterator[Any]:
    for path in sorted(found for pattern in kind.recorded for found in RESPONSES.glob(pattern)):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".md":
            yield text
        elif kind.listed_as is None:
            yield json.loads(text)
        else:
            yield {kind.listed_as: [json.loads(text)]} if kind.listed_as else [json.loads(text)]


def damaged_answer(draw: Random, healthy: Mapping[str, Sequence[Any]]) -> Answer:
    kind = draw.choice(tuple(healthy))
    document, other = draw.choice(healthy[kind]), draw.choice(healthy[draw.choice(tuple(healthy))])
    if isinstance(document, str):
        body = _damaged_card(draw, document)
    else:
        document = damaged(draw, document, other)
        body = written(draw, document)
    if draw.random() < 0.15:
        body = corrupted(draw, body)
    return Answer(kind=kind, data=body, headers=draw.choice(_HEADERS), asked=document, status=draw.choice(_STATUSES))


# What fills an answer, and how often: as often as is let through, or as fits.
_FILLERS: tuple[tuple[bytes, int], ...] = (
    (b"[],", 499_000),
    (b"{},", 199_000),
    (b"1.5,", 1_499_000),
    (b'"a",', 990_000),
    (b'"' + b"a" * 1_000 + b'",', 15_000),
    (b"[],", 5_000_000),
    (b"{},", 5_000_000),
    (b"1000,", 3_000_000),
    (b"[", 15_000_000),
)
# huggingface_hub reads what it is told about one repo by itself, with no limit of ours.
_FILLED = ("civitai-models", "civitai-model", "huggingface-models", "replicate-models", "replicate-search")


def bombs() -> Iterator[Answer]:
    """Answers made to fill memory, again and again."""
    for kind, (filler, count) in itertools.cycle(itertools.product(_FILLED, _FILLERS)):
        items = b"[" + (filler * count).removesuffix(b",") + b"]"
        body = items if kind == "huggingface-models" else b'{"items":' + items + b"}"
        yield Answer(kind=kind, data=body, headers={}, asked=None)


BOMBS = len(_FILLED) * len(_FILLERS)


def _damaged_card(draw: Random, text: str) -> bytes:
    """Lines taken out, doubled, moved and replaced."""
    lines = text.split("\n")
    for _ in range(draw.choice((1, 2, 5))):
        at = draw.randrange(len(lines))
        lines[at : at + draw.choice((0, 1, 1, 3))] = draw.choice(
            (
                [],
                [lines[at]] * 2,
                [draw.choice(TEXTS)],
                [lines[at] + draw.choice(TEXTS)],
                [draw.choice(lines)],
                lines[at:][:5],
            )
        )
        lines = lines or [""]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


class Wire:
    """What would be the network: one damaged answer among healthy ones."""

    def __init__(self) -> None:
        self.answer = Answer(kind="", data=b"", headers={}, asked=None)
        self._healthy = {
            name: kind.made.encode() if isinstance(kind.made, str) else json.dumps(kind.made).encode()
            for name, kind in KINDS.items()
        }

    def reply(self, path: str) -> tuple[int, dict[str, str], bytes]:
        name = next((name for name, kind in KINDS.items() if re.fullmatch(kind.path, path)), None)
        if name is None:
            return 302, {"Location": "https://files.invalid/ink.safetensors"}, b""
        if name == self.answer.kind:
            return self.answer.status, {"Content-Type": "application/json", **self.answer.headers}, self.answer.data
        return 200, {"Content-Type": "application/json"}, self._healthy[name]


class _Answering(BaseAdapter):
    """The wire, for requests."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        status, headers, body = self._wire.reply(request.path_url.partition("?")[0])
        raw = HTTPResponse(io.BytesIO(body), headers=headers, status=status, preload_content=False)
        return HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        pass


@contextmanager
def wired() -> Iterator[tuple[Wire, Mapping[HubName, Connector]]]:
    """The connectors on a wire of one's own."""
    wire, names = Wire(), tuple(HUBS)
    built = connectors.build(dict.fromkeys(names, _WEB), dict.fromkeys(names, "any"))

    adapter = _Answering(wire)

    def reply(transport: httpx2.HTTPTransport, request: httpx2.Request) -> httpx2.Response:
        status, headers, body = wire.reply(request.url.path)
        return httpx2.Response(status, headers=headers, stream=httpx2.ByteStream(body))

    with (
        patch.object(requests.Session, "get_adapter", lambda session, url: adapter),
        patch.object(httpx2.HTTPTransport, "handle_request", reply),
    ):
        yield wire, {connector.name: connector for connector in built}


def outcome(wire: Wire, hubs: Mapping[HubName, Connector], answer: Answer) -> None:
    """Asks for it. Whatever but a HubUiError leaves here is a fault."""
    wire.answer = answer
    for lora in KINDS[answer.kind].ask(hubs, answer.asked):
        for version in (None, *lora.versions):
            for file in (None, *(version.files if version else ())):
                json.dumps(flatten(lora, version, file).to_json(), allow_nan=False).encode()
