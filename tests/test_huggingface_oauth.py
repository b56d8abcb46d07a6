"""Signing in with the local Hugging Face, asked with plain HTTP. Gradio's own flow is in tests/hub_ui/web."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from hub_ui.demo.hubs.folder import Origins
from hub_ui.demo.hubs.server import running_hubs
from tests.faulty_hubs import apps_behind
from tests.huggingface_oauth import SignIn

APP, BACK = ("the-app", "its-secret"), "http://127.0.0.1:1/login/callback?_target_url=%2F"
ASKED = {
    "response_type": "code", "client_id": APP[0], "redirect_uri": BACK, "scope": "openid profile gated-repos",
    "state": "s1", "nonce": "n1",
}  # fmt: skip


@pytest.fixture(scope="module")
def hubs() -> Iterator[Origins]:
    with running_hubs(Path(__file__).parent / "contract" / "data", apps=apps_behind(SignIn().around)) as running:
        yield running


def consent(hubs: Origins, **changed: str) -> dict[str, str]:
    """What the app hears, after a person has answered the page."""
    form = {**ASKED, "account": "hf_member", "answer": "yes", **changed}
    answer = requests.post(f"{hubs.huggingface}/oauth/authorize", data=form, allow_redirects=False, timeout=30)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def exchange(hubs: Origins, code: str, *, app: tuple[str, str] = APP, back: str = BACK) -> requests.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
    return requests.post(f"{hubs.huggingface}/oauth/token", data=form, auth=app, timeout=30)


def token_of(hubs: Origins, **changed: str) -> dict[str, Any]:
    return dict(exchange(hubs, consent(hubs, **changed)["code"]).json())


def test_who_says_no_gives_the_app_nothing(hubs: Origins) -> None:
    assert consent(hubs, answer="no") == {"_target_url": "/", "error": "access_denied", "state": "s1"}


def test_a_code_counts_once_and_for_its_own_app_and_address(hubs: Origins) -> None:
    code = consent(hubs)["code"]
    assert exchange(hubs, code).status_code == 200
    assert exchange(hubs, code).json()["error"] == "invalid_grant"
    assert exchange(hubs, consent(hubs)["code"], app=("another", "s")).json()["error"] == "invalid_grant"
    assert exchange(hubs, consent(hubs)["code"], back="http://elsewhere/").json()["error"] == "invalid_grant"
    assert exchange(hubs, consent(hubs)["code"], app=(APP[0], "")).status_code == 401


def test_a_request_that_leads_nowhere_is_refused(hubs: Origins) -> None:
    asked = {**ASKED, "redirect_uri": "javascript:alert(1)"}
    assert requests.get(f"{hubs.huggingface}/oauth/authorize", params=asked, timeout=30).status_code == 400


@pytest.mark.parametrize(
    ("account", "scope", "status"),
    [("hf_member", "gated-repos", 302), ("hf_member", "email", 401), ("hf_stranger", "gated-repos", 403)],
)
def test_a_gated_file_needs_the_account_and_the_scope(hubs: Origins, account: str, scope: str, status: int) -> None:
    token = token_of(hubs, account=account, scope=scope)["access_token"]
    url = f"{hubs.huggingface}/maker/closed/resolve/main/lora.safetensors"
    answer = requests.get(url, headers={"Authorization": f"Bearer {token}"}, allow_redirects=False, timeout=30)
    assert answer.status_code == status


def test_the_token_tells_whose_it_is(hubs: Origins) -> None:
    headers = {"Authorization": f"Bearer {token_of(hubs)['access_token']}"}
    assert requests.get(f"{hubs.huggingface}/oauth/userinfo", headers=headers, timeout=30).json()["name"] == "Hf_Member"
    assert requests.get(f"{hubs.huggingface}/oauth/userinfo", timeout=30).status_code == 401
