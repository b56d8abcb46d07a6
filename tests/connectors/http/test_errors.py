from __future__ import annotations

import pytest
import requests

from connectors import errors
from connectors.http.errors import refusal, unreachable


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
    assert type(refusal(answer(401, X_Error_Code=code), "huggingface")) is error


def test_a_server_that_is_no_hub_is_not_called_one() -> None:
    refused = refusal(answer(500), None)
    assert refused is not None
    assert refused.message.startswith("The server has a fault")
    assert unreachable(requests.ConnectionError(), None).message.startswith("The server can't be reached")


def test_whoever_follows_redirects_alone_says_so() -> None:
    assert isinstance(refusal(answer(403), "civitai", redirected=True), errors.HubDown)
    assert isinstance(refusal(answer(403), "civitai"), errors.KeyRequired)


def test_a_file_is_no_refusal() -> None:
    assert refusal(answer(206, Content_Type="application/octet-stream"), "civitai") is None


def saying(status: int, text: str, **headers: str) -> str:
    refused = answer(status, **headers)
    refused._content = text.encode()
    found = refusal(refused, "civitai")
    assert found is not None
    return found.message


def test_a_missing_key_says_where_to_get_one_and_where_it_goes() -> None:
    message = saying(401, '{"message": "requires you to be logged in"}')
    assert "Add a key (CIVITAI_TOKEN, from civitai.com/user/account), or check the one you gave." in message


def test_early_access_says_until_when() -> None:
    said = '{"deadline": "2999-01-02T03:04:00Z", "message": "This asset is in Early Access."}'
    assert "until 2999-01-02 03:04 UTC." in saying(403, said)


@pytest.mark.parametrize(
    ("status", "text", "told"),
    [
        (401, '{"message": "has disabled downloads on this file"}', "The author allows use on the hub only"),
        (410, '{"error": "Model archived"}', "Its author has archived it"),
        (451, "", "Look for the same LoRA on another hub."),
    ],
)
def test_each_refusal_is_a_sentence_with_a_next_step(status: int, text: str, told: str) -> None:
    assert told in saying(status, text)


def test_a_long_wait_is_told_in_minutes() -> None:
    assert "Try again in 60 minutes." in saying(429, "", Retry_After="3600")
