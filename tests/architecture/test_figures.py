"""How large the source is and of what, and that its names use the standard words instead of old ones."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from tests.architecture.figures import (
    called_once,
    count_nodes,
    dense_share,
    figures,
    is_participle,
    length,
    repetitions,
)
from tests.architecture.sources import Source, read_sources

SOURCES = read_sources()
SHIPPED = [source for source in SOURCES if source.is_shipped]


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


def test_counts_expressions_and_statements_but_no_imports() -> None:
    assert count_nodes([source("import os\nx = os.name\n")]) == 4


def test_dense_lines_hold_more_than_twelve_nodes() -> None:
    twelve, thirteen = "f(1, 2, 3, 4, 5, 6, 7, 8, 9)\n", "f(1, 2, 3, 4, 5, 6, 7, 8, 9, 0)\n"
    assert dense_share([source(twelve + thirteen)]) == 50


# The kind of what is named, and a word that it must not have for a name.
OLD = [line.split("\t") for line in Path(__file__).with_name("old_words.tsv").read_text().splitlines()]
MODULES, CLASSES, FUNCTIONS = (
    frozenset(word for of, word in OLD if of == kind) for kind in ("module", "class", "function")
)


def names(source: Source) -> Iterator[tuple[str, frozenset[str]]]:
    """The names that a module defines, each with the words it must not use."""
    yield source.module.rpartition(".")[2], MODULES
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef):
            yield node.name.lstrip("_"), CLASSES
    for function in source.functions:
        yield function.name.lstrip("_"), FUNCTIONS


def test_no_name_is_an_old_word() -> None:
    assert [f"{source.module}: {name}" for source in SHIPPED for name, old in names(source) if name in old] == []


@pytest.mark.parametrize("text", ["class _Sheet: ...", "class A:\n    def told(self): ...", "def _held(): ..."])
def test_an_old_word_is_seen_wherever_it_stands(text: str) -> None:
    assert any(name in old for name, old in names(source(text)))


def constants(source: Source) -> Iterator[str]:
    """The names that a module assigns at its top, as often as it does."""
    for node in source.tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        assigned = (name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))
        yield from (name for name in assigned if name != "_")


def test_a_module_gives_a_name_once() -> None:
    counted = {source.module: Counter(constants(source)) for source in SHIPPED}
    assert [f"{module}: {name}" for module, found in counted.items() for name, n in found.items() if n > 1] == []
