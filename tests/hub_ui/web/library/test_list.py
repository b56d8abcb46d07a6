from __future__ import annotations

from starlette.testclient import TestClient

from tests.hub_ui.web.conftest import PART, read


def rows(text: str) -> list[str]:
    return [link.text for link in read(text).select(".shelf .hit")]


def test_the_library_is_in_the_page_as_it_is_served(client: TestClient) -> None:
    page = read(client.get("/?view=library").text)
    assert [row.text for row in page.select(".shelf .hit")] == ["Ink", "Mist"]
