"""A shared page whose visitors sign in to Hugging Face, by Gradio's own sign-in and the local hub's consent page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any
from urllib.parse import urljoin

import gradio.oauth
import pytest
import requests
from bs4 import BeautifulSoup

from hub_ui import app, services
from hub_ui.commands.serve import demo_settings
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import running_hubs
from tests.hub_ui.web.conftest import read
from tests.hub_ui.web.raw import Visitor
from tests.huggingface_oauth import SignIn

REPO = "hatbox/top-hat-tiny"
LORA = f"huggingface:{REPO}"
APP = {"CLIENT_ID": "the-space", "CLIENT_SECRET": "its-secret", "SCOPES": "openid profile gated-repos"}


@contextmanager
def gated_space(folder: Path) -> Iterator[Visitor]:
    """Where Ada was granted a gated LoRA. Gradio reads what a Space sets when it is imported, which was before."""
    data = copytree(SAMPLES, folder / "data")
    files = json.loads((data / "files.json").read_text(encoding="utf-8"))
    for spec in files["huggingface"][REPO].values():
        spec["access"] = "gated"
    (data / "files.json").write_text(json.dumps(files), encoding="utf-8")
    (data / "access.json").write_text(json.dumps({"grants": {"ada": [REPO]}}), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, running_hubs(data, around=SignIn().around) as hubs:
        # With the variables of a Space it would listen on all addresses too.
        patch.setattr(gradio.oauth, "get_space", lambda: "local/loras")
        patch.setattr(gradio.oauth, "OPENID_PROVIDER_URL", hubs.huggingface)
        for name, value in APP.items():
            patch.setattr(gradio.oauth, f"OAUTH_{name}", value)
        settings = replace(demo_settings(folder / "home", folder / "loras", hubs), hosted=True, sign_in=True)
        with services.build(settings) as built, app.serving(built) as url:
            yield Visitor(url=url, services=built)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    with gated_space(tmp_path_factory.mktemp("sign-in")) as visitor:
        yield visitor


def test_where_people_sign_in_the_page_leads_there(space: Visitor) -> None:
    [link] = read(space.get("settings").text).select("#huggingface a")
    assert (link.text, link["href"]) == ("Sign in with Hugging Face", "login/huggingface?_target_url=%2Fsettings")


def go(visitor: Visitor, path: str) -> tuple[Visitor, requests.Response]:
    """The answer, and the visitor with the cookies that it sets, also those that want https."""
    answer = visitor.get(path, allow_redirects=False)
    cookies = dict(each.split("=", 1) for each in visitor.headers.get("Cookie", "").split("; ") if each)
    cookies |= answer.cookies.get_dict()
    return replace(visitor, headers={"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}), answer


def sign_in(space: Visitor, account: str) -> Visitor:
    visitor, _ = go(space.with_cookie(), "health")
    visitor, asked = go(visitor, "login/huggingface")
    consent = requests.get(asked.headers["location"], timeout=60)
    form = BeautifulSoup(consent.text, "html.parser").select_one("form")
    assert form is not None
    fields = {str(each["name"]): str(each.get("value", "")) for each in form.select("input[name]")}
    fields |= {"account": account, "answer": "yes"}
    address = urljoin(consent.url, str(form["action"]))
    back = requests.post(address, data=fields, allow_redirects=False, timeout=60).headers["location"]
    visitor, came = go(visitor, back.removeprefix(space.url))
    assert (came.status_code, came.headers["location"]) == (307, "/")
    return visitor


def said(visitor: Visitor) -> str:
    return visitor.call("inspect", source=LORA).said


def test_who_has_signed_in_reads_a_gated_lora_and_nobody_else_does(space: Visitor) -> None:
    ada = sign_in(space, "ada")
    assert said(ada) == ""
    assert "Sign in under Settings." in said(space.with_cookie())


def test_an_account_that_was_not_granted_it_is_told_so(space: Visitor) -> None:
    assert "your account at Hugging Face has none yet" in said(sign_in(space, "ben"))


def test_who_signs_out_is_a_stranger_again_whoever_has_a_copy_of_the_cookies(space: Visitor) -> None:
    ada = sign_in(space, "ada")
    copy = replace(ada)
    ada, answer = go(ada, "logout")
    assert answer.status_code in (302, 307)
    for visitor in (ada, copy):
        assert "Sign in under Settings." in said(visitor)


def test_the_cookie_of_the_session_is_for_https_and_no_script(space: Visitor) -> None:
    cookie = space.get("login/huggingface", allow_redirects=False).headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "secure", "samesite=none"))


def test_without_a_space_nobody_is_signed_in(hosted: Visitor) -> None:
    answers: list[Any] = [hosted.get(f"login/{path}", allow_redirects=False) for path in ("huggingface", "callback")]
    assert [answer.status_code for answer in answers] == [404, 404]
