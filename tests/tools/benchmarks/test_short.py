"""The benches in short: that they run. How long things take is for `make bench` to say, on a quiet machine."""

from pathlib import Path

import pytest

from tests.tools.benchmarks import (
    bench_adapters,
    bench_catalog,
    bench_federation,
    bench_inspection,
    bench_memory,
    bench_page,
    bench_start,
    bench_visitors,
)
from tests.tools.benchmarks.figures import Figure


def names(figures: list[Figure]) -> list[str]:
    return [figure.name for figure in figures]


@pytest.mark.tools
def test_the_catalog_is_timed_against_fts5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_UI_BENCH_FOLDER", str(tmp_path))
    [rarer, common, wider, first, add, *_] = bench_catalog.figures(loras=300, count=8, added=50)
    assert {rarer.against, common.against} == {"the same on SQLite FTS5"}
    assert wider.name == "p95 of the same with all rings (aim 80 ms)"
    assert first.name == "first search after 24 new (aim 60 ms)"
    assert add.against == "prepared rows into FTS5"


@pytest.mark.tools
def test_searches_are_timed_against_single_hubs() -> None:
    assert names(bench_federation.figures(runs=1)) == ["all results", "first cards", "cards beside a hub that hangs"]


@pytest.mark.tools
def test_the_first_page_comes_without_torch() -> None:
    assert bench_start.seconds_to_serve(bench_start.OURS) > 0


@pytest.mark.tools
@pytest.mark.parametrize("words", [(), ("hosted",)])
def test_an_idle_app_is_measured(words: tuple[str, ...]) -> None:
    assert bench_start.percent_of_a_core(bench_start.OURS, *words, settle=0, seconds=0.5) >= 0


@pytest.mark.tools
def test_visitors_are_timed_also_while_hubs_fail() -> None:
    found = list(bench_visitors.figures(numbers=(3,), rest=0.1, seconds=2))
    assert names(found)[3] == "p95 of 3 visitors, one hub hanging and one answering 500: search"
    assert min(found[0].ours, found[3].ours, found[-1].ours) > 0


@pytest.mark.tools
@pytest.mark.browser
def test_the_page_is_timed_beside_an_empty_gradio_page() -> None:
    ready, script, *others = bench_page.figures(runs=1)
    assert (ready.name, script.name) == ("a visit to its first card", "script of a visit")
    assert min(each.ours for each in (ready, script, *others)) > 0


@pytest.mark.tools
def test_inspection_is_timed_against_parsing() -> None:
    assert names(bench_inspection.figures(files=8, runs=1)) == [
        "inspect 8 files, each on its own",
        "inspect 8 files of a folder",
    ]


@pytest.mark.tools
def test_files_that_stream_at_once_are_not_held_in_memory() -> None:
    [held] = bench_memory.figures(size=64 * bench_memory.MIB)
    assert held.ours < 100


@pytest.mark.tools
def test_switching_between_more_loras_than_are_kept_takes_no_more_memory(tmp_path: Path) -> None:
    [kept] = bench_adapters.memory(tmp_path, loras=8, switches=24)
    assert kept.ratio < 1.1


def test_a_figure_tells_its_ratio_both_sides_and_whether_it_is_good() -> None:
    figure = Figure(name="search", ours=0.12, other=0.1, against="the hub alone", target=1.1)
    assert str(figure) == "search: 1.20 (120.0 ms against 100.0 ms, the hub alone; target 1.1)   MISSED"
