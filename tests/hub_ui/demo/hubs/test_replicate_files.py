from typing import Any

import pytest
import requests

from hub_ui.demo.hubs.server import HubEndpoints

TOKEN = {"Authorization": "Bearer r8_local"}


def call(hubs: HubEndpoints, method: str, path: str, **arguments: Any) -> requests.Response:
    return requests.request(method, f"{hubs.replicate}/v1/files{path}", headers=TOKEN, timeout=5, **arguments)


@pytest.fixture
def uploaded(hubs: HubEndpoints) -> dict[str, Any]:
    answer = call(hubs, "POST", "", files={"content": ("a.zip", b"PK\r\n\0end", "application/zip")})
    assert answer.status_code == 201
    data: dict[str, Any] = answer.json()
    return data


def test_a_file_is_told_with_its_address_and_checksums(hubs: HubEndpoints, uploaded: dict[str, Any]) -> None:
    assert (uploaded["name"], uploaded["content_type"], uploaded["size"]) == ("a.zip", "application/zip", 8)
    assert uploaded["urls"]["get"] == f"{hubs.replicate}/v1/files/{uploaded['id']}"
    assert uploaded["checksums"]["md5"] == uploaded["etag"]
    assert call(hubs, "GET", f"/{uploaded['id']}").json() == uploaded


def test_its_bytes_need_the_key(hubs: HubEndpoints, uploaded: dict[str, Any]) -> None:
    assert call(hubs, "GET", f"/{uploaded['id']}/download").content == b"PK\r\n\0end"
    url = f"{hubs.replicate}/v1/files/{uploaded['id']}/download"
    assert requests.get(url, timeout=5).status_code == 401


def test_files_are_listed_newest_first_and_deleted(hubs: HubEndpoints, uploaded: dict[str, Any]) -> None:
    assert call(hubs, "GET", "").json()["results"][0]["id"] == uploaded["id"]
    assert call(hubs, "DELETE", f"/{uploaded['id']}").status_code == 204
    for path in (f"/{uploaded['id']}", f"/{uploaded['id']}/download"):
        assert call(hubs, "GET", path).status_code == 404


def test_what_is_no_form_with_a_file_is_refused(hubs: HubEndpoints) -> None:
    assert call(hubs, "POST", "", json={"content": "x"}).status_code == 400
    assert call(hubs, "POST", "", data={"content": "x"}).status_code == 400
