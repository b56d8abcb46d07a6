from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
import requests
from huggingface_hub import errors as theirs

from connectors import errors
from connectors.errors import (
    BadAnswer,
    BadRef,
    Gated,
    HubDown,
    HubTimeout,
    HubUiError,
    KeyRequired,
    NotFound,
    RateLimited,
    RegionBlocked,
)
from connectors.http.errors import (
    connection_error,
    detail_of,
    download_error,
    error_body,
    map_huggingface_errors,
    retry_after,
    status_error,
    when_again,
)
from connectors.ref import HubName
from tests.connectors.http.test_session import DEEP, FULL, LONG
from tests.connectors.serving import Answer, Hub


def answer(status: int, **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.url = "https://hub.example/file"
    response._content = b"{}"
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


@pytest.mark.parametrize(
    ("code", "error"), [("GatedRepo", errors.Gated), ("RepoNotFound", errors.NotFound), ("Other", errors.KeyRequired)]
)
def test_hugging_face_tells_its_refusals_apart_in_a_header(code: str, error: type[errors.HubUiError]) -> None:
    assert type(download_error(answer(401, X_Error_Code=code), "huggingface")) is error


def test_a_server_that_is_no_hub_is_not_called_one() -> None:
    found = download_error(answer(500), None)
    assert found is not None
    assert found.message.startswith("The server has a fault")
    assert connection_error(requests.ConnectionError(), None).message.startswith("The server can't be reached")


def refused(hub: HubName, status: int, body: bytes, **headers: str) -> HubUiError:
    response = answer(status, **headers)
    response._content = body
    return status_error(response, hub, body=error_body(response))


EARLY = '{"error": "Early Access", "deadline": "2999-01-02T03:04:00Z", "message": "This asset is in Early Access."}'


@pytest.mark.parametrize(
    ("hub", "status", "text", "error", "told"),
    [
        ("civitai", 400, "", BadAnswer, ""),
        ("civitai", 401, "{}", KeyRequired, ""),
        ("civitai", 401, '{"message": "requires you to be logged in"}', KeyRequired,
         "Add a key (CIVITAI_TOKEN, from civitai.com/user/account), or check the one you gave."),
        ("civitai", 401, '{"message": "has disabled downloads on this file"}', errors.DownloadsDisabled,
         "The author allows use on the hub only"),
        ("civitai", 403, EARLY, errors.Paid, "until 2999-01-02 03:04 UTC."),
        ("civitai", 403, '{"error": "You do not have access to download this file"}', errors.Paid, ""),
        ("civitai", 403, "Forbidden", KeyRequired, ""),
        ("civitai", 404, '{"error": "File not found"}', NotFound, "File not found"),
        ("civitai", 410, '{"error": "Model archived"}', NotFound, "Its author has archived it"),
        ("civitai", 418, "", BadAnswer, ""),
        ("civitai", 429, '{"error": "unusual amount of downloading"}', RateLimited, ""),
        ("civitai", 429, "", RateLimited, "asks to slow down"),
        ("civitai", 451, "", RegionBlocked, "Look for the same LoRA on another hub."),
        ("civitai", 500, "", HubDown, ""),
        ("civitai", 503, "", HubDown, ""),
        ("civitai", 524, "", HubDown, ""),
        ("replicate", 401, '{"detail": "No."}', KeyRequired, "REPLICATE_API_TOKEN"),
        ("replicate", 402, '{"title": "Insufficient credit", "detail": "Buy some."}', errors.Paid,
         "wants credit before it runs"),
        ("replicate", 403, '{"detail": "No."}', KeyRequired, "does not let this key"),
        ("replicate", 404, '{"detail": "Gone."}', NotFound, "does not have this"),
        ("replicate", 409, '{"detail": "Twice."}', errors.UsageError, "does not take this. Twice."),
        ("replicate", 422, '{"detail": "- input.steps: too many\\n"}', errors.UsageError,
         "does not take these settings: - input.steps"),
        ("replicate", 422, '{"title": "Invalid version or not permitted", "detail": "x"}', NotFound,
         "the account has no way"),
        ("replicate", 500, "{}", HubDown, ""),
    ],
)  # fmt: skip
def test_each_refusal_is_a_sentence_with_a_next_step(
    hub: HubName, status: int, text: str, error: type[HubUiError], told: str
) -> None:
    found = refused(hub, status, text.encode())
    assert (type(found), found.hub) == (error, hub)
    assert told in found.message


REQUEST = httpx2.Request("GET", "https://huggingface.co/api/models/a/b")


def _response(status: int, **headers: str) -> httpx2.Response:
    return httpx2.Response(status, headers=headers, request=REQUEST)


def _http(kind: type[theirs.HfHubHTTPError], status: int, **headers: str) -> theirs.HfHubHTTPError:
    return kind("no", response=_response(status, **headers))


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (_http(theirs.RepositoryNotFoundError, 401), NotFound),
        (_http(theirs.GatedRepoError, 403), Gated),
        (_http(theirs.DisabledRepoError, 403), NotFound),
        (_http(theirs.RevisionNotFoundError, 404), NotFound),
        (_http(theirs.RemoteEntryNotFoundError, 404), NotFound),
        (theirs.EntryNotFoundError("no"), NotFound),
        (theirs.LocalEntryNotFoundError("no"), HubDown),
        (theirs.FileMetadataError("no"), BadAnswer),
        (theirs.HFValidationError("no"), BadRef),
        (theirs.OfflineModeIsEnabled("no"), HubDown),
        (_http(theirs.BadRequestError, 400), BadAnswer),
        (_http(theirs.HfHubHTTPError, 401), KeyRequired),
        (_http(theirs.HfHubHTTPError, 403), KeyRequired),
        (_http(theirs.HfHubHTTPError, 404), NotFound),
        (_http(theirs.HfHubHTTPError, 410), NotFound),
        (_http(theirs.HfHubHTTPError, 429), RateLimited),
        (_http(theirs.HfHubHTTPError, 451), RegionBlocked),
        (_http(theirs.HfHubHTTPError, 503), HubDown),
        (_http(theirs.HfHubHTTPError, 418), BadAnswer),
        (httpx2.HTTPStatusError("no", request=REQUEST, response=_response(503)), HubDown),
        (httpx2.HTTPStatusError("no", request=REQUEST, response=_response(404)), NotFound),
        (httpx2.ConnectTimeout("no"), HubTimeout),
        (httpx2.ReadTimeout("no"), HubTimeout),
        (httpx2.WriteTimeout("no"), HubTimeout),
        (httpx2.PoolTimeout("no"), HubTimeout),
        (httpx2.ConnectError("no"), HubDown),
        (httpx2.ReadError("no"), HubDown),
        (httpx2.WriteError("no"), HubDown),
        (httpx2.CloseError("no"), HubDown),
        (httpx2.ProxyError("no"), HubDown),
        (httpx2.UnsupportedProtocol("no"), HubDown),
        (httpx2.LocalProtocolError("no"), HubDown),
        (httpx2.RemoteProtocolError("no"), HubDown),
        (httpx2.DecodingError("no"), BadAnswer),
        (httpx2.TooManyRedirects("no"), BadAnswer),
        (httpx2.InvalidURL("no"), HubDown),
        (httpx2.StreamError("no"), BadAnswer),
        (KeyError("id"), BadAnswer),
        (TypeError("no"), BadAnswer),
        (AttributeError("no"), BadAnswer),
        (ValueError("not JSON"), BadAnswer),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else type(value).__name__,
)
def test_each_of_their_errors_is_one_of_ours(error: Exception, ours: type[HubUiError]) -> None:
    with pytest.raises(ours) as caught, map_huggingface_errors("a/b"):
        raise error
    assert type(caught.value) is ours
    assert caught.value.hub == "huggingface"
    assert caught.value.__cause__ is error


