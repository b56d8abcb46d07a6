from pathlib import Path
from statistics import median

import pytest

from tests.architecture.figures import called_once, figures, is_participle, length, repetitions
from tests.architecture.sources import Source, read_sources

SOURCES = read_sources()


def test_the_shipped_source_keeps_its_limits() -> None:
    over = [figure for figure in figures(SOURCES) if figure.value > figure.most]
    assert over == [], "\n".join("\n".join((str(figure), *figure.found)) for figure in over)


def test_no_file_is_over_500_lines() -> None:
    assert {s.module: len(s.lines) for s in SOURCES if len(s.lines) > 500} == {}


def test_half_of_all_functions_are_at_most_ten_lines() -> None:
    assert median(length(function) for source in SOURCES for function in source.functions) <= 10


@pytest.mark.parametrize("name", ["told", "_asked", "kept_files", "_settled"])
def test_a_participle_is_seen(name: str) -> None:
    assert is_participle(name)


@pytest.mark.parametrize("name", ["read", "find_installed", "embed", "_need", "is_shared", "red"])
def test_a_verb_or_noun_is_no_participle(name: str) -> None:
    assert not is_participle(name)


def source(text: str) -> Source:
    return Source(module="made_up", path=Path("made_up.py"), text=text)


def test_a_private_function_that_is_called_once_is_counted() -> None:
    text = "def _once(): ...\ndef _twice(): ...\ndef public(): ...\n_once(), _twice(), _twice(), public()\n"
    assert [function.name for function in called_once(source(text))] == ["_once"]


def test_a_run_of_equal_lines_is_found_wherever_it_stands() -> None:
    run = "".join(f"x{number} = {number}\n" for number in range(12))
    assert repetitions([source(f"a = 1\n{run}"), source(run)]) == [["made_up:2", "made_up:1"]]
    assert repetitions([source(run), source(run.replace("x5", "y"))]) == []
