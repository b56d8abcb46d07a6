from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.account import account_name
from connectors.errors import HubDown, KeyRequired
from connectors.http.session import Endpoint
from connectors.registry import HUBS
from hub_ui.demo.hubs.server import running_hubs


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Each hub accepts one key."""
    data = tmp_path_factory.mktemp("data")
    keys = '{"tokens": {"huggingface": ["good"], "civitai": ["good"], "replicate": ["good"]}}'
    (data / "access.json").write_text(keys)
    with running_hubs(data) as hubs:
        yield {"huggingface": hubs.huggingface, "civitai": hubs.civitai, "replicate": hubs.replicate}


@pytest.mark.parametrize("hub", list(HUBS))
def test_a_hub_says_whose_key_it_is(urls: dict[str, str], hub: str) -> None:
    assert account_name(Endpoint(hub=hub, label=hub, url=urls[hub]), "good") == "local"


@pytest.mark.parametrize("hub", list(HUBS))
def test_a_key_that_is_none_is_refused_without_being_shown(urls: dict[str, str], hub: str) -> None:
    with pytest.raises(KeyRequired, match="does not accept this key") as raised:
        account_name(Endpoint(hub=hub, label=hub, url=urls[hub]), "wr0ng")
    assert "wr0ng" not in raised.value.message


def test_a_hub_that_is_down_says_nothing_of_the_key() -> None:
    with pytest.raises(HubDown):
        account_name(Endpoint(hub="civitai", label="CivitAI", url="http://127.0.0.1:9"), "good")
