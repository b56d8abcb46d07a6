"""`make mutants` on a tree of its own, in short."""

import subprocess
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.tools.mutants.__main__ import ROOT, changed_since, find_tests, run, sources
from tests.tools.mutants.mutations import Mutant, choose, edits

MODULE = b'''"""A module."""
import os

LIMIT: int = 5


def over(count: int, most: int = LIMIT, name: str = "x") -> bool:
    """Whether it is."""
    if count > most and name:
        raise ValueError("too many")
    return count is not None
'''
TEST = """
import pytest
from connectors.sums import add, forget

def test_sums():
    assert add(2, 3) == 5
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name, text in {
        "connectors/__init__.py": "",
        "connectors/sums.py": "def add(a, b):\n    return a + b\n\n\ndef forget(kept):\n    kept.clear()\n",
        "tests/connectors/test_sums.py": TEST,
        "pyproject.toml": '[tool.pytest.ini_options]\nmarkers = ["browser"]\n',
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    return root


def test_each_kind_of_change_is_made_where_it_can_be_and_nowhere_else() -> None:
    found = {
        (edit.kind, MODULE[edit.start : edit.stop].decode(), edit.text.decode()) for edit in edits(MODULE, Random(1))
    }
    texts = {(kind, old) for kind, old, _ in found}
    assert texts == {
        ("constant", "5"),
        ("constant", '"x"'),
        ("condition", "count > most and name"),
        ("comparison", "count > most"),
        ("and / or", "count > most and name"),
        ("statement", 'raise ValueError("too many")'),
        ("constant", '"too many"'),
        ("result", "count is not None"),
        ("comparison", "count is not None"),
    }
    assert ("condition", "count > most and name", "not (count > most and name)") in found
    assert ("and / or", "count > most and name", "count > most or name") in found


def test_mutants_of_a_seed_are_the_same_and_each_is_another_module() -> None:
    path = "connectors/http/ranges.py"
    mutants = choose(ROOT, [path], 30, 7)
    assert mutants == choose(ROOT, [path], 30, 7)
    assert mutants != choose(ROOT, [path], 30, 8)
    assert len({mutant.source for mutant in mutants}) == 30
    assert len(Counter(mutant.kind for mutant in mutants)) >= 6
    assert all(mutant.old != mutant.new for mutant in mutants)


@pytest.mark.tools
def test_a_mutant_is_caught_where_a_test_fails_or_does_not_end_and_the_tree_stays_as_it_was(tree: Path) -> None:
    source = (tree / "connectors/sums.py").read_text()

    def mutant(old: str, new: str) -> Mutant:
        return Mutant(
            path="connectors/sums.py", kind="result", line=2, old=old, new=new, source=source.replace(old, new)
        )

    changes = [
        mutant("a + b", "a - b"),
        mutant("kept.clear()", "pass"),
        mutant("return a", "while a:\n        pass\n    return a"),
    ]
    outcomes = list(run(tree, changes, more_seconds=0))
    assert [outcome.is_caught for outcome in outcomes] == [True, False, True]
    assert outcomes[2].note == "too slow"
    assert str(outcomes[1]) == "SURVIVED connectors/sums.py:2, result\n  - kept.clear()\n  + pass"
    assert (tree / "connectors/sums.py").read_text() == source


@pytest.mark.tools
def test_a_mutant_that_the_types_refuse_is_caught_without_a_test(tree: Path) -> None:
    source = "def first(of: str) -> str:\n    return of[0]\n"
    (tree / "connectors/letters.py").write_text(source)
    mutants = [
        Mutant(path="connectors/letters.py", kind="result", line=2, old=old, new=new, source=source.replace(old, new))
        for old, new in [("of[0]", "None"), ("of[0]", "of[1]")]
    ]
    outcomes = [(outcome.is_caught, outcome.note) for outcome in run(tree, mutants)]
    assert outcomes == [(True, "by its types"), (False, "")]


@pytest.mark.tools
def test_tests_that_fail_by_themselves_say_nothing(tree: Path) -> None:
    (tree / "tests/connectors/test_sums.py").write_text(TEST.replace("== 5", "== 6"))
    [outcome] = run(tree, choose(tree, ["connectors/sums.py"], 1, 1))
    assert (outcome.is_caught, outcome.note) == (None, "its tests fail without it")


def test_a_change_is_found_also_before_it_is_committed(tree: Path) -> None:
    (tree / "connectors/sums.py").write_text("x = 1\n")
    assert changed_since(tree, "HEAD") == ["connectors/sums.py"]
    assert sources(tree, ["connectors"]) == ["connectors/__init__.py", "connectors/sums.py"]


def test_the_tests_of_a_module_are_its_mirror_and_then_those_that_import_it() -> None:
    assert find_tests(ROOT, "connectors/http/ranges.py", 2) == (
        "tests/connectors/http/test_ranges.py",
        "tests/connectors/http/test_destinations.py",
    )
    assert find_tests(ROOT, "hub_ui/generate/engine.py", 99)[:2] == (
        "tests/hub_ui/generate/test_engine.py",
        "tests/hub_ui/generate/test_engine_bases.py",
    )
    assert find_tests(ROOT, "hub_ui/commands/try_.py", 1) == ("tests/hub_ui/commands/try_/test_try.py",)
