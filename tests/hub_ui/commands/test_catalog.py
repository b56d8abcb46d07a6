from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.library.shared_hubs import Line

NewHome = Callable[[str], None]


@pytest.fixture
def new_home(hubs: HubEndpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NewHome:
    """Another computer."""
    return lambda name: monkeypatch.setenv("HUB_UI_HOME", str(tmp_path / name))


def test_a_catalog_moves_to_another_computer_and_is_the_same_file_there(
    line: Line, new_home: NewHome, tmp_path: Path
) -> None:
    new_home("one")
    line("crawl")
    code, written = line("catalog", "export", str(tmp_path / "one.zst"))
    assert (code, written["loras"] > 3, written["unreadable"]) == (0, True, 0)
    new_home("two")
    code, read = line("catalog", "import", str(tmp_path / "one.zst"))
    assert (code, read["loras"], read["changed"], read["foreign"]) == (0, written["loras"], written["loras"], 0)
    line("catalog", "export", str(tmp_path / "two.zst"))
    assert (tmp_path / "one.zst").read_bytes() == (tmp_path / "two.zst").read_bytes()


def test_two_catalogs_that_got_the_same_loras_in_their_own_ways_are_the_same_file(
    line: Line, new_home: NewHome, tmp_path: Path
) -> None:
    new_home("one")
    line("crawl")
    line("catalog", "export", str(tmp_path / "one.zst"))
    new_home("two")
    for hub in ("replicate", "huggingface", "civitai"):
        line("crawl", "--hub", hub, "--limit", "1")
        line("crawl", "--hub", hub)
    line("crawl", "--since", "all")
    line("catalog", "export", str(tmp_path / "two.zst"))
    assert (tmp_path / "one.zst").read_bytes() == (tmp_path / "two.zst").read_bytes()


def test_ones_own_export_says_nothing_new_and_sets_no_time_back(line: Line, new_home: NewHome, tmp_path: Path) -> None:
    new_home("one")
    line("crawl")
    before = line("catalog", "stats")[1]
    line("catalog", "export", str(tmp_path / "c.zst"))
    assert line("catalog", "import", str(tmp_path / "c.zst"))[1]["changed"] == 0
    assert line("catalog", "stats")[1] == before


def test_what_is_imported_is_found_offline(line: Line, new_home: NewHome, tmp_path: Path) -> None:
    new_home("one")
    line("crawl", "--hub", "civitai")
    line("catalog", "export", str(tmp_path / "c.zst"))
    new_home("two")
    line("catalog", "import", str(tmp_path / "c.zst"), "--hosted")
    assert line("search", "", "--offline")[1]["results"] == []
    line("catalog", "import", str(tmp_path / "c.zst"))
    assert line("search", "", "--offline")[1]["results"] != []


def test_stats_count_what_is_there(line: Line, new_home: NewHome) -> None:
    new_home("one")
    _, empty = line("catalog", "stats")
    _, crawled = line("crawl", "--hub", "civitai")
    code, stats = line("catalog", "stats")
    assert (code, empty["loras"], stats["loras"]) == (0, {}, {"civitai": crawled["hubs"][0]["new"]})


def test_a_person_reads_sentences(line: Line, new_home: NewHome, tmp_path: Path) -> None:
    new_home("one")
    line("crawl", "--hub", "civitai")
    path = tmp_path / "c.zst"
    assert "LoRAs in" in line.words("catalog", "export", str(path))[1]
    assert "0 of them new or changed" in line.words("catalog", "import", str(path))[1]
    assert line.words("catalog", "stats")[1].startswith("CivitAI")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("expart", "c.zst"), 2),
        (("export",), 2),
        (("stats", "c.zst"), 2),
        (("import", "missing.zst"), 4),
        (("import", __file__), 7),
    ],
)
def test_what_cannot_be_done_has_its_exit_code(
    line: Line, new_home: NewHome, words: tuple[str, ...], code: int
) -> None:
    new_home("one")
    assert line("catalog", *words)[0] == code
