"""The benches in short, with limits that a busy machine keeps. `make bench` has the real targets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import bench_adapters, bench_federation, bench_inspection, bench_memory, bench_start
from tests.benchmarks.figures import Figure


def test_no_search_waits_longer_than_its_slowest_hub() -> None:
    everything, first, others = bench_federation.figures(runs=1)
    assert everything.ratio < 1.6
    assert first.ratio < 4
    assert others.ratio < 1.6


def test_the_first_page_comes_about_as_fast_as_an_empty_one_and_without_torch() -> None:
    [start] = bench_start.figures(runs=1)
    assert start.ratio < 2.5


def test_files_are_inspected_in_about_the_time_of_parsing_their_headers() -> None:
    alone, folder = bench_inspection.figures(files=48, runs=3)
    assert alone.ratio < 3
    assert folder.ratio < 1


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="how much memory a process had is read from /proc")
def test_files_that_stream_at_once_are_not_held_in_memory() -> None:
    [held] = bench_memory.figures(size=64 * bench_memory.MIB)
    assert held.ours < 100


def test_a_cached_lora_is_switched_to_quickly_and_a_strip_is_cheaper_than_its_pictures(tmp_path: Path) -> None:
    switch, strip = bench_adapters.tiny_figures(tmp_path, runs=1, steps=4)
    assert switch.ratio < 0.1
    assert strip.ratio < 1


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="how much memory a process had is read from /proc")
def test_switching_between_more_loras_than_are_kept_takes_no_more_memory(tmp_path: Path) -> None:
    [kept] = bench_adapters.memory(tmp_path, loras=8, switches=24)
    assert kept.ratio < 1.1


def test_a_figure_tells_its_ratio_both_sides_and_whether_it_is_good() -> None:
    figure = Figure(name="search", ours=0.12, other=0.1, against="the hub alone", target=1.1)
    assert str(figure) == "search: 1.20 (120.0 ms against 100.0 ms, the hub alone; target 1.1)   MISSED"
