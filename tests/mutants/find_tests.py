"""The tests of a module: those that mirror it, and those that import it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import cache
from pathlib import Path, PurePosixPath

# They drive a browser, or run all of the tests' tools.
_LEFT_OUT = ("browser", "docs", "benchmarks", "gpu", "mutants", "chaos", "fuzz")


def find_tests(root: Path, path: str, most: int) -> tuple[str, ...]:
    """At most so many files: the mirror first, then those nearest to it."""
    source = PurePosixPath(path)
    module = ".".join(source.with_suffix("").parts).removesuffix(".__init__")
    stem, folder = module.rpartition(".")[2], PurePosixPath("tests") / source.parent
    found = {name: imports for name, imports in _imports(root) if module in imports}
    mirrors = {name for name, _ in _imports(root) if _is_mirror(PurePosixPath(name), folder, stem)}

    def distance(name: str) -> tuple[bool, int, str]:
        place = PurePosixPath(name).parent
        shared = len([1 for one, other in zip(place.parts, folder.parts, strict=False) if one == other])
        return name not in mirrors, -shared, name

    return tuple(sorted(mirrors | found.keys(), key=distance)[:most])


def _is_mirror(test: PurePosixPath, folder: PurePosixPath, stem: str) -> bool:
    """test_engine.py and test_engine_turns.py mirror engine.py."""
    return test.parent == folder and (test.stem == f"test_{stem}" or test.stem.startswith(f"test_{stem}_"))


@cache
def _imports(root: Path) -> Sequence[tuple[str, frozenset[str]]]:
    """The names of modules that each file of tests imports."""
    found = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        name = path.relative_to(root)
        if name.parts[1] in _LEFT_OUT:
            continue
        modules: set[str] = set()
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                modules.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.update((node.module, *(f"{node.module}.{alias.name}" for alias in node.names)))
        found.append((name.as_posix(), frozenset(modules)))
    return found
