from dataclasses import replace
from typing import Any

import pytest

from connectors.civitai.client import CivitAI
from connectors.connector import HttpDownload, pin
from connectors.errors import DownloadsDisabled, HubUiError, KeyRequired, NotFound, Paid, Withheld
from connectors.query import Query, Range
from connectors.query_language import parse
from connectors.record import Claim
from connectors.ref import Ref
from tests.connectors.building import SHA, civitai_alone, civitai_file, civitai_image, civitai_model, civitai_version
from tests.connectors.cases import read_cases
from tests.connectors.serving import Answer, Hub, said

READ = read_cases(__file__)

MODELS, MODEL, VERSION = "/api/v1/models", "/api/v1/models/4128", "/api/v1/model-versions/41280"
DOWNLOAD = "/api/download/models/41280"
PIN = Ref.parse("civitai:4128@41280#9001")


def _listing(server: Hub, *models: Any, **metadata: object) -> CivitAI:
    server.answers[MODELS] = said({"items": list(models), "metadata": metadata})
    return CivitAI(server.endpoint("civitai"))


def _holding(server: Hub, model: Any = None, alone: Any = None, token: str | None = None) -> CivitAI:
    server.answers[MODEL] = said(model or civitai_model())
    server.answers[VERSION] = said(alone or civitai_alone())
    return CivitAI(server.endpoint("civitai", token))


def test_the_three_types_are_asked_for_as_repeated_parameters(server: Hub) -> None:
    _listing(server).search(Query(bases=("flux1",), limit=500))
    asked = server.asked[0].params
    assert asked["types"] == ["LORA", "LoCon", "DoRA"]
    assert asked["baseModels"] == ["Flux.1 D", "Flux.1 S", "Flux.1 Kontext", "Flux.1 Krea"]
    assert asked["limit"] == ["100"]


@pytest.mark.parametrize(("query", "expected"), READ["a query becomes parameters"])
def test_a_query_becomes_parameters(server: Hub, query: str, expected: dict[str, list[str]]) -> None:
    _listing(server).search(parse(query))
    asked = server.asked[0].params
    assert {name: asked[name] for name in asked if name not in ("types", "limit")} == expected


def test_a_cursor_goes_back_as_it_came_with_the_same_query(server: Hub) -> None:
    _listing(server).search(Query(text="ink"), "75363|932|257")
    assert server.asked[0].params["cursor"] == ["75363|932|257"]
    assert server.asked[0].params["query"] == ["ink"]


def test_a_cursor_that_leads_to_itself_ends_the_list(server: Hub) -> None:
    assert _listing(server, nextCursor="7").search(Query(), "7").cursor is None


@pytest.mark.parametrize(("most", "cursor"), [(86_400, None), (10**10, "7")])
def test_the_list_ends_where_everything_is_too_old(server: Hub, most: int, cursor: str | None) -> None:
    connector = _listing(server, civitai_model(), nextCursor="7")
    assert connector.search(Query(sort="newest", age=Range(most=most))).cursor == cursor


def test_filters_that_the_hub_forgot_are_applied_here(server: Hub) -> None:
    other = civitai_model(id=2, modelVersions=[civitai_version(baseModel="Pony")])
    page = _listing(server, civitai_model(), other).search(Query(bases=("pony",)))
    assert [lora.ref.id for lora in page.loras] == ["2"]


def test_a_version_on_the_asked_base_comes_first(server: Hub) -> None:
    versions = [civitai_version(id=1), civitai_version(id=2, baseModel="Pony")]
    page = _listing(server, civitai_model(modelVersions=versions)).search(Query(bases=("sdxl",)))
    assert [version.ref.version for version in page.loras[0].versions] == ["2", "1"]


def test_a_broken_model_does_not_cost_the_page(server: Hub) -> None:
    page = _listing(server, None, 7, {"id": "x"}, civitai_model(modelVersions=7), civitai_model(id=9)).search(Query())
    assert [lora.ref.id for lora in page.loras] == ["4128", "9"]


def test_a_base_that_is_not_on_civitai_needs_no_request(server: Hub) -> None:
    assert _listing(server).search(Query(bases=("flux.1-fill",))).loras == ()
    assert server.asked == []


def test_get_merges_the_model_with_its_default_versions_own_answer(server: Hub) -> None:
    alone = civitai_alone(images=[civitai_image(meta={"prompt": "a pier"})])
    lora = _holding(server, alone=alone).get(Ref.parse("civitai:4128"))
    assert lora.title == "Saltmarsh Gouache"
    assert lora.versions[0].examples[0].prompt == "a pier"


