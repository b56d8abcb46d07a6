"""What a person is told where an address or a form is refused: whole pages, and parts of a page."""

from typing import Any

import pytest
from jinja2 import UndefinedError
from starlette.testclient import TestClient

from hub_ui.i18n import use_language
from hub_ui.locales import get_language
from hub_ui.web.layout.render import Renderer, address
from tests.hub_ui.web.conftest import PART, read


def test_a_form_that_is_refused_leads_to_a_page_that_works_one_level_deeper_by_its_base(site: TestClient) -> None:
    answer = site.post("/lora/favorite", data={"ref": "nonsense"})
    page = read(answer.text)
    assert (answer.status_code, page.select_one("base")["href"]) == (422, "../")
    assert "base-uri 'self'" in answer.headers["Content-Security-Policy"]
    assert page.select_one("[role=alert].problem").text.startswith("“nonsense” names no LoRA")
    assert page.select_one("#main a")["href"] == "./"
    answer = site.get("/lora-image")
    assert (answer.status_code, read(answer.text).select("base")) == (422, [])
    assert "base-uri 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/lora/favorite", "/hubs/again", "/library"])
def test_a_part_that_is_refused_is_a_toast_wherever_it_was_asked_for(site: TestClient, path: str) -> None:
    answer = site.post(path, data={"ref": "nonsense", "hub": "nonsense", "do": "nonsense"}, headers=PART)
    assert (answer.status_code, answer.headers["HX-Retarget"], answer.headers["HX-Reswap"]) == (
        422, "#toast", "innerHTML",
    )  # fmt: skip
    assert answer.headers["HX-Push-Url"] == "false"
    assert read(answer.text).select("html, main") == []


@pytest.mark.parametrize(
    ("path", "data", "said"),
    [
        ("/lora/favorite", {}, "The field “ref” is not right. It is missing. Load the page again."),
        ("/lora/favorite", {"ref": "x" * 501}, "The field “ref” is not right. It is too long."),
        ("/history/remove", {"id": "1", "page": "two"}, "The field “page” is not right. It has to be a whole number."),
        ("/history/remove", {"id": "1", "page": "0"}, "The field “page” is not right. It is too small."),
        ("/history/remove", {"id": "1", "page": "1001"}, "The field “page” is not right. It is too large."),
        ("/downloads/burn", {}, "The field “act” is not right. It is none of the choices."),
        ("/settings/values", {"hub": ["x" * 41]}, "The field “hub” is not right. It is too long."),
    ],
)
def test_a_value_that_no_form_of_ours_sends_is_named(
    site: TestClient, path: str, data: dict[str, Any], said: str
) -> None:
    for headers in ({}, PART):
        answer = site.post(path, data=data, headers=headers)
        assert (answer.status_code, said in answer.text) == (422, True)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//host/x", "http://", "http://[x", "", None]
)
def test_only_web_addresses_reach_the_page(url: str | None) -> None:
    assert address(url) == ""


def test_values_in_a_translated_text_are_escaped_and_what_a_template_was_not_given_fails() -> None:
    render = Renderer()
    template = render._environment.from_string("{{ _('{n} of {m}').format(n=n, m='<b>') }} {{ ngettext(n, n, 1) }}")
    with use_language(get_language("ja")):
        assert template.render(n="<script>") == "&lt;script&gt; of &lt;b&gt; &lt;script&gt;"
    with pytest.raises(UndefinedError, match="'lora' is undefined"):
        Renderer()("lora/panel")
