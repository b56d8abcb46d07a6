"""Keys of a hosted page's visitors: theirs alone, for one visit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from hub_ui import services
from hub_ui.commands.serve import demo_settings
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.services import Services
from tests.hub_ui.hosting.private_data import ADA, write_private_data
from tests.hub_ui.web.conftest import PART, open_client, read


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    home = tmp_path_factory.mktemp("visitors")
    with running_hubs(write_private_data(home)) as hubs:
        settings = replace(demo_settings(home / "home", home / "loras", hubs), hosted=True)
        with services.build(settings) as built:
            yield built


@pytest.fixture
def ada(hosted: Services, tmp_path: Path) -> Iterator[TestClient]:
    with open_client(hosted, tmp_path) as client:
        client.get("/")
        yield client


def send(page: TestClient, do: str, hub: str = "replicate", key: str = "") -> str:
    answer = page.post("/settings/key", data={"hub": hub, "do": do, "key": key}, headers=PART)
    found = read(answer.text).select_one(f"#said-{hub}")
    return str(found.text if found else read(answer.text).text).strip()


def states(page: TestClient) -> list[str]:
    return [row.select("span")[0].text for row in read(page.get("/settings").text).select("#keys .row")]


def test_a_key_counts_for_its_visitor_until_it_is_removed(ada: TestClient) -> None:
    assert send(ada, "save", key=ADA["replicate"]).startswith("The key works for this visit.")
    assert states(ada) == ["none", "for this visit"]
    assert send(ada, "check").startswith("The key works for this visit.")
    assert send(ada, "remove").startswith("Your key of Replicate is removed")
    assert send(ada, "check") == "This is empty. Paste the key."


def test_another_visitor_has_none_of_it(ada: TestClient) -> None:
    send(ada, "save", key=ADA["replicate"])
    ada.cookies.clear()
    ada.get("/")
    assert states(ada) == ["none", "none"]


@pytest.mark.parametrize(
    ("do", "hub", "key", "said"),
    [
        ("save", "civitai", "wrong", "CivitAI does not accept this key."),
        ("save", "civitai", "a b", "This holds characters that no key has."),
        ("save", "huggingface", "hf_member", "There is no such hub."),
        ("check", "civitai", "", "This is empty."),
    ],
)
def test_what_is_no_key_is_not_kept(ada: TestClient, do: str, hub: str, key: str, said: str) -> None:
    assert send(ada, do, hub, key).startswith(said)
    assert states(ada) == ["none", "none"]


def test_no_page_has_a_visitors_key(ada: TestClient) -> None:
    send(ada, "save", key=ADA["replicate"])
    assert ADA["replicate"] not in ada.get("/settings").text
    assert ADA["replicate"] not in ada.post("/settings/key", data={"hub": "replicate", "do": "check"}).text
