from collections.abc import Iterator

import pytest

from connectors.errors import BadAnswer, HubDown, HubTimeout, HubUiError, KeyRequired, NotFound, RateLimited
from connectors.http import adapter
from connectors.http import session as session_module
from connectors.http.session import Endpoint, Session, account_name
from connectors.registry import HUBS
from hub_ui.demo.hubs.server import running_hubs
from tests.connectors.serving import Answer, Asked, Hub, said


def _session(server: Hub, token: str | None = None, retries: int = 0) -> Session:
    return Session(server.endpoint("civitai", token), retries=retries)


def test_the_user_agent_is_ours_and_looks_like_no_browser(server: Hub) -> None:
    server.answers["/x"] = said({})
    _session(server).json("/x")
    agent = server.asked[0].headers["User-Agent"].lower()
    assert agent.startswith("hub-ui/")
    assert not any(name in agent for name in ("mozilla", "chrome", "safari", "firefox", "opera", "edge"))


def test_the_key_goes_to_the_hub(server: Hub) -> None:
    server.answers["/x"] = said({})
    _session(server, "secret").json("/x")
    assert server.asked[0].headers["Authorization"] == "Bearer secret"


def test_another_site_is_not_asked_in_the_hubs_place(server: Hub, elsewhere: Hub) -> None:
    server.answers["/x"] = Answer(status=302, headers={"Location": f"{elsewhere.url}/y"})
    elsewhere.answers["/y"] = said({})
    with pytest.raises(BadAnswer, match=f"{elsewhere.url}/y"):
        _session(server, "secret").json("/x")
    assert elsewhere.asked == []


def test_a_redirect_within_the_hub_is_followed_with_the_key(server: Hub) -> None:
    server.answers["/x"] = Answer(status=302, headers={"Location": "/y?page=2"})
    server.answers["/y"] = said({"found": 1})
    assert _session(server, "secret").json("/x", {"page": 1}) == {"found": 1}
    assert server.asked[1].params == {"page": ["2"]}
    assert server.asked[1].headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    "url", ["https://civitai.com.evil.invalid/", "http://civitai.com/x", "https://civitai.com:8443/"]
)
def test_another_origin_gets_no_key(url: str) -> None:
    session = Session(Endpoint(hub="civitai", url="https://civitai.com", keys={"civitai": "secret"}))
    assert session.auth(url) == {}
    assert session.auth("https://civitai.com/api") == {"Authorization": "Bearer secret"}


def test_a_key_is_in_no_repr() -> None:
    endpoint = Endpoint(hub="civitai", url="https://civitai.com", keys={"civitai": "secret"})
    assert (endpoint.token, "secret" in repr(endpoint)) == ("secret", False)


def test_netrc_adds_no_login(server: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    netrc = f"{tmp_path}/netrc"
    with open(netrc, "w", encoding="ascii") as file:
        file.write("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", netrc)
    server.answers["/x"] = said({})
    _session(server).json("/x")
    assert "Authorization" not in server.asked[0].headers


def test_what_the_hub_said_is_passed_on(server: Hub) -> None:
    server.answers["/x"] = said({"error": "No model with id 0"}, 404)
    with pytest.raises(NotFound, match="No model with id 0"):
        _session(server).json("/x")


def test_a_fault_of_the_hub_is_tried_again(server: Hub) -> None:
    server.answers["/x"] = lambda asked: said({"n": 3}) if len(server.asked) == 3 else said({}, 503)
    assert _session(server, retries=2).json("/x") == {"n": 3}


def test_a_rate_limit_is_not_tried_again(server: Hub) -> None:
    server.answers["/x"] = said({}, 429, Retry_After="7")
    with pytest.raises(RateLimited, match="in 7 seconds") as caught:
        _session(server, retries=2).json("/x")
    assert (caught.value.retry_after, len(server.asked)) == (7.0, 1)


def test_session_reports_a_fault_at_once_if_its_wait_is_long(server: Hub) -> None:
    server.answers["/x"] = said({}, 503, Retry_After="7")
    with pytest.raises(HubDown, match=r"\(503\)\. Try again in 7 seconds\.") as caught:
        _session(server, retries=2).json("/x")
    assert (caught.value.retry_after, len(server.asked)) == (7.0, 1)


# JSON made to break readers: nested deeper than Python's stack, a number longer than it turns into one.
DEEP, FULL, LONG = b"[" * 50_000, b"[" + b"[]," * 600_000 + b"0]", b'{"id": ' + b"9" * 5_000 + b"}"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        *((Answer(body=body), BadAnswer) for body in (b"", b"<html>", b"\xff\xfe", b'{"a": 1', DEEP, FULL, LONG)),
        (said(["x" * 3_000_000]), BadAnswer),
        (Answer(body=b"{}", headers={"Content-Length": "500"}), HubDown),
    ],
)
def test_what_is_no_json_whole_and_short_enough_is_refused(
    server: Hub, monkeypatch: pytest.MonkeyPatch, answer: Answer, error: type[HubUiError]
) -> None:
    monkeypatch.setattr(session_module, "MAX_JSON_BYTES", 2_000_000)
    server.answers["/x"] = answer
    with pytest.raises(error):
        _session(server).json("/x")