def test_a_version_alone_finds_its_model(server: Hub) -> None:
    lora = _holding(server).get(Ref.parse("civitai:@41280"))
    assert (lora.ref.id, len(lora.versions), lora.creator) == ("4128", 1, "saltmarsh")


def test_a_version_outlives_its_model(server: Hub) -> None:
    server.answers[VERSION] = said(civitai_alone())
    lora = CivitAI(server.endpoint("civitai")).get(Ref.parse("civitai:4128@41280"))
    assert lora.versions[0].ref == Ref.parse("civitai:4128@41280")


def test_another_models_version_is_not_found(server: Hub) -> None:
    with pytest.raises(NotFound):
        _holding(server, alone=civitai_alone(modelId=7)).get(PIN)


@pytest.mark.parametrize("number", ["4294967296", "999999999999"])
def test_a_number_over_four_bytes_is_not_found_without_asking(server: Hub, number: str) -> None:
    with pytest.raises(NotFound):
        CivitAI(server.endpoint("civitai")).get(Ref.parse(f"civitai:{number}"))
    assert server.asked == []


@pytest.mark.parametrize("value", [SHA, "ABABABABAB", "c0ffeec0ffee"])
def test_a_file_is_found_by_any_hash_of_it(server: Hub, value: str) -> None:
    hashes = {"SHA256": SHA, "AutoV2": SHA[:10], "AutoV3": "C0FFEEC0FFEE"}
    files = [civitai_file(id=1, hashes={}), civitai_file(id=2, hashes=hashes)]
    server.answers[f"/api/v1/model-versions/by-hash/{value}"] = said(civitai_alone(files=files))
    lora, ref = CivitAI(server.endpoint("civitai")).by_hash(value)
    assert (lora.title, str(ref)) == ("Saltmarsh Gouache", "civitai:4128@41280#2")


def test_a_hash_of_a_checkpoint_is_not_a_loras(server: Hub) -> None:
    alone = civitai_alone(model={"name": "Base", "type": "Checkpoint"})
    server.answers[f"/api/v1/model-versions/by-hash/{SHA}"] = said(alone)
    with pytest.raises(NotFound, match="but not as a LoRA's"):
        CivitAI(server.endpoint("civitai")).by_hash(SHA)


@pytest.mark.parametrize("text", ["civitai:4128", "civitai:@41280", "civitai:4128@41280"])
def test_pinning_names_version_and_file(server: Hub, text: str) -> None:
    assert pin(_holding(server), Ref.parse(text)) == PIN


def test_pinning_a_file_that_is_not_there_is_not_found(server: Hub) -> None:
    with pytest.raises(NotFound):
        pin(_holding(server), Ref.parse("civitai:4128#7"))


def test_a_download_is_asked_for_by_file_and_its_target_taken(server: Hub, elsewhere: Hub) -> None:
    signed = f"{elsewhere.url}/file?X-Amz-Signature=1"
    server.answers[DOWNLOAD] = Answer(status=307, headers={"Location": signed})
    download = _holding(server, token="k").download(PIN)
    assert isinstance(download, HttpDownload)
    assert (download.url, dict(download.headers)) == (signed, {})
    assert download.source == f"{server.url}{DOWNLOAD}?fileId=9001"
    assert (download.name, download.size, download.sha256) == ("saltmarsh.safetensors", 18944, SHA.lower())
    assert server.asked[-1].params == {"fileId": ["9001"]}
    assert elsewhere.asked == []


def test_a_hub_that_has_the_bytes_itself_gets_its_key(server: Hub) -> None:
    server.answers[DOWNLOAD] = Answer(body=b"weights")
    download = _holding(server, token="k").download(PIN)
    assert isinstance(download, HttpDownload)
    assert download.url == f"{server.url}{DOWNLOAD}?fileId=9001"
    assert dict(download.headers) == {"Authorization": "Bearer k"}
    assert "Bearer" not in repr(download)


def test_a_deadline_is_told_as_the_time_left(server: Hub) -> None:
    server.answers[DOWNLOAD] = said({"error": "Early Access", "deadline": "2099-01-01T00:00:00Z"}, 403)
    with pytest.raises(Paid, match=r"Early access for .* more days, until 2099-01-01 00:00 UTC"):
        _holding(server).download(PIN)


