"""Pulling a LoRA that has several homes: the same bytes on Hugging Face and CivitAI."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.ref import Ref
from hub_ui import services
from hub_ui.settings import from_environment
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.library.shared_hubs import CIVITAI, HUGGINGFACE, Line, answering, copied, with_two_homes


@pytest.fixture(name="two_homes")
def one_file_on_two_hubs(tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubEndpoints]:
    """The catalog knows both."""
    with answering(with_two_homes(copied(tmp_path / "hubs")), monkeypatch) as hubs:
        assert line("show", HUGGINGFACE)[0] == line("show", "civitai:1001")[0] == 0
        yield hubs


def pulled(line: Line, ref: str) -> str:
    code, item = line("pull", ref)
    assert code == 0
    return str(item["ref"]).partition("@")[0]


def test_the_other_homes_are_shown_and_a_card_is_pulled_from_the_one_that_needs_no_key_unless_it_is_pinned(
    two_homes: HubEndpoints, line: Line
) -> None:
    assert line("show", "civitai:1001")[1]["homes"] == ["huggingface:maker/history"]
    assert line("show", HUGGINGFACE)[1]["homes"] == ["civitai:1001"]
    assert pulled(line, "civitai:1001") == "huggingface:maker/history"
    assert pulled(line, CIVITAI) == "civitai:1001"


def test_what_was_pulled_from_another_home_is_installed(two_homes: HubEndpoints, line: Line) -> None:
    for _ in range(2):
        assert pulled(line, "civitai:1001") == "huggingface:maker/history"
    with services.build(from_environment(os.environ)) as built:
        entry = built.downloads.find_installed(Ref.parse("civitai:1001"))
        assert (entry, built.library.entries()) == (built.library.entries()[0], (entry,))
        assert built.downloads.find_installed(Ref.parse(CIVITAI)) is None


def test_with_both_keys_it_is_as_asked(two_homes: HubEndpoints, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIVITAI_TOKEN", "key")
    assert pulled(line, "civitai:1001") == "civitai:1001"


def test_a_home_that_fails_is_no_reason_to_give_up(two_homes: HubEndpoints, line: Line) -> None:
    two_homes.faults.add(Fault(kind="status", hub="huggingface", match="/maker/history", status=404))
    assert pulled(line, "civitai:1001") == "civitai:1001"
