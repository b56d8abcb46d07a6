from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest

from connectors.errors import HubDown, HubUiError, KeyRequired, RateLimited
from hub_ui.catalog.crawl import Progress
from hub_ui.commands import cli
from hub_ui.commands.catalog import describe, exit_code, read_time
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.library.shared_hubs import Line

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("hubs")
NO_KEY = KeyRequired("Replicate wants a key.", hub="replicate")
DOWN = HubDown("CivitAI can't be reached.", hub="civitai")
SLOW = RateLimited("CivitAI asks to slow down.", hub="civitai")


def test_a_catalog_is_the_same_file_elsewhere(line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_UI_HOME", str(tmp_path / "one"))
    code, crawled = line("crawl")
    assert (code, crawled["stopped"], [hub["error"] for hub in crawled["hubs"]]) == (0, False, [None] * 3)
    assert [(hub["hub"], hub["complete"], hub["new"] > 0) for hub in crawled["hubs"]] == [
        ("civitai", True, True), ("huggingface", True, True), ("replicate", True, True),
    ]  # fmt: skip
    code, written = line("catalog", "export", str(tmp_path / "one.zst"))
    assert (code, written["loras"] > 3, written["unreadable"]) == (0, True, 0)
    monkeypatch.setenv("HUB_UI_HOME", str(tmp_path / "two"))
    line("catalog", "import", str(tmp_path / "one.zst"), "--hosted")
    assert line("search", "", "--offline")[1]["results"] == []
    code, read = line("catalog", "import", str(tmp_path / "one.zst"))
    assert (code, read["loras"], read["changed"], read["foreign"]) == (0, written["loras"], written["loras"], 0)
    assert line("search", "", "--offline")[1]["results"] != []
    line("catalog", "export", str(tmp_path / "two.zst"))
    assert (tmp_path / "one.zst").read_bytes() == (tmp_path / "two.zst").read_bytes()


def test_a_person_reads_a_table_of_a_crawl_and_sentences_on_the_catalog(line: Line, tmp_path: Path) -> None:
    code, text = line.words("crawl", "--hub", "civitai")
    header, row = (one.split() for one in text.splitlines())
    assert (code, header[:3], row[0], row[-1]) == (0, ["HUB", "PAGES", "NEW"], "CivitAI", "complete")
    line.words("crawl", "--hub", "civitai", "--base", "sdxxl")
    assert "No base model is called “sdxxl”" in line.err
    path = tmp_path / "c.zst"
    assert "LoRAs in" in line.words("catalog", "export", str(path))[1]
    assert "0 of them new or changed" in line.words("catalog", "import", str(path))[1]
    assert line.words("catalog", "stats")[1].startswith("CivitAI")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("catalog", "expart", "c.zst"), 2),
        (("catalog", "export"), 2),
        (("catalog", "stats", "c.zst"), 2),
        (("catalog", "import", "missing.zst"), 4),
        (("catalog", "import", __file__), 7),
        (("catalog", "import", "."), 2),
        (("catalog", "export", "/"), 2),
        (("crawl", "--since", "soon"), 2),
        (("crawl", "--hub", "civit"), 2),
        (("crawl", "--limit", "0"), 2),
    ],
)
def test_what_cannot_be_done_has_its_exit_code(line: Line, words: tuple[str, ...], code: int) -> None:
    assert line(*words)[0] == code


def test_a_hub_that_fails_gives_the_exit_code_and_the_others_are_read(line: Line, hubs: HubEndpoints) -> None:
    hubs.faults.add(Fault(kind="status", hub="civitai", status=451))
    code, document = line("crawl")
    assert code == 3
    assert [hub["complete"] for hub in document["hubs"]] == [False, True, True]
    assert document["hubs"][0]["error"] == "RegionBlocked"


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("30d", NOW - timedelta(days=30)),
        ("12h", NOW - timedelta(hours=12)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T10:00:00+00:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("999999y", datetime(2000, 1, 1, tzinfo=UTC)),
        ("0001-01-01", datetime(2000, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_time_is_a_date_or_an_age(text: str, time: datetime) -> None:
    assert read_time(text, NOW) == time


@pytest.mark.parametrize(
    ("errors", "chosen", "code"),
    [
        ((None, None), False, 0),
        ((None, NO_KEY), False, 0),
        ((None, NO_KEY), True, 3),
        ((NO_KEY, NO_KEY), False, 3),
        ((DOWN, NO_KEY), False, 5),
        ((None, DOWN), False, 5),
        ((SLOW, DOWN), False, 6),
    ],
)
def test_the_exit_code_is_of_the_worst_failure(errors: tuple[HubUiError | None, ...], chosen: bool, code: int) -> None:
    hubs = [Progress(hub="civitai", label="CivitAI", error=error) for error in errors]
    assert exit_code(hubs, chosen=chosen) == code


def test_the_line_of_progress_has_counts_the_rate_the_time_left_and_what_is_waited_for() -> None:
    done = Progress(hub="replicate", label="Replicate", new=25, ended=True, fraction=1.0)
    half = Progress(hub="civitai", label="CivitAI", new=1000, unchanged=200, fraction=0.5, seconds=60.0)
    text, fraction = describe([half, done], 60.0)
    assert text == "CivitAI 1,200 · Replicate 25 · 20 LoRAs/s · about 1 min left"
    assert fraction == 0.5
    assert describe([Progress(hub="civitai", label="CivitAI", waits="Slow down.")], 1.0)[0].endswith("Slow down.")


def test_ctrl_c_ends_it_cleanly_and_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, line: Line) -> None:
    monkeypatch.setattr("hub_ui.catalog.crawl.wait", Mock(side_effect=KeyboardInterrupt))
    assert line.run("crawl", "--hub", "civitai") == cli.INTERRUPTED
    assert "Stopped. The same command goes on from here." in line.err
