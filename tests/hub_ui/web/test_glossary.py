from __future__ import annotations

from starlette.applications import Starlette
from starlette.testclient import TestClient

from hub_ui.web.glossary import GlossaryPage
from hub_ui.widgets.render import Renderer
from tests.hub_ui.web.raw import Visitor

CLIENT = TestClient(Starlette(routes=[GlossaryPage(render=Renderer()).route()]))


def test_the_glossary_is_a_page_without_scripts() -> None:
    answer = CLIENT.get("/glossary")
    assert answer.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert '<section id="rank"><h2>Rank</h2>' in answer.text


def test_it_is_dark_where_the_page_is() -> None:
    assert '<html lang="en" data-theme="dark">' in CLIENT.get("/glossary?theme=dark").text
    assert "data-theme=" not in CLIENT.get("/glossary?theme=<b>").text.partition("<head>")[0]


def test_strangers_may_read_it(hosted: Visitor) -> None:
    assert hosted.get("glossary").status_code == 200
