"""Names must use the standard words instead of those listed here."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import Source, read_sources

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


SOURCES = [source for source in read_sources() if source.is_shipped]


def test_no_name_is_an_old_word() -> None:
    assert [f"{source.module}: {name}" for source in SOURCES for name, old in names(source) if name in old] == []


@pytest.mark.parametrize("text", ["class _Sheet: ...", "class A:\n    def told(self): ...", "def _held(): ..."])
def test_an_old_word_is_seen_wherever_it_stands(text: str) -> None:
    source = Source(module="made_up", path=SOURCES[0].path, text=text)
    assert any(name in old for name, old in names(source))


def constants(source: Source) -> Iterator[str]:
    """The names that a module assigns at its top, as often as it does."""
    for node in source.tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        assigned = (name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))
        yield from (name for name in assigned if name != "_")


def test_a_module_gives_a_name_once() -> None:
    counted = {source.module: Counter(constants(source)) for source in SOURCES}
    assert [f"{module}: {name}" for module, found in counted.items() for name, n in found.items() if n > 1] == []