@pytest.mark.parametrize(
    ("place", "error"),
    [("/login?returnUrl=x&reason=download-auth", KeyRequired), ("/models/4128?modelVersionId=41280", Paid)],
)
def test_a_page_in_place_of_an_error_is_one(server: Hub, place: str, error: type[HubUiError]) -> None:
    server.answers[DOWNLOAD] = Answer(status=307, headers={"Location": place})
    with pytest.raises(error):
        _holding(server).download(PIN)


@pytest.mark.parametrize(
    ("alone", "error"),
    [
        ({"usageControl": "Generation"}, DownloadsDisabled),
        ({"paidAccess": {"permanent": True, "endsAt": None}}, Paid),
        ({"paidAccess": {"permanent": False, "endsAt": "2099-01-01T00:00:00Z"}}, Paid),
        ({"files": []}, NotFound),
    ],
)
def test_what_is_known_to_be_refused_is_not_asked(server: Hub, alone: dict[str, Any], error: type[HubUiError]) -> None:
    with pytest.raises(error):
        _holding(server, alone=civitai_alone(**alone)).download(PIN)
    assert DOWNLOAD not in [asked.path for asked in server.asked]


def test_a_buyers_key_is_tried(server: Hub, elsewhere: Hub) -> None:
    server.answers[DOWNLOAD] = Answer(status=307, headers={"Location": f"{elsewhere.url}/f"})
    alone = civitai_alone(paidAccess={"permanent": True, "endsAt": None})
    assert _holding(server, alone=alone, token="k").download(PIN).name == "saltmarsh.safetensors"


MINOR = {"nsfwLevel": 8, "minor": True}


def test_a_withheld_model_is_left_out_of_the_list_and_named_beside_it(server: Hub) -> None:
    page = _listing(server, civitai_model(), civitai_model(id=7, **MINOR)).search(Query(nsfw="explicit"))
    assert [lora.ref.id for lora in page.loras] == ["4128"]
    assert page.withheld == (Ref.parse("civitai:7"),)


@pytest.mark.parametrize("text", ["civitai:4128", "civitai:4128@41280", "civitai:@41280"])
def test_a_withheld_model_is_neither_opened_nor_downloaded(server: Hub, text: str) -> None:
    connector = _holding(server, civitai_model(**MINOR))
    with pytest.raises(Withheld, match="showing a minor"):
        connector.get(Ref.parse(text))
    with pytest.raises(Withheld):
        connector.download(Ref.parse(text))


def test_a_withheld_model_is_not_found_by_a_hash_though_its_version_has_no_mark(server: Hub) -> None:
    connector = _holding(server, civitai_model(**MINOR))
    server.answers[f"/api/v1/model-versions/by-hash/{SHA}"] = said(civitai_alone())
    with pytest.raises(Withheld):
        connector.by_hash(SHA)


@pytest.mark.parametrize("value", [True, "true", 1])
def test_the_mark_in_a_versions_own_answer_withholds_it(server: Hub, value: object) -> None:
    about = {"name": "Saltmarsh Gouache", "type": "LORA", "minor": value}
    alone = civitai_alone(nsfwLevel=8, model=about)
    connector = _holding(server, alone=alone)
    server.answers[MODEL] = Answer(status=404)
    server.answers[f"/api/v1/model-versions/by-hash/{SHA}"] = said(alone)
    for call in (lambda: connector.get(PIN), lambda: connector.by_hash(SHA), lambda: connector.download(PIN)):
        with pytest.raises(Withheld):
            call()


def test_a_record_that_was_kept_is_not_downloaded_either(server: Hub) -> None:
    lora = _holding(server).get(PIN)
    mark = Claim(field="minor", value=True, source="hub", where="minor")
    with pytest.raises(Withheld):
        _holding(server).download(PIN, replace(lora, nsfw="mature", claims=(mark,)))


def test_images_of_a_version_are_asked_for_with_how_they_were_made(server: Hub) -> None:
    item = civitai_image(baseModel="Pony", meta={"prompt": "a pier", "steps": 30})
    server.answers["/api/v1/images"] = said({"items": [item, None, {"url": 3}], "metadata": {}})
    (found,) = CivitAI(server.endpoint("civitai")).images(Ref.parse("civitai:4128@41280"))
    assert (found.prompt, dict(found.params)) == ("a pier", {"steps": 30, "Base model": "Pony"})
    assert server.asked[0].params == {
        "modelVersionId": ["41280"], "limit": ["200"], "sort": ["Most Reactions"], "nsfw": ["X"], "withMeta": ["true"],
        "flatMeta": ["true"],
    }  # fmt: skip
