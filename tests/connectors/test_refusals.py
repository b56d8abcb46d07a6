from __future__ import annotations

import pytest
import requests

from connectors import errors
from connectors.refusals import refusal, unreachable


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
