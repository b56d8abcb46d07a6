from typing import Any

import pytest

from connectors.connector import HubDownload, pin
from connectors.errors import BadAnswer, HubUiError
from connectors.huggingface.client import HuggingFace
from connectors.query import Query, Range
from connectors.ref import Ref
from tests.connectors.building import COMMIT, huggingface_item
from tests.connectors.cases import read_cases
from tests.connectors.serving import Answer, Asked, Hub, said

READ = read_cases(__file__)

MODELS, REPO = "/api/models", "sundayprint/risograph-weekend"
MODEL = f"/api/models/{REPO}"
REF = Ref.parse(f"huggingface:{REPO}")
PIN = REF.at(COMMIT, "risograph.safetensors")
RESOLVED = f"/{REPO}/resolve/{COMMIT}/risograph.safetensors"
SHA = "ab" * 32


def _listing(server: Hub, *items: Any, link: str | None = None, token: str | None = None) -> HuggingFace:
    answer = said(list(items), Link=f'<{link}>; rel="next"') if link else said(list(items))
    server.answers[MODELS] = answer
    return HuggingFace(server.endpoint("huggingface", token))


def _holding(server: Hub, token: str | None = None, **fields: Any) -> HuggingFace:
    server.answers[MODEL] = server.answers[f"{MODEL}/revision/{COMMIT}"] = said(huggingface_item(**fields))
    return HuggingFace(server.endpoint("huggingface", token))


def test_a_query_becomes_parameters(server: Hub) -> None:
    _listing(server).search(Query(text="ink", sort="newest", limit=500))
    asked = server.asked[0].params
    given = {name: asked[name] for name in ("filter", "search", "sort", "limit")}
    assert given == {"filter": ["lora"], "search": ["ink"], "sort": ["lastModified"], "limit": ["100"]}
    assert " ".join(asked["expand"]) == (
        "author cardData downloads gated lastModified library_name likes pipeline_tag private sha siblings tags"
    )


@pytest.mark.parametrize(
    ("query", "author", "tags", "text"),
    [
        (Query(phrases=("ink wash",), creators=("ada",), tags=("anime",)), ["ada"], ["lora", "anime"], "ink wash"),
        # Several creators and what is excluded are not sent.
        (Query(text="ink", creators=("ada", "bob"), excluded=(("tag", "anime"),)), None, ["lora"], "ink"),
    ],
)
def test_a_creator_and_a_tag_become_parameters(
    server: Hub, query: Query, author: list[str] | None, tags: list[str], text: str
) -> None:
    _listing(server).search(query)
    asked = server.asked[0].params
    assert (asked.get("author"), asked["filter"], asked["search"]) == (author, tags, [text])


