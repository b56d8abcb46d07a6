"""Saved searches live in the browser; the page gives them a name, and reads what older pages had encrypted."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.hub_ui.web.conftest import read


@pytest.mark.parametrize(
    ("address", "name"), [("/?q=ink&kind=style", "styles, ink"), ("/", "All LoRAs"), ("/?q=%3Cb%3E", "<b>")]
)
def test_a_search_has_a_name_before_it_is_given_one(client: TestClient, address: str, name: str) -> None:
    assert read(client.get(address).text).select("#save-search input")[0]["placeholder"] == name


def test_the_key_of_older_pages_is_as_openssl_derives_it(client: TestClient) -> None:
    """openssl enc -aes-256-cbc -md md5 -S 0011223344556677 -pass pass:$(printf hub-ui | sha256sum) -P"""
    key = client.get("/searches/key?salt=0011223344556677").json()
    assert bytes(key["key"]).hex().upper() == ("CEE60C2897983181B6F2A8EBE88842C26C2C16A1E1608027BBBDBDDD5F603C64")
    assert bytes(key["iv"]).hex().upper() == "CC388078E18310C17DFB8372FEBC7C9D"


@pytest.mark.parametrize("salt", ["", "0011", "zz11223344556677", "0011223344556677aa"])
def test_what_is_no_salt_is_refused(client: TestClient, salt: str) -> None:
    assert client.get(f"/searches/key?salt={salt}").status_code == 422
