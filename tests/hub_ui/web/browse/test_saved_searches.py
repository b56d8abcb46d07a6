"""Saved searches live in the browser; the page gives them a name."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.hub_ui.web.conftest import read


@pytest.mark.parametrize(
    ("address", "name"), [("/?q=ink&kind=style", "styles, ink"), ("/", "All LoRAs"), ("/?q=%3Cb%3E", "<b>")]
)
def test_a_search_has_a_name_before_it_is_given_one(client: TestClient, address: str, name: str) -> None:
    assert read(client.get(address).text).select("#save-search input")[0]["placeholder"] == name
