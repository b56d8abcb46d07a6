"""Every hub of the registry against connectors/ADDING_A_HUB.md."""

import inspect
import pkgutil
import re
from dataclasses import fields
from pathlib import Path

import pytest

import connectors
from connectors.connector import Connector
from connectors.ref import Ref
from connectors.registry import HUBS, LOCAL, Hub, HubName, RefFormat, find_origin, origin_label, with_width
from hub_ui.settings import from_environment
from tests.connectors.cases import read_cases

READ = read_cases(__file__)

ROOT = Path(connectors.__file__).parents[1]
STEPS = Path(connectors.__file__).with_name("ADDING_A_HUB.md").read_text(encoding="utf-8")
EXAMPLES: dict[HubName, str] = {
    "civitai": "civitai:4128@41280#9001",
    "huggingface": f"huggingface:a/b@{'a1' * 20}#x.safetensors",
    "replicate": f"replicate:a/b@{'b2' * 32}",
}


def test_the_registry_is_alphabetical_and_complete() -> None:
    assert list(HUBS) == sorted(EXAMPLES) == sorted(hub.name for hub in HUBS.values())


def test_the_steps_touch_four_files_at_most() -> None:
    touched = re.findall(r"^## \d+\. `([^`]+)`", STEPS, re.MULTILINE)
    assert 0 < len(touched) <= 4
    known = [path for path in touched if "examplehub" not in path]
    assert [path for path in known if not (ROOT / path).is_file()] == []


def test_every_name_the_steps_mention_exists() -> None:
    row = re.split(r"^## ", STEPS, flags=re.MULTILINE)[1]
    named = re.findall(r"^- ((?:`[a-z_]+`(?:, | and )?)+)", row, re.MULTILINE)
    known = {field.name for kind in (Hub, RefFormat) for field in fields(kind)}
    assert {name for names in named for name in re.findall("`([a-z_]+)`", names)} == known - {"ref"}


@pytest.mark.parametrize("hub", HUBS)
def test_a_hub_is_named_in_every_place_of_the_steps(hub: HubName) -> None:
    row = HUBS[hub]
    assert find_origin(hub.upper()) == hub
    assert [find_origin(prefix) for prefix in row.ref.prefixes] == [hub] * len(row.ref.prefixes)
    assert row.ref.addresses
    assert row.endpoint.startswith("https://")
    assert row.key_page.startswith("https://")
    assert Ref.parse(row.example.replace("MODEL@VERSION", "1@2").split()[0]).hub == hub


@pytest.mark.parametrize("hub", HUBS)
def test_a_connector_has_the_four_methods(hub: HubName) -> None:
    kind = pkgutil.resolve_name(HUBS[hub].connector)
    assert kind.__module__.startswith(f"connectors.{hub}")
    for method in ("search", "get", "download", "locate"):
        ours, theirs = inspect.signature(getattr(kind, method)), inspect.signature(getattr(Connector, method))
        assert list(ours.parameters) == list(theirs.parameters)


@pytest.mark.parametrize("hub", HUBS)
def test_a_connector_is_built_from_an_endpoint_and_asks_nothing(hub: HubName) -> None:
    [connector] = connectors.build({hub: "http://127.0.0.1:1"}, {})
    assert connector.name == hub


@pytest.mark.parametrize("hub", HUBS)
def test_a_pinned_ref_of_the_hub_survives_printing(hub: HubName) -> None:
    parsed = Ref.parse(EXAMPLES[hub])
    assert (str(parsed), parsed.hub, parsed.is_pinned) == (EXAMPLES[hub], hub, True)


def test_building_takes_the_hubs_that_have_an_address_with_their_keys() -> None:
    built = connectors.build({"replicate": "http://127.0.0.1:1", "civitai": "http://127.0.0.1:2"}, {"replicate": "k"})
    assert [connector.name for connector in built] == ["civitai", "replicate"]
    assert "k" not in repr(built)


def test_the_real_hubs_can_be_built() -> None:
    assert len(connectors.build(from_environment({}).endpoints, {})) == len(HUBS)


def test_this_computer_is_an_origin_and_no_hub() -> None:
    assert (find_origin("Local"), origin_label(LOCAL), LOCAL in HUBS) == (LOCAL, "This computer", False)
    assert find_origin("nowhere") is None


CDN = "https://image.civitai.com/account/uuid"


@pytest.mark.parametrize(("url", "width", "asked"), READ["civitai is asked for the width of the place"])
def test_civitai_is_asked_for_the_width_of_the_place(url: str, width: int | None, asked: str) -> None:
    assert with_width(url, "civitai", width) == asked


def test_a_video_is_asked_for_in_one_form_and_its_first_frame_in_another() -> None:
    url = f"{CDN}/original=true/7.mp4"
    assert with_width(url, "civitai", 450, "video") == f"{CDN}/anim=true,transcode=true,width=450/7.mp4"
    assert with_width(url, "civitai", 450, "still") == f"{CDN}/anim=false,transcode=true,width=450/7.mp4"


@pytest.mark.parametrize("origin", ["huggingface", "replicate", "local", "nobody"])
def test_other_hubs_have_one_size(origin: str) -> None:
    assert with_width(f"{CDN}/original=true/1.jpeg", origin, 450) == f"{CDN}/original=true/1.jpeg"
