"""What visitors of a hosted page keep, take home and remove, and their limits, by raw HTTP."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.testclient import TestClient

from connectors.ref import HubName, Ref
from hub_ui.access.quotas import Limits
from hub_ui.access.visitor import Visitor as Person
from hub_ui.access.visitor import use_visitor
from hub_ui.library import lockfile
from hub_ui.web.visit import disposition
from hub_ui.web.visitors import COOKIE
from tests.hub_ui.app.hosting.private_data import ADA, BEN, PAID, PRIVATE, VERSION, write_private_data
from tests.hub_ui.library.building import entry
from tests.hub_ui.web.conftest import PART, open_client, read
from tests.hub_ui.web.raw import Visitor, served

OPEN = Ref.parse("civitai:1001@2001#3001")
# Enough for everything here but what a test uses up.
LIMITS = Limits(searches_per_minute=3, images_per_hour=1, download_bytes_per_hour=2_000_000, lora_bytes=1_900_000)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    home = tmp_path_factory.mktemp("visit")
    lock = home / "shared.lock"
    lock.write_text(lockfile.dumps([entry(ref=Ref.parse("civitai:9@9#9"), title="Offered")]))
    changed: dict[str, Any] = {"limits": LIMITS, "shared_lock": lock, "trusts_proxy": True}
    with served(home, hosted=True, data=write_private_data(home), **changed) as visitor:
        yield visitor


def known(visitor: Visitor) -> Person:
    return visitor.services.visitors.find(visitor.headers["Cookie"].partition("=")[2])


def arrive(page: Visitor, keys: Mapping[HubName, str] | None = None) -> Visitor:
    """Somebody who has opened the page, and typed their keys."""
    visitor = page.with_cookie()
    known(visitor).keys.update(keys or {})
    return visitor


def file(visitor: Visitor, ref: Ref) -> requests.Response:
    return visitor.get("visit/file", params={"ref": str(ref)})


def test_each_visitors_lock_is_their_own_with_the_operators(page: Visitor) -> None:
    ada, ben = arrive(page), arrive(page)
    downloads = page.services.visitor_downloads
    assert downloads is not None
    with use_visitor(known(ada)):
        downloads.add(OPEN)
    locks = [visitor.get("visit/loras.lock") for visitor in (ada, ben)]
    refs = [[str(item.ref) for item in lockfile.loads(lock.text)] for lock in locks]
    assert refs == [[str(OPEN), "civitai:9@9#9"], ["civitai:9@9#9"]]
    assert locks[0].headers["content-disposition"].startswith('attachment; filename="loras.lock"')
    assert locks[0].headers["cache-control"] == "no-store"


def test_a_file_comes_with_the_visitors_own_key_and_to_nobody_else(page: Visitor) -> None:
    ada, ben = arrive(page, ADA), arrive(page, BEN)
    answer = file(ada, PAID)
    assert (answer.status_code, int(answer.headers["content-length"])) == (200, len(answer.content))
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    assert answer.content[8:9] == b"{"
    seen = f"{answer.url} {answer.headers} {[step.url for step in answer.history]}"
    assert [key for key in ADA.values() if key in seen] == []
    refused = file(ben, PAID)
    assert (refused.status_code, "Back to the LoRAs" in refused.text) == (403, True)
    assert refused.headers["content-type"].startswith("text/html")
    nobody = file(page, PAID)
    assert (nobody.status_code, "Back to the LoRAs" in nobody.text) == (403, True)


def test_what_is_private_is_not_even_there_for_others(page: Visitor) -> None:
    ref = PRIVATE["replicate"].at(VERSION)
    assert file(arrive(page, ADA), ref).content[8:9] == b"{"
    other = file(arrive(page, BEN), ref)
    assert (other.status_code, "Back to the LoRAs" in other.text) == (404, True)


@pytest.mark.parametrize("ref", ["", "nonsense", "local:x@" + "a" * 64, "civitai:1/../../etc", "/etc/passwd"])
def test_what_names_no_file_of_a_hub_is_refused_in_a_sentence(page: Visitor, ref: str) -> None:
    answer = arrive(page).get("visit/file", params={"ref": ref})
    assert (answer.status_code >= 400, "Back to the LoRAs" in answer.text) == (True, True)


def test_the_bytes_of_an_hour_end_with_a_sentence(page: Visitor) -> None:
    visitor = arrive(page)
    with use_visitor(known(visitor)):
        page.services.lookup.quotas.spend("bytes", 2_000_000)
    answer = file(visitor, OPEN)
    assert (answer.status_code, "2.0 MB downloaded an hour a person. This one in" in answer.text) == (429, True)


@pytest.mark.parametrize(
    "name", ['a"; filename="b.exe', "x\r\nSet-Cookie: a=b.safetensors", "../../etc/passwd", "墨.safetensors", "", "…"]
)
def test_no_name_gets_out_of_the_header(name: str) -> None:
    header = disposition(name)
    assert header.isascii()
    assert header.count('"') == 2
    assert [sign for sign in "\r\n/\\" if sign in header] == []


def asked(visitor: Visitor) -> str:
    """What the page says while it asks the hubs."""
    return visitor.get("ask?q=ink").text


def test_who_drops_the_cookie_has_what_is_left_at_the_address(page: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page.services.lookup.quotas, "_limits", replace(LIMITS, people_per_address=1))
    said = [asked(replace(page, headers={"X-Forwarded-For": f"1.1.1.{number}, 8.8.8.8"})) for number in range(4)]
    limit = "3 searches a minute for all people at one network address. The next one in "
    assert [limit in text for text in said] == [False, False, False, True]
    assert "searches a minute" not in asked(replace(page, headers={"X-Forwarded-For": "9.9.9.9"}))


RED = "huggingface:maker/red"


@pytest.fixture
def visit(page: Visitor, tmp_path: Path) -> Iterator[TestClient]:
    """Somebody who has opened the page, and kept a LoRA."""
    with open_client(page.services, tmp_path) as client:
        client.get("/")
        downloads = page.services.visitor_downloads
        assert downloads is not None
        with use_visitor(page.services.visitors.find(client.cookies[COOKIE])):
            downloads.add(Ref.parse(RED))
        yield client


def titles(text: str) -> list[str]:
    return [title.text for title in read(text).select("#kept .what b")]


def test_what_was_kept_and_what_the_operator_offers_is_listed_with_links(visit: TestClient, page: Visitor) -> None:
    shown = read(visit.get("/library").text)
    assert titles(str(shown)) == ["red"]
    assert [title.text for title in shown.select("#offered .what b")] == ["Offered"]
    assert [button.text for button in shown.select("#offered button:not(.chip)")] == []
    [opens, tries, file] = [str(link["href"]) for link in shown.select("#kept a")]
    assert opens.startswith("./?open=huggingface%3Amaker%2Fred%40")
    assert tries.startswith("try?lora=huggingface%3Amaker%2Fred%40")
    assert file.startswith(f"{page.services.settings.endpoints['huggingface']}/maker/red/resolve/")


def test_a_row_is_removed_and_the_list_comes_as_it_is_then(visit: TestClient) -> None:
    ref = read(visit.get("/library").text).select("#kept input[name=ref]")[0]["value"]
    answer = visit.post("/visit/remove", data={"ref": ref, "back": "view=library"}, headers=PART)
    assert titles(answer.text) == []
    assert "Nothing yet in this visit." in answer.text


def test_without_javascript_a_row_is_removed_but_not_by_what_is_no_ref(visit: TestClient) -> None:
    ref = read(visit.get("/library").text).select("#kept input[name=ref]")[0]["value"]
    answer = visit.post("/visit/remove", data={"ref": ref, "back": "view=library&q=ink"})
    assert (answer.status_code, answer.headers["location"]) == (303, "../library?q=ink")
    assert visit.post("/visit/remove", data={"ref": "nonsense"}).status_code == 422
