"""CivitAI's wire format, asked with plain HTTP."""

from typing import Any

import pytest
import requests

from hub_ui.demo.hubs.civitai_store import Model, image_level, relevance
from tests.connectors.cases import read_cases
from tests.faulty_hubs import HubEndpoints

READ = read_cases(__file__)
HASH = "6A169DE010D28F8CD4C163191590D9348B0CB61B0E47BE62413B7ACF85BFA30F"


def ask(hubs: HubEndpoints, path: str, **params: Any) -> requests.Response:
    return requests.get(f"{hubs.civitai}/api/v1/{path}", params=params, allow_redirects=False, timeout=30)


def ids(hubs: HubEndpoints, **params: Any) -> list[int]:
    return [model["id"] for model in ask(hubs, "models", **params).json()["items"]]


@pytest.mark.parametrize(("params", "found"), READ["a list has the models that fit its parameters"])
def test_a_list_has_what_fits_its_parameters(hubs: HubEndpoints, params: dict[str, Any], found: list[int]) -> None:
    assert sorted(ids(hubs, **params)) == found


def test_only_pictures_for_everybody_are_shown_unless_asked(hubs: HubEndpoints) -> None:
    (safe,), (every,) = (ask(hubs, "models", ids=1001, nsfw=nsfw).json()["items"] for nsfw in ("false", "true"))
    assert [len(model["modelVersions"][0]["images"]) for model in (safe, every)] == [1, 2]
    assert ids(hubs, sort="Most Images", nsfw="true")[0] == 1001


def test_a_comma_list_of_types_is_a_zod_error(hubs: HubEndpoints) -> None:
    assert ask(hubs, "models", types="LORA,LoCon").json()["error"]["issues"][0]["path"] == ["types"]


@pytest.mark.parametrize(("params", "status"), READ["a parameter that is a trap has its status"])
def test_a_parameter_that_is_a_trap_has_its_status(hubs: HubEndpoints, params: dict[str, Any], status: int) -> None:
    assert ask(hubs, "models", **params).status_code == status


def test_cursors_lead_to_the_end(hubs: HubEndpoints) -> None:
    page = ask(hubs, "models", limit=2, sort="Most Downloaded").json()
    following = requests.get(page["metadata"]["nextPage"], timeout=30).json()
    assert [model["id"] for model in page["items"] + following["items"]] == [1004, 1003, 1001]
    assert following["metadata"] == {}
    numbered = ask(hubs, "models", limit=2, page=2, sort="Most Downloaded").json()
    assert (numbered["items"], numbered["metadata"]) == (following["items"], {"currentPage": 2, "pageSize": 2})


def test_a_page_of_a_search_may_be_empty_and_still_go_on(hubs: HubEndpoints) -> None:
    page = ask(hubs, "models", query="style", nsfw="true", tag="red", limit=1, sort="Newest").json()
    empty = ask(hubs, "models", query="s", nsfw="true", tag="nothing", limit=1).json()
    assert [model["id"] for model in page["items"]] == [1001]
    assert (empty["items"], "nextCursor" in empty["metadata"]) == ([], True)


def test_a_list_has_no_generation_data_and_one_version_has(hubs: HubEndpoints) -> None:
    (listed,) = ask(hubs, "models", ids=1001).json()["items"]
    image = listed["modelVersions"][0]["images"][0]
    assert "meta" not in image
    assert (image["hasMeta"], image["hasPositivePrompt"]) == (True, True)
    alone = ask(hubs, "model-versions/2001").json()
    assert alone["images"][0]["meta"]["prompt"] == "redstyle, a house <lora:red:0.8>"
    assert "id" not in alone["images"][0]


@pytest.mark.parametrize(("path", "status"), READ["what is not there or not an id has its status"])
def test_what_is_not_there_or_not_an_id_has_its_status(hubs: HubEndpoints, path: str, status: int) -> None:
    assert ask(hubs, path).status_code == status


@pytest.mark.parametrize(
    ("path", "token", "cached"),
    [
        ("models/1001", "", "public, s-maxage=300, stale-while-revalidate=150"),
        ("models", "", "public, s-maxage=300, stale-while-revalidate=150"),
        (f"model-versions/by-hash/{HASH}", "", "public, s-maxage=3600, stale-while-revalidate=1800"),
        ("models/1001", "any", None),
    ],
)
def test_edge_caches_answers_for_clients_without_a_key(
    hubs: HubEndpoints, path: str, token: str, cached: str | None
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = requests.get(f"{hubs.civitai}/api/v1/{path}", headers=headers, timeout=30)
    assert (answer.status_code, answer.headers.get("Cache-Control")) == (200, cached)
    known = {**headers, "If-None-Match": answer.headers["ETag"]}
    again = requests.get(f"{hubs.civitai}/api/v1/{path}", headers=known, timeout=30)
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])


def test_creators_and_tags_are_counted_pages(hubs: HubEndpoints) -> None:
    creators = ask(hubs, "creators").json()
    assert creators["items"][0]["modelCount"] == 3
    assert creators["metadata"] == {"totalItems": 1, "currentPage": 1, "pageSize": 20, "totalPages": 1}
    assert "page=2" in ask(hubs, "tags", limit=1).json()["metadata"]["nextPage"]


def download(hubs: HubEndpoints, path: str, token: str | None = None, **headers: str) -> requests.Response:
    sent = {"User-Agent": "loratool/1.0", **({"Authorization": f"Bearer {token}"} if token else {}), **headers}
    url = f"{hubs.civitai}/api/download/models/{path}"
    return requests.get(url, headers=sent, allow_redirects=False, timeout=30)


def test_a_download_is_sent_on_to_a_signed_address(hubs: HubEndpoints) -> None:
    answer = download(hubs, "2001")
    assert answer.status_code == 307
    assert answer.headers["location"].startswith(f"{hubs.delivery}/7/model/3001/red.safetensors?X-Amz-Expires=86400")
    assert answer.headers["cache-control"] == "no-store, max-age=0"


@pytest.mark.parametrize(("path", "token", "status", "body"), READ["who asks for which file decides"])
def test_who_asks_for_what_decides(hubs: HubEndpoints, path: str, token: str | None, status: int, body: Any) -> None:
    answer = download(hubs, path, token)
    assert answer.status_code == status
    if body:
        assert answer.json()["error"] == body if isinstance(body, str) else answer.json() == body


@pytest.mark.parametrize(("params", "expected"), READ["levels and filters choose the pictures"])
def test_levels_and_filters_choose_pictures(hubs: HubEndpoints, params: dict[str, Any], expected: list[int]) -> None:
    assert [image["id"] for image in ask(hubs, "images", **params).json()["items"]] == expected


@pytest.mark.parametrize(("image", "expected"), READ["a level is read from every shape of the years"])
def test_a_level_is_read_from_every_shape_of_the_years(image: dict[str, Any], expected: int) -> None:
    assert image_level(image) == expected


def test_a_word_in_the_name_counts_more_than_one_in_a_tag_and_all_words_count() -> None:
    named, tagged = Model(id=1, data={"name": "Red"}), Model(id=2, data={"name": "Blue", "tags": ["red"]})
    assert relevance(named, ["red"]) > relevance(tagged, ["red"]) > 0
    assert relevance(named, ["red", "blue"]) == 0
