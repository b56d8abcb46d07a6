from typing import Any

import pytest
import requests

from hub_ui.demo.hubs.server import HubEndpoints

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"}
LOGIN = "The creator of this asset requires you to be logged in to download it"
DISABLED = "The creator of this asset has disabled downloads on this file"


def download(hubs: HubEndpoints, path: str, token: str | None = None, **headers: str) -> requests.Response:
    sent = {"User-Agent": "loratool/1.0", **({"Authorization": f"Bearer {token}"} if token else {}), **headers}
    url = f"{hubs.civitai}/api/download/models/{path}"
    return requests.get(url, headers=sent, allow_redirects=False, timeout=5)


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


def test_a_browser_is_sent_to_a_login_page_that_looks_like_success(hubs: HubEndpoints) -> None:
    url = f"{hubs.civitai}/api/download/models/2002"
    answer = requests.get(url, headers=BROWSER, timeout=5)
    assert answer.status_code == 200
    assert "reason=download-auth" in answer.url
    assert answer.headers["content-type"].startswith("text/html")


def test_a_wrong_token_counts_as_none(hubs: HubEndpoints) -> None:
    assert download(hubs, "2001", "civ_wrong").status_code == 307
    assert download(hubs, "2002", "civ_wrong").status_code == 401
