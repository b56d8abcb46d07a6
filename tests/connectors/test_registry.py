"""Every hub of the registry against connectors/ADDING_A_HUB.md."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import get_args

import pytest

import connectors
from connectors import CONNECTORS, ref
from connectors.connector import Connector
from connectors.http.session import Endpoint
from connectors.ref import HubName, Ref
from hub_ui import settings

HUBS = tuple(CONNECTORS)
ROOT = Path(connectors.__file__).parents[1]
STEPS = Path(connectors.__file__).with_name("ADDING_A_HUB.md").read_text(encoding="utf-8")
EXAMPLES: dict[HubName, str] = {
    "civitai": "civitai:4128@41280#9001",
    "huggingface": f"huggingface:a/b@{'a1' * 20}#x.safetensors",
    "replicate": f"replicate:a/b@{'b2' * 32}",
}


def test_the_registry_is_alphabetical_and_complete() -> None:
    assert list(HUBS) == sorted(get_args(HubName))


def test_the_steps_touch_four_files_at_most() -> None:
    touched = re.findall(r"^## \d+\. `([^`]+)`", STEPS, re.MULTILINE)
    assert 0 < len(touched) <= 4
    known = [path for path in touched if "examplehub" not in path]
    assert [path for path in known if not (ROOT / path).is_file()] == []


def test_every_name_the_steps_mention_exists() -> None:
    section = re.split(r"^## ", STEPS, flags=re.MULTILINE)
    named_in_ref = re.findall(r"`([A-Z_]+)`", section[1])
    assert [name for name in named_in_ref if not hasattr(ref, name)] == []
    named_in_settings = re.findall(r"`([A-Z_]{8,})`", section[4])
    assert [name for name in named_in_settings if not hasattr(settings, name)] == []


@pytest.mark.parametrize("hub", HUBS)
def test_a_hub_is_named_in_every_place_of_the_steps(hub: HubName) -> None:
    assert hub in ref.PINNED
    assert hub in ref._ID
    assert ref._ALIASES[hub] == hub
    assert hub in {name for name, _ in ref._ADDRESSES}
    assert hub in settings.REAL_ENDPOINTS
    assert hub in settings.ENDPOINT_VARIABLES
    assert hub in settings.TOKEN_VARIABLES


@pytest.mark.parametrize("hub", HUBS)
def test_a_connector_has_the_name_the_label_and_the_four_methods(hub: HubName) -> None:
    kind = CONNECTORS[hub]
    assert (kind.name, kind.__module__) == (hub, f"connectors.{hub}")
    assert kind.label
    for method in ("search", "get", "pin", "download"):
        ours, theirs = inspect.signature(getattr(kind, method)), inspect.signature(getattr(Connector, method))
        assert list(ours.parameters) == list(theirs.parameters)


@pytest.mark.parametrize("hub", HUBS)
def test_a_connector_is_built_from_an_endpoint_and_asks_nothing(hub: HubName) -> None:
    connector = CONNECTORS[hub](Endpoint(hub=hub, label="x", url="http://127.0.0.1:1"))
    assert connector.name == hub


@pytest.mark.parametrize("hub", HUBS)
def test_a_pinned_ref_of_the_hub_survives_printing(hub: HubName) -> None:
    parsed = Ref.parse(EXAMPLES[hub])
    assert (str(parsed), parsed.hub, parsed.pinned) == (EXAMPLES[hub], hub, True)


def test_building_takes_the_hubs_that_have_an_address_with_their_keys() -> None:
    built = connectors.build({"replicate": "http://127.0.0.1:1", "civitai": "http://127.0.0.1:2"}, {"replicate": "k"})
    assert [connector.name for connector in built] == ["civitai", "replicate"]
    assert "k" not in repr(built)


def test_the_real_hubs_can_be_built() -> None:
    assert len(connectors.build(settings.REAL_ENDPOINTS, {})) == len(HUBS)
