"""CivitAI's wire format, asked with plain HTTP."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from hub_ui.demo.hubs.civitai_store import CivitaiStore, Model, image_level, is_paid, load_civitai, relevance
from hub_ui.demo.hubs.folder import DataFolder, Origins
from tests.faulty_hubs import HubEndpoints


def ask(hubs: HubEndpoints, path: str, **params: Any) -> requests.Response:
    return requests.get(f"{hubs.civitai}/api/v1/{path}", params=params, allow_redirects=False, timeout=30)


def ids(hubs: HubEndpoints, **params: Any) -> list[int]:
    return [model["id"] for model in ask(hubs, "models", **params).json()["items"]]


def test_only_models_and_pictures_for_everybody_are_shown_unless_asked(hubs: HubEndpoints) -> None:
    assert sorted(ids(hubs)) == [1001, 1003, 1004]
    assert sorted(ids(hubs, nsfw="true")) == [1001, 1002, 1003, 1004]
    (safe,), (every,) = (ask(hubs, "models", ids=1001, nsfw=nsfw).json()["items"] for nsfw in ("false", "true"))
    assert [len(model["modelVersions"][0]["images"]) for model in (safe, every)] == [1, 2]


def test_types_are_repeated_and_a_comma_list_is_a_zod_error(hubs: HubEndpoints) -> None:
    assert ids(hubs, nsfw="true", types=["LoCon", "DoRA"]) == [1002]
    answer = ask(hubs, "models", types="LORA,LoCon")
    assert answer.status_code == 400
    assert answer.json()["error"]["issues"][0]["path"] == ["types"]


def test_base_models_are_repeated_and_a_comma_list_matches_nothing(hubs: HubEndpoints) -> None:
    assert ids(hubs, baseModels=["Pony", "SDXL 1.0"]) != []
    assert ids(hubs, baseModels="Pony,SDXL 1.0") == []


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"limit": 101}, 400),
        ({"sort": "Best"}, 400),
        ({"nsfw": "maybe"}, 400),
        ({"cursor": "nonsense"}, 400),
        ({"query": "red", "cursor": "a|b"}, 400),
    ],
)
def test_a_parameter_that_is_a_trap_has_its_status(hubs: HubEndpoints, params: dict[str, Any], status: int) -> None:
    assert ask(hubs, "models", **params).status_code == status


def test_cursors_lead_to_the_end(hubs: HubEndpoints) -> None:
    page = ask(hubs, "models", limit=2, sort="Most Downloaded").json()
    following = requests.get(page["metadata"]["nextPage"], timeout=30).json()
    assert [model["id"] for model in page["items"] + following["items"]] == [1004, 1003, 1001]
    assert following["metadata"] == {}


def test_a_page_of_a_search_may_be_empty_and_still_go_on(hubs: HubEndpoints) -> None:
    page = ask(hubs, "models", query="style", nsfw="true", tag="red", limit=1, sort="Newest").json()
    empty = ask(hubs, "models", query="s", nsfw="true", tag="nothing", limit=1).json()
    assert [model["id"] for model in page["items"]] == [1001]
    assert (empty["items"], empty["metadata"]["nextCursor"]) == ([], "1")


def test_a_search_finds_words_of_name_tag_and_trigger(hubs: HubEndpoints) -> None:
    assert ids(hubs, query="RED style")[0] == 1001
    assert ids(hubs, query="redstyle") != []
    assert ids(hubs, query="nowhere") == []


def test_users_tags_and_sorts_are_kept_apart(hubs: HubEndpoints) -> None:
    assert ids(hubs, username="Maker", tag="Red") != []
    assert ids(hubs, username="nobody") == []
    assert ids(hubs, sort="Most Images", nsfw="true")[0] == 1001


def test_a_list_has_no_generation_data_and_one_version_has(hubs: HubEndpoints) -> None:
    (listed,) = ask(hubs, "models", ids=1001).json()["items"]
    image = listed["modelVersions"][0]["images"][0]
    assert "meta" not in image
    assert (image["hasMeta"], image["hasPositivePrompt"]) == (True, True)
    alone = ask(hubs, "model-versions/2001").json()
    assert alone["images"][0]["meta"]["prompt"] == "redstyle, a house <lora:red:0.8>"
    assert "id" not in alone["images"][0]


def test_images_say_how_they_were_made_where_that_is_asked_for(hubs: HubEndpoints) -> None:
    plain = ask(hubs, "images", modelVersionId=2001).json()["items"]
    flat = ask(hubs, "images", modelVersionId=2001, withMeta="true").json()["items"]
    nested = ask(hubs, "images", modelId=1001, withMeta="true").json()["items"]
    assert plain[0]["meta"] is None
    assert flat[0]["meta"]["prompt"] == "redstyle, a house <lora:red:0.8>"
    assert (nested[0]["meta"]["id"], nested[0]["meta"]["meta"]["seed"]) == (nested[0]["id"], flat[0]["meta"]["seed"])


def test_trained_words_are_absent_in_one_model_and_empty_elsewhere(hubs: HubEndpoints) -> None:
    (listed,) = ask(hubs, "models", ids=1001).json()["items"]
    assert listed["modelVersions"][1]["trainedWords"] == []
    assert "trainedWords" not in ask(hubs, "models/1001").json()["modelVersions"][1]
    assert ask(hubs, "model-versions/2002").json()["trainedWords"] == []


def test_one_version_names_its_model_and_its_air(hubs: HubEndpoints) -> None:
    version = ask(hubs, "model-versions/2001").json()
    assert (version["modelId"], version["model"]["name"]) == (1001, "Red Style")
    assert version["air"] == "urn:air:sdxl:lora:civitai:1001@2001"
    assert sorted(version["files"][0]["metadata"]) == ["format", "fp", "size"]
    assert [file["primary"] for file in version["files"]] == [True, False]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("models/0", 404),
        ("models/x", 400),
        ("models/3000000000", 400),
        ("models/1004", 404),
        ("models/1005", 404),
        ("model-versions/1", 404),
        ("model-versions/mini/2020", 404),
        ("model-versions/by-hash/00", 404),
        ("me", 401),
        ("images?nsfw=maybe", 400),
    ],
)
def test_what_is_not_there_or_not_an_id_has_its_status(hubs: HubEndpoints, path: str, status: int) -> None:
    assert ask(hubs, path).status_code == status


def test_many_hashes_drop_the_misses(hubs: HubEndpoints) -> None:
    sha256 = ask(hubs, "model-versions/2001").json()["files"][0]["hashes"]["SHA256"]
    url = f"{hubs.civitai}/api/v1/model-versions/by-hash"
    (found,) = requests.post(url, json=["0" * 64, sha256], timeout=30).json()
    assert found["id"] == 2001
    assert requests.post(url, json=["0"] * 101, timeout=30).status_code == 400


def test_a_mini_version_says_what_a_download_will_need(hubs: HubEndpoints) -> None:
    minis = [ask(hubs, f"model-versions/mini/{each}").json() for each in ("2001", "2002")]
    assert [mini["requireAuth"] for mini in minis] == [mini["checkPermission"] for mini in minis] == [False, True]
    assert minis[0]["downloadUrls"] == [f"{hubs.civitai}/api/download/models/2001?fileId=3001"]


def test_creators_and_tags_are_counted_pages(hubs: HubEndpoints) -> None:
    creators = ask(hubs, "creators").json()
    assert creators["items"][0]["modelCount"] == 3
    assert creators["metadata"] == {"totalItems": 1, "currentPage": 1, "pageSize": 20, "totalPages": 1}
    assert "page=2" in ask(hubs, "tags", limit=1).json()["metadata"]["nextPage"]


LOGIN = "The creator of this asset requires you to be logged in to download it"
DISABLED = "The creator of this asset has disabled downloads on this file"


def download(hubs: HubEndpoints, path: str, token: str | None = None, **headers: str) -> requests.Response:
    sent = {"User-Agent": "loratool/1.0", **({"Authorization": f"Bearer {token}"} if token else {}), **headers}
    url = f"{hubs.civitai}/api/download/models/{path}"
    return requests.get(url, headers=sent, allow_redirects=False, timeout=30)


def test_a_download_is_sent_on_to_a_signed_address(hubs: HubEndpoints) -> None:
    answer = download(hubs, "2001")
    assert answer.status_code == 307
    assert answer.headers["location"].startswith(f"{hubs.delivery}/7/model/3001/red.safetensors?X-Amz-Expires=86400")
    assert answer.headers["cache-control"] == "no-store, max-age=0"


@pytest.mark.parametrize(
    ("path", "token", "status", "body"),
    [
        ("2001?fileId=3002", None, 401, {"error": "Unauthorized", "message": LOGIN}),
        ("2001?fileId=3002", "civ_other", 307, None),
        ("2001?fileId=3002&token=civ_other", None, 307, None),
        ("2002", None, 401, {"error": "Unauthorized", "message": LOGIN}),
        ("2002", "civ_other", 403, "Early Access"),
        ("2002", "civ_buyer", 307, None),
        ("2001", "civ_wrong", 307, None),
        ("2002", "civ_wrong", 401, {"error": "Unauthorized", "message": LOGIN}),
        ("2003", "civ_buyer", 401, {"error": "Unauthorized", "message": DISABLED}),
        ("2020", None, 410, None),
        ("2030", None, 404, {"error": "File not found"}),
        ("9999", None, 404, {"error": "File not found"}),
        ("x", None, 400, None),
        ("2001?fileId=1", None, 404, {"error": "File not found"}),
        ("2001?type=Model&format=SafeTensor", None, 307, None),
        ("2001?type=Model&format=SafeTensor&fp=bf16", None, 404, {"error": "File not found"}),
    ],
)
def test_who_asks_for_which_file_decides(
    hubs: HubEndpoints, path: str, token: str | None, status: int, body: Any
) -> None:
    answer = download(hubs, path, token)
    assert answer.status_code == status
    if body:
        assert answer.json()["error"] == body if isinstance(body, str) else answer.json() == body


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, [4020, 4001]),
        ({"nsfw": "Mature"}, [4020, 4001, 4002]),
        ({"nsfw": "X"}, [4020, 4010, 4001, 4002]),
        ({"modelVersionId": 2020}, [4020]),
    ],
)
def test_levels_and_filters_choose_the_pictures(
    hubs: HubEndpoints, params: dict[str, Any], expected: list[int]
) -> None:
    assert [image["id"] for image in ask(hubs, "images", **params).json()["items"]] == expected


def test_the_level_of_a_picture_is_a_word_there(hubs: HubEndpoints) -> None:
    images = ask(hubs, "images", nsfw="true", limit=2).json()["items"]
    assert [(image["nsfwLevel"], image["browsingLevel"], image["nsfw"]) for image in images] == [
        ("None", 1, False),
        ("X", 8, True),
    ]


ORIGINS = Origins(huggingface="http://h", civitai="http://c", replicate="http://r", delivery="http://d")


def load(path: Path, **files: Any) -> CivitaiStore:
    for name, data in files.items():
        (path / f"{name}.json").write_text(json.dumps(data))
    return load_civitai(DataFolder(path=path, origins=ORIGINS))


def test_a_ghost_is_only_listed(tmp_path: Path) -> None:
    models: dict[str, Any] = {
        f"civitai_model_{number}": {"id": number, "name": "x", "modelVersions": []} for number in (1, 2)
    }
    store = load(tmp_path, **models, deleted={"ghosts": {"civitai": [1]}})
    assert {number: model.is_open for number, model in store.models.items()} == {1: False, 2: True}


def test_a_model_is_a_sample_when_the_hub_has_its_bytes(tmp_path: Path) -> None:
    models = {
        f"civitai_model_{n}": {"id": n, "name": "x", "modelVersions": [{"id": n, "files": [{"id": n}]}]} for n in (1, 2)
    }
    store = load(tmp_path, **models, files={"civitai": {"1": {"text": "bytes"}}})
    assert [store.models[number].is_sample for number in (1, 2)] == [True, False]


def test_a_hash_that_two_versions_share_finds_the_oldest(tmp_path: Path) -> None:
    files = [{"id": 1, "hashes": {"SHA256": "ab"}}]
    versions = [{"id": n, "publishedAt": f"202{n}-01-01", "files": files} for n in (5, 4)]
    store = load(tmp_path, civitai_model_1={"id": 1, "name": "x", "modelVersions": versions})
    assert store.by_hash["AB"][1]["id"] == 4


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({"nsfwLevel": 4}, 4),
        ({"nsfw": "None"}, 1),
        ({"nsfw": "Soft"}, 2),
        ({"nsfw": "X"}, 8),
        ({"nsfw": False}, 1),
        ({"nsfw": True}, 8),
        ({}, 1),
        ({"nsfw": "None", "nsfwLevel": 2}, 2),
    ],
)
def test_a_level_is_read_from_every_shape_of_the_years(image: dict[str, Any], expected: int) -> None:
    assert image_level(image) == expected


NOW = datetime(2026, 8, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("paid", "expected"),
    [
        (None, False),
        ({"permanent": True, "endsAt": None}, True),
        ({"permanent": False, "endsAt": "2026-08-11T00:00:00.000Z"}, True),
        ({"permanent": False, "endsAt": "2026-08-09T00:00:00.000Z"}, False),
        ({"permanent": False, "endsAt": None}, False),
    ],
)
def test_a_version_is_paid_for_ever_or_until_a_date(paid: object, expected: bool) -> None:
    assert is_paid({"paidAccess": paid}, NOW) is expected


def test_a_word_in_the_name_counts_more_than_one_in_a_tag_and_all_words_count() -> None:
    named, tagged = Model(id=1, data={"name": "Red"}), Model(id=2, data={"name": "Blue", "tags": ["red"]})
    assert relevance(named, ["red"]) > relevance(tagged, ["red"]) > 0
    assert relevance(named, ["red", "blue"]) == 0
