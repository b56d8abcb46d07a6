"""A process that is killed in the middle of a pull: the next one finds its way, and nothing stands in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.ref import HubName
from hub_ui.library.download.partial_file import PartialFile
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.hub_ui.library.hubs import DATA, HUBS, library_in, pull


@pytest.fixture
def hubs() -> Iterator[HubEndpoints]:
    with running_hubs(DATA) as endpoints:
        yield endpoints


@pytest.mark.parametrize("hub", HUBS)
def test_leftovers_of_a_pull_that_ended_after_it_wrote_its_entry_are_deleted(
    hubs: HubEndpoints, hub: HubName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = library_in(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(PartialFile, "remove_state", lambda _: None)
        entry = pull(hubs, hub, library)
    assert len(list(library.folder.glob(".hub-ui/*.json"))) == 1
    assert library.find_installed(entry.ref) == entry == pull(hubs, hub, library)
    assert list(library.folder.glob(".hub-ui/*.json")) == []
