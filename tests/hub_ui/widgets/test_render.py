from __future__ import annotations

import pytest

from hub_ui.widgets.render import address, sanitised


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//host/x", "http://", "http://[x", "", None]
)
def test_only_web_addresses_reach_the_page(url: str | None) -> None:
    assert address(url) == ""


def test_a_description_keeps_its_words_and_loses_its_code() -> None:
    html = sanitised('<p onclick="x()">A <b>style</b><script>x()</script><img src=x onerror=x()></p>', "html")
    assert html == "<p>A <b>style</b></p>"


def test_links_of_a_description_are_web_addresses_and_unfollowed() -> None:
    html = sanitised('<a href="https://a.example">a</a><a href="javascript:x()">b</a>', "html")
    assert html == '<a href="https://a.example" rel="noopener noreferrer">a</a><a rel="noopener noreferrer">b</a>'


def test_plain_text_is_shown_as_written() -> None:
    assert "<script>" not in sanitised("one <script>\n\ntwo", "markdown")
