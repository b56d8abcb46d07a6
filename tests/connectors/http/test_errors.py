import builtins
from typing import Any

import httpx2
import pytest
import requests
from huggingface_hub import errors as theirs

from connectors import errors
from connectors.errors import Gated, HubUiError, RateLimited
from connectors.http.errors import (
    connection_error,
    detail_of,
    download_error,
    error_body,
    map_huggingface_errors,
    status_error,
    when_again,
)
from connectors.ref import HubName
from tests.connectors.cases import read_cases
from tests.connectors.http.test_session import DEEP, FULL, LONG
from tests.connectors.serving import Answer, Hub

READ = read_cases(__file__)


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
    assert found.message.startswith("The server answered with an error")
    assert connection_error(requests.ConnectionError(), None).message.startswith("The server can't be reached")


def refused(hub: HubName, status: int, body: bytes, **headers: str) -> HubUiError:
    response = answer(status, **headers)
    response._content = body
    return status_error(response, hub)


@pytest.mark.parametrize(
    ("hub", "status", "text", "error", "told"), READ["each refusal is a sentence with a next step"]
)
def test_a_refusal_is_a_sentence_with_a_next_step(hub: HubName, status: int, text: str, error: str, told: str) -> None:
    found = refused(hub, status, text.encode())
    assert (found.name, found.hub) == (error, hub)
    assert told in found.message


REQUEST = httpx2.Request("GET", "https://huggingface.co/api/models/a/b")


def their_error(name: str, status: int | None) -> Exception:
    """By its name in huggingface_hub, in httpx2 or in Python."""
    kind: Any = next(getattr(place, name) for place in (theirs, httpx2, builtins) if hasattr(place, name))
    request = {"request": REQUEST} if kind is httpx2.HTTPStatusError else {}
    error: Exception = (
        kind("no", **request, response=httpx2.Response(status, request=REQUEST)) if status else kind("no")
    )
    return error


@pytest.mark.parametrize(("name", "status", "ours"), READ["each of their errors is one of ours"])
def test_each_of_their_errors_is_one_of_ours(name: str, status: int | None, ours: str) -> None:
    error = their_error(name, status)
    with pytest.raises(HubUiError) as caught, map_huggingface_errors("a/b"):
        raise error
    assert (caught.value.name, caught.value.hub, caught.value.__cause__) == (ours, "huggingface", error)


def test_every_error_that_their_transport_knows_is_caught() -> None:
    known = [value for value in vars(httpx2).values() if isinstance(value, type) and issubclass(value, Exception)]
    transport = [kind for kind in known if issubclass(kind, httpx2.TransportError)]
    assert len(transport) > 10
    for kind in transport:
        with pytest.raises(HubUiError), map_huggingface_errors("a/b"):
            raise kind("no")


def test_what_is_ours_already_stays() -> None:
    ours = Gated("no", hub="huggingface")
    with pytest.raises(Gated) as caught, map_huggingface_errors("a/b"):
        raise ours
    assert caught.value is ours


@pytest.mark.parametrize(("body", "headers", "wait"), READ["the time to wait is in the header or the words"])
def test_the_time_to_wait_is_in_the_header_or_the_words(body: str, headers: dict[str, str], wait: float | None) -> None:
    error = refused("replicate", 429, body.encode(), **headers)
    assert isinstance(error, RateLimited)
    assert error.retry_after == wait


def test_what_a_hub_says_ends_as_a_sentence() -> None:
    error = refused("civitai", 429, b'{"error": "An unexpected error occurred"}')
    assert error.message.endswith("An unexpected error occurred.")


def test_a_long_detail_is_cut_and_on_one_line() -> None:
    error = refused("replicate", 422, b'{"detail": "- input: a\\n- input: b\\n%s"}' % (b"x" * 2_000))
    assert "- input: a - input: b" in error.message
    assert len(error.message) < 700


@pytest.mark.parametrize(
    ("body", "text"),
    [
        *((body.encode(), text) for body, text in READ["an error body has many shapes"]),
        *((body, "") for body in (DEEP, FULL, LONG)),
    ],
)
def test_an_error_body_has_many_shapes(server: Hub, body: bytes, text: str) -> None:
    server.answers["/x"] = Answer(body=body)
    assert detail_of(error_body(requests.get(f"{server.url}/x", timeout=30))) == text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "in a few minutes"), (1.0, "in a second"), (119.0, "in 119 seconds"), (3600.0, "in 60 minutes")],
)
def test_when_to_come_back_is_said_as_people_say_it(seconds: float | None, said: str) -> None:
    assert when_again(seconds) == said
