from typing import Any

import pytest

from connectors.connector import HttpDownload, pin
from connectors.errors import DownloadsDisabled, KeyRequired, NotFound, RateLimited
from connectors.http.session import Endpoint
from connectors.query import Query, Range
from connectors.ref import Ref
from connectors.replicate.client import Replicate
from tests.connectors.building import HASH, replicate_model, replicate_version
from tests.connectors.serving import Answer, Asked, Hub, said

MODELS, SEARCH, MODEL = "/v1/models", "/v1/search", "/v1/models/pearlgrey/fog-harbour"
REF = Ref.parse("replicate:pearlgrey/fog-harbour")
OTHER = "ab" * 32


def _connector(server: Hub, token: str | None = "k") -> Replicate:
    return Replicate(server.endpoint("replicate", token))


def _listing(server: Hub, *models: Any, following: str | None = None) -> Replicate:
    server.answers[MODELS] = said({"next": following, "previous": None, "results": list(models)})
    return _connector(server)


def test_without_a_key_nothing_is_asked(server: Hub) -> None:
    connector = _connector(server, token=None)
    for call in (lambda: connector.search(Query()), lambda: connector.get(REF), lambda: pin(connector, REF)):
        with pytest.raises(KeyRequired, match="Replicate wants a key for every call"):
            call()
    assert server.asked == []


def test_a_private_model_is_the_keys_own_and_so_is_its_training(server: Hub) -> None:
    server.answers[MODEL] = said(replicate_model(visibility="private"))
    made = {"version": f"pearlgrey/fog-harbour:{HASH}", "weights": None}
    training = {"input": {"trigger_word": "FGHRBR"}, "output": made}
    server.answers["/v1/trainings"] = said({"next": None, "results": [{"output": None}, training]})
    words = [claim for claim in _connector(server).get(REF).claims if claim.field == "trigger_words"]
    assert (words[0].value, words[0].where) == (("FGHRBR",), "training.input.trigger_word")


def test_a_private_model_opens_without_its_trainings(server: Hub) -> None:
    server.answers[MODEL] = said(replicate_model(visibility="private"))
    assert _connector(server).get(REF).ref == REF


def test_the_list_is_the_newest_first_and_loras_only(server: Hub) -> None:
    llama = replicate_model(name="llama", inputs=("prompt", "top_p"))
    page = _listing(server, llama, replicate_model()).search(Query())
    assert [lora.ref for lora in page.loras] == [REF]
    assert server.asked[0].params == {"sort_by": ["latest_version_created_at"], "sort_direction": ["desc"]}
    assert server.asked[0].headers["Authorization"] == "Bearer k"


def test_the_next_page_is_asked_for_by_the_links_query(server: Hub) -> None:
    connector = _listing(server, following=f"{server.url}/v1/models?cursor=cD0y%2B")
    cursor = connector.search(Query()).cursor
    assert cursor == "cursor=cD0y%2B"
    connector.search(Query(), cursor)
    assert server.asked[1].params == {"cursor": ["cD0y+"]}


@pytest.mark.parametrize(("most", "cursor"), [(86_400, None), (10**10, "cursor=x")])
def test_the_list_ends_where_everything_is_too_old(server: Hub, most: int, cursor: str | None) -> None:
    connector = _listing(server, replicate_model(name="llama"), following=f"{server.url}/v1/models?cursor=x")
    assert connector.search(Query(sort="newest", age=Range(most=most))).cursor == cursor


@pytest.mark.parametrize(
    "link", ["http://127.0.0.1:1/v1/models?cursor=x", "https://evil.invalid/?a", "//x", "cursor", "https://["]
)
def test_a_next_link_of_another_origin_ends_the_list(server: Hub, link: str) -> None:
    assert _listing(server, following=link).search(Query()).cursor is None


@pytest.mark.parametrize("cursor", ["//evil.invalid/x", "http://evil.invalid/", "@evil.invalid"])
def test_a_forged_cursor_leads_nowhere_else(server: Hub, cursor: str) -> None:
    _listing(server).search(Query(), cursor)
    assert [asked.path for asked in server.asked] == [MODELS]


def test_text_is_searched_for(server: Hub) -> None:
    server.answers[SEARCH] = said({"models": [{"model": replicate_model(), "metadata": {}}], "collections": []})
    page = _connector(server).search(Query(text="fog", limit=500))
    assert [lora.ref for lora in page.loras] == [REF]
    assert server.asked[0].params == {"query": ["fog"], "limit": ["50"]}


def test_where_the_beta_search_is_gone_the_older_method_finds(server: Hub) -> None:
    _listing(server, replicate_model())
    page = _connector(server).search(Query(text="fog"))
    assert [lora.ref for lora in page.loras] == [REF]
    assert (server.asked[1].method, server.asked[1].body) == ("QUERY", b"fog")


def test_most_runs_first_within_a_page(server: Hub) -> None:
    models = [replicate_model(name=f"m{runs}", run_count=runs) for runs in (1, 30, 4)]
    page = _listing(server, *models).search(Query(sort="downloads"))
    assert [lora.title for lora in page.loras] == ["m30", "m4", "m1"]


def test_an_older_version_is_shown_as_it_was(server: Hub) -> None:
    server.answers[MODEL] = said(replicate_model())
    server.answers[f"{MODEL}/versions/{OTHER}"] = said(replicate_version(id=OTHER))
    lora = _connector(server).get(REF.at(OTHER))
    assert [version.ref.version for version in lora.versions] == [OTHER]


def test_a_model_without_versions_has_nothing_to_pin(server: Hub) -> None:
    server.answers[MODEL] = said(replicate_model(latest_version=None))
    with pytest.raises(NotFound):
        pin(_connector(server), REF)


def test_the_weights_are_a_tar_at_the_hubs_own_address(server: Hub) -> None:
    server.answers[MODEL] = said(replicate_model())
    download = _connector(server).download(REF)
    assert isinstance(download, HttpDownload)
    assert download.url == f"{server.url}/pearlgrey/fog-harbour/versions/{HASH}/_weights"
    assert (download.in_tar, download.size, download.sha256) == (True, None, None)


def test_the_real_hubs_weights_lie_on_its_website_which_gets_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = Endpoint(hub="replicate", url="https://api.replicate.com", keys={"replicate": "k"})
    connector = Replicate(endpoint)
    monkeypatch.setattr(connector._session, "json", lambda _path: replicate_model())
    download = connector.download(REF)
    assert isinstance(download, HttpDownload)
    assert download.url == f"https://replicate.com/pearlgrey/fog-harbour/versions/{HASH}/_weights"
    assert dict(download.headers) == {}


def test_a_runner_has_nothing_to_download(server: Hub) -> None:
    server.answers[MODEL] = said(replicate_model(inputs=("lora_weights", "lora_scale")))
    with pytest.raises(DownloadsDisabled):
        _connector(server).download(REF)


def test_a_refused_search_is_not_tried_again_the_older_way(server: Hub) -> None:
    def refused(asked: Asked) -> Answer:
        return said({"detail": "Request was throttled."}, 429, Retry_After="30")

    server.answers[SEARCH] = refused
    with pytest.raises(RateLimited) as caught:
        _connector(server).search(Query(text="fog"))
    assert caught.value.retry_after == 30
    assert [asked.path for asked in server.asked] == [SEARCH]
