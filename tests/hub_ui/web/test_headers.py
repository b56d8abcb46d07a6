"""What browsers are told that the page may do, on every route."""

from __future__ import annotations

import re

import pytest

from hub_ui.web.headers import name_scripts
from tests.hub_ui.web.raw import Visitor

ROUTES = (
    "", "config", "theme.css", "glossary", "manifest.json", "gradio_api/info", "gradio_api/file=/etc/passwd",
    "images/none/none.png", "hub-picture", "nothing-here", "static/js/iframeResizer.contentWindow.min.js",
)  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_says_what_it_may_do(local: Visitor, route: str) -> None:
    headers = local.get(route).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "camera=(), " in headers["permissions-policy"]
    assert headers["content-security-policy"].startswith("default-src 'none'")


def test_a_refusal_says_it_too(local: Visitor) -> None:
    answer = local.post("gradio_api/run/search", json={})
    assert (answer.status_code, answer.headers["x-content-type-options"]) == (404, "nosniff")


def test_scripts_run_by_a_number_that_no_text_can_know(local: Visitor) -> None:
    first, second = local.get(""), local.get("")
    allowed = [re.findall(r"'nonce-([\w-]{22})'", page.headers["content-security-policy"]) for page in (first, second)]
    assert allowed[0] != allowed[1]
    assert set(re.findall(r'<script nonce="([\w-]+)"', first.text)) == set(allowed[0])
    assert "script-src 'self' 'nonce-" in first.headers["content-security-policy"]
    assert "'unsafe-inline'" not in first.headers["content-security-policy"].partition("style-src")[0]


def test_the_scripts_of_the_head_are_named_by_what_they_are(local: Visitor) -> None:
    assert len(re.findall(r"'sha256-[\w+/]{43}='", local.get("").headers["content-security-policy"])) == 6


def test_the_page_is_as_long_as_it_says(local: Visitor) -> None:
    page = local.get("", stream=True)
    assert len(page.raw.read()) == int(page.headers["content-length"])


def test_text_within_a_script_is_no_script() -> None:
    page = b'<script>x = "<script>"</script><p>&lt;script&gt;</p><script src="a.js"></script>'
    assert name_scripts(page, "N") == (
        b'<script nonce="N">x = "<script>"</script><p>&lt;script&gt;</p><script nonce="N" src="a.js"></script>'
    )


def test_a_page_of_ones_own_is_shown_in_no_frame_of_another_site(local: Visitor, hosted: Visitor) -> None:
    assert local.get("").headers["content-security-policy"].endswith("frame-ancestors 'self'")
    assert hosted.get("").headers["content-security-policy"].endswith("frame-ancestors 'self' https://huggingface.co")


def test_what_has_a_stricter_policy_keeps_it(local: Visitor) -> None:
    assert local.get("glossary").headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_a_file_that_was_uploaded_runs_nothing(local: Visitor) -> None:
    path = local.upload("x.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    answer = local.get(f"gradio_api/file={path}")
    assert "script-src" not in answer.headers["content-security-policy"]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