def test_every_error_that_their_transport_knows_is_caught() -> None:
    known = [value for value in vars(httpx2).values() if isinstance(value, type) and issubclass(value, Exception)]
    transport = [kind for kind in known if issubclass(kind, httpx2.TransportError)]
    assert len(transport) > 10
    for kind in transport:
        with pytest.raises(HubUiError), map_huggingface_errors("a/b"):
            raise kind("no")


@pytest.mark.parametrize(("headers", "seconds"), [({"RateLimit": '"api";r=0;t=55'}, 55.0), ({}, None)])
def test_the_hubs_own_number_of_seconds_is_told(headers: dict[str, str], seconds: float | None) -> None:
    with pytest.raises(RateLimited) as caught, map_huggingface_errors("a/b"):
        raise _http(theirs.HfHubHTTPError, 429, **headers)
    assert caught.value.retry_after == seconds


def test_what_is_ours_already_stays() -> None:
    ours = Gated("no", hub="huggingface")
    with pytest.raises(Gated) as caught, map_huggingface_errors("a/b"):
        raise ours
    assert caught.value is ours


@pytest.mark.parametrize(
    ("body", "headers", "wait"),
    [
        (b'{"detail": "Request was throttled. Your rate limit resets in ~30s."}', {}, 30.0),
        (b'{"detail": "resets in ~30s."}', {"Retry_After": "4"}, 4.0),
        (b"{}", {"ratelimit_reset": "9"}, 9.0),
        (b"<html>", {}, None),
    ],
)
def test_how_long_to_wait_stands_in_the_header_or_in_the_words(
    body: bytes, headers: dict[str, str], wait: float | None
) -> None:
    error = refused("replicate", 429, body, **headers)
    assert isinstance(error, RateLimited)
    assert error.retry_after == wait