@pytest.mark.parametrize(
    "url", ["http://nowhere.invalid", "nonsense", "http://", "ftp://127.0.0.1", "http://127.0.0.1:9"]
)
def test_an_address_that_leads_nowhere_is_a_hub_that_is_down(url: str) -> None:
    with pytest.raises(HubDown):
        Session(Endpoint(hub="civitai", url=url), retries=0).json("/x")


@pytest.mark.parametrize("retries", [0, 1])
def test_a_silent_hub_is_a_timeout(server: Hub, monkeypatch: pytest.MonkeyPatch, retries: int) -> None:
    monkeypatch.setattr(adapter, "READ_SECONDS", 0.05)
    server.answers["/x"] = Answer(after=30)
    with pytest.raises(HubTimeout):
        _session(server, retries=retries).json("/x")


def test_a_target_is_not_followed(server: Hub, elsewhere: Hub) -> None:
    server.answers["/x"] = Answer(status=307, headers={"Location": f"{elsewhere.url}/y?sig=1"})
    assert _session(server).target("/x", {"fileId": "3"}) == f"{elsewhere.url}/y?sig=1"
    assert elsewhere.asked == []


def test_a_target_that_is_no_web_address_is_a_bad_answer(server: Hub) -> None:
    server.answers["/x"] = Answer(status=302, headers={"Location": "https://[hub/"})
    with pytest.raises(BadAnswer):
        _session(server).target("/x")


def test_a_post_like_method_carries_its_body(server: Hub) -> None:
    def echoed(asked: Asked) -> Answer:
        return said({"method": asked.method, "body": asked.body.decode()})

    server.answers["/x"] = echoed
    assert _session(server).json("/x", method="QUERY", data=b"fog") == {"method": "QUERY", "body": "fog"}


def test_a_key_that_is_refused_is_told_with_its_variable_and_where_to_get_another(server: Hub) -> None:
    server.answers["/x"] = Answer(status=401)
    with pytest.raises(KeyRequired, match=r"Add a key \([A-Z_]+_TOKEN, from [a-z.]+/[a-z/-]+\), or check the one"):
        _session(server).json("/x")


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Each hub accepts one key."""
    data = tmp_path_factory.mktemp("data")
    keys = '{"tokens": {"huggingface": ["good"], "civitai": ["good"], "replicate": ["good"]}}'
    (data / "access.json").write_text(keys)
    with running_hubs(data) as hubs:
        yield {"huggingface": hubs.huggingface, "civitai": hubs.civitai, "replicate": hubs.replicate}


@pytest.mark.parametrize("hub", list(HUBS))
def test_a_hub_says_whose_key_it_is(urls: dict[str, str], hub: str) -> None:
    assert account_name(Endpoint(hub=hub, url=urls[hub]), "good") == "local"


@pytest.mark.parametrize("hub", list(HUBS))
def test_a_key_that_is_none_is_refused_without_being_shown(urls: dict[str, str], hub: str) -> None:
    with pytest.raises(KeyRequired, match="does not accept this key") as raised:
        account_name(Endpoint(hub=hub, url=urls[hub]), "wr0ng")
    assert "wr0ng" not in raised.value.message


def test_a_hub_that_is_down_says_nothing_of_the_key() -> None:
    with pytest.raises(HubDown):
        account_name(Endpoint(hub="civitai", url="http://127.0.0.1:9"), "good")