@pytest.mark.parametrize(("token", "header"), [("hf_k", "Bearer hf_k"), (None, None)])
def test_only_our_own_key_is_sent(
    server: Hub, monkeypatch: pytest.MonkeyPatch, token: str | None, header: str | None
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_this_machine")
    _listing(server, token=token).search(Query())
    assert server.asked[0].headers.get("Authorization") == header


@pytest.mark.parametrize(("most", "cursor"), [(86_400, "1"), (10**10, "0?cursor=x")])
def test_a_list_ends_where_everything_is_too_old(server: Hub, most: int, cursor: str) -> None:
    connector = _listing(server, huggingface_item(), huggingface_item(), link=f"{server.url}/api/models?cursor=x")
    assert connector.search(Query(sort="newest", age=Range(most=most), limit=2)).cursor == cursor


def test_a_page_is_asked_for_by_the_links_query_on_our_own_host(server: Hub, elsewhere: Hub) -> None:
    connector = _listing(server, link=f"{elsewhere.url}/api/models?filter=lora&cursor=abc%3D")
    cursor = connector.search(Query()).cursor
    assert cursor == "0?filter=lora&cursor=abc%3D"
    # It outlives the process.
    HuggingFace(server.endpoint("huggingface")).search(Query(), cursor)
    assert server.asked[1].params == {"filter": ["lora"], "cursor": ["abc="]}
    assert elsewhere.asked == []


def adapter(number: int) -> dict[str, Any]:
    return huggingface_item(id=f"sundayprint/chat-{number}", pipeline_tag="text-generation", tags=["lora", "peft"])


def pages(server: Hub, *found: list[dict[str, Any]]) -> HuggingFace:
    """A list in as many pages, each of which says where the next one is."""

    def answer(asked: Asked) -> Answer:
        at = int(asked.params.get("cursor", ["0"])[0])
        if "lora" not in asked.params.get("filter", ["lora"]) or at >= len(found):
            return said([])
        if at + 1 == len(found):
            return said(found[at])
        return said(found[at], Link=f'<{server.url}/api/models?filter=lora&cursor={at + 1}>; rel="next"')

    server.answers[MODELS] = answer
    return HuggingFace(server.endpoint("huggingface"))


def test_pages_of_language_models_are_gone_past_until_the_limit_is_filled(server: Hub) -> None:
    loras = [huggingface_item(id=f"sundayprint/ink-{n}") for n in range(4)]
    page = pages(server, [adapter(1), loras[0]], [adapter(2), adapter(3)], loras[1:3], [loras[3]]).search(
        Query(limit=3)
    )
    assert [lora.ref.id for lora in page.loras] == [f"sundayprint/ink-{n}" for n in range(3)]
    assert page.cursor == "0?filter=lora&cursor=3"


def test_a_page_without_language_models_is_not_filled_up(server: Hub) -> None:
    connector = pages(server, [huggingface_item()], [huggingface_item(id="sundayprint/ink")])
    assert len(connector.search(Query(limit=3)).loras) == 1


def test_a_hub_of_language_models_alone_is_not_read_to_its_end(server: Hub) -> None:
    page = pages(server, *([adapter(number)] for number in range(50))).search(Query(limit=3))
    assert (page.loras, page.cursor) == ((), "0?filter=lora&cursor=6")
    assert len(server.asked) == 6


def test_several_bases_are_listed_one_after_the_other(server: Hub) -> None:
    connector = _listing(server)
    query = Query(bases=("flux.1-fill", "flux.1-canny"))
    page = connector.search(query)
    assert page.cursor == "1"
    assert connector.search(query, page.cursor).cursor is None
    assert [asked.params["filter"][1] for asked in server.asked] == [
        "base_model:black-forest-labs/FLUX.1-Fill-dev",
        "base_model:black-forest-labs/FLUX.1-Canny-dev",
    ]


def test_repos_named_lora_but_not_tagged_come_after_the_tagged_ones(server: Hub) -> None:
    named = huggingface_item(id="ada/old-loras", tags=["stable-diffusion"])
    chat = huggingface_item(id="ada/chat-lora", tags=["text-generation"])
    server.answers[MODELS] = said([named, chat])
    page = HuggingFace(server.endpoint("huggingface", None)).search(Query())
    assert [lora.ref.id for lora in page.loras] == ["ada/old-loras", "ada/chat-lora", "ada/old-loras"]
    assert [asked.params.get("search") for asked in server.asked] == [None, ["lora"]]
    assert page.cursor is None


def test_a_base_without_a_repo_needs_no_request(server: Hub) -> None:
    assert _listing(server).search(Query(bases=("sd-1.5-hyper",))).loras == ()
    assert server.asked == []


@pytest.mark.parametrize("cursor", ["x", "-1", "٣", "http://127.0.0.1:1/"])
def test_a_forged_cursor_is_refused(server: Hub, cursor: str) -> None:
    with pytest.raises(BadAnswer, match="Search anew"):
        _listing(server).search(Query(), cursor)
    assert server.asked == []


def test_a_broken_repo_does_not_cost_the_page(server: Hub) -> None:
    nameless = [None, 7, {}, {"id": 3}, {"id": "a b"}]
    broken = [*nameless, {"id": "x/y", "siblings": [{}]}, {"id": "x/z", "lastModified": "no"}]
    page = _listing(server, *broken, huggingface_item()).search(Query())
    assert [lora.ref for lora in page.loras] == [REF]


@pytest.mark.parametrize(
    "wrong", [{"siblings": [{"rfilename": None}]}, {"cardData": "text"}, {"tags": [{"a": 1}, [2]]}]
)
def test_a_wrong_type_in_a_listed_repo_is_an_absent_value(server: Hub, wrong: dict[str, object]) -> None:
    [lora] = _listing(server, huggingface_item(**wrong)).search(Query()).loras
    assert lora.ref == REF


@pytest.mark.parametrize("answer", [[], {"id": None}, {"no": "id"}, {"id": REPO, "siblings": 7}])
def test_an_answer_about_a_repo_of_another_shape_is_a_bad_one(server: Hub, answer: object) -> None:
    server.answers[MODEL] = said(answer)
    with pytest.raises(BadAnswer):
        HuggingFace(server.endpoint("huggingface")).get(REF)


def test_get_reads_the_card_at_the_same_commit(server: Hub) -> None:
    server.answers[f"/{REPO}/resolve/{COMMIT}/README.md"] = Answer(body=b"---\na: b\n---\nUse it at night.\n")
    lora = _holding(server).get(REF)
    assert lora.description == "Use it at night."
    assert server.asked[0].params == {"blobs": ["true"]}


def test_a_branch_is_resolved_and_never_kept(server: Hub) -> None:
    connector = _holding(server)
    server.answers[f"{MODEL}/revision/refs%2Fpr%2F1"] = said(huggingface_item())
    assert pin(connector, REF.at("refs/pr/1")) == PIN


def test_a_download_knows_size_and_hash_before_a_byte_is_fetched(server: Hub, elsewhere: Hub) -> None:
    headers = {"X-Repo-Commit": COMMIT, "X-Linked-Size": "77", "X-Linked-Etag": f'"{SHA}"'}
    server.answers[RESOLVED] = Answer(status=302, headers={**headers, "Location": f"{elsewhere.url}/x"})
    download = _holding(server, token="k").download(PIN)
    assert isinstance(download, HubDownload)
    assert (download.ref, download.name) == (PIN, "risograph.safetensors")
    assert (download.endpoint, download.token) == (server.url, "k")
    assert (download.size, download.sha256) == (77, SHA)
    assert elsewhere.asked == []
    assert "'k'" not in repr(download)


def test_a_small_files_etag_is_no_sha256(server: Hub) -> None:
    headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{COMMIT}"', "Content-Length": "0"}
    server.answers[RESOLVED] = Answer(headers=headers)
    assert _holding(server).download(PIN).sha256 is None


@pytest.mark.parametrize(("status", "headers", "error"), READ["a refusal is one of ours"])
def test_a_refusal_is_one_of_ours(server: Hub, status: int, headers: dict[str, str], error: str) -> None:
    server.answers[MODEL] = server.answers[RESOLVED] = Answer(status=status, headers=headers)
    connector = HuggingFace(server.endpoint("huggingface"))
    for call in (lambda: connector.get(REF), lambda: connector.download(PIN)):
        with pytest.raises(HubUiError) as caught:
            call()
        assert (caught.value.name, caught.value.hub) == (error, "huggingface")


def _with_commits(server: Hub, *items: object) -> HuggingFace:
    server.answers[f"{MODEL}/commits/main"] = said(list(items))
    return HuggingFace(server.endpoint("huggingface", None))


def test_the_history_has_titles_and_dates(server: Hub) -> None:
    commit = {"id": COMMIT, "title": "Train longer", "date": "2025-11-03T10:00:00.000Z", "authors": []}
    [version] = _with_commits(server, commit).history(PIN)
    assert (version.ref, version.description, version.updated_at) == (
        REF.at(COMMIT),
        "Train longer",
        "2025-11-03T10:00:00.000Z",
    )
    assert (version.files, server.asked[0].params["limit"]) == ((), ["20"])


def test_what_is_no_commit_is_left_out_of_the_history(server: Hub) -> None:
    wrong: list[object] = [{"id": "main"}, {"title": "no id"}, {"id": 7}, "text", {"id": COMMIT, "title": []}]
    [version] = _with_commits(server, *wrong).history(REF)
    assert (version.ref, version.description, version.updated_at) == (REF.at(COMMIT), "", None)