def test_a_long_detail_is_cut_and_on_one_line() -> None:
    error = refused("replicate", 422, b'{"detail": "- input: a\\n- input: b\\n%s"}' % (b"x" * 2_000))
    assert "- input: a - input: b" in error.message
    assert len(error.message) < 700


def _headers(**headers: str) -> requests.Response:
    response = requests.Response()
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error": "a"}', "a"),
        (b'{"error": {"issues": []}}', ""),
        (b'{"message": "m", "error": "e"}', "m"),
        (b'{"title": "t", "detail": "d"}', "d"),
        (b"[]", ""),
        (b"<html>", ""),
        (DEEP, ""),
        (FULL, ""),
        (LONG, ""),
    ],
)
def test_an_error_body_has_many_shapes(server: Hub, body: bytes, text: str) -> None:
    server.answers["/x"] = Answer(body=body)
    assert detail_of(error_body(requests.get(f"{server.url}/x", timeout=30))) == text


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "12"}, 12.0),
        ({"RateLimit": '"api";r=0;t=55'}, 55.0),
        ({"ratelimit_reset": "30"}, 30.0),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": "\u00b2"}, None),
        ({"Retry_After": "9" * 400}, None),
        ({"RateLimit": "t=\u00b2", "ratelimit_reset": "9" * 400}, None),
        ({"Retry_After": "Mon, 01 Jan 2001 00:00:00 GMT"}, 0.0),
        ({}, None),
    ],
)
def test_three_hubs_say_in_three_ways_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(_headers(**headers)) == seconds


def test_a_date_to_come_back_is_a_number_of_seconds() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    seconds = retry_after(_headers(Retry_After=in_a_minute))
    assert seconds is not None
    assert 50 < seconds <= 60


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "in a few minutes"), (1.0, "in a second"), (119.0, "in 119 seconds"), (3600.0, "in 60 minutes")],
)
def test_when_to_come_back_is_said_as_people_say_it(seconds: float | None, said: str) -> None:
    assert when_again(seconds) == said
