"""What browsers are told that the page may do, on every route."""

import re

import pytest

from tests.hub_ui.web.raw import Visitor

ROUTES = (
    "", "?view=library", "config", "settings", "glossary", "gradio_api/info", "gradio_api/file=/etc/passwd",
    "images/none/none.png", "hub-picture", "nothing-here", "web/hub_ui.css", "suggestions?before=i", "health",
)  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_says_what_it_may_do(local: Visitor, route: str) -> None:
    headers = local.get(route).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "camera=(), " in headers["permissions-policy"]
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "unsafe" not in headers["content-security-policy"]


def test_a_page_has_nothing_that_its_policy_would_stop_and_a_refusal_says_it_too(local: Visitor) -> None:
    page = local.get("?open=civitai:1001").text
    assert "script-src 'self'; style-src 'self'" in local.get("").headers["content-security-policy"]
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\son\w+=|\sstyle=|javascript:", page) == []
    answer = local.post("gradio_api/run/search", json={})
    assert (answer.status_code, answer.headers["x-content-type-options"]) == (404, "nosniff")


def test_a_page_is_shown_in_no_frame_of_another_site_and_nobody_keeps_one_that_is_somebodys_own(
    local: Visitor, hosted: Visitor
) -> None:
    assert local.get("").headers["content-security-policy"].endswith("frame-ancestors 'self'")
    assert hosted.get("").headers["content-security-policy"].endswith("frame-ancestors 'self' https://huggingface.co")
    assert hosted.get("").headers["cache-control"] == "no-cache"
    assert "immutable" in hosted.get("web/hub_ui.css").headers["cache-control"]
