"""The tests of a module: those that mirror it, those that import it, and those of what stands beside it."""

import ast
import os
from collections.abc import Mapping, Set
from functools import cache
from pathlib import Path, PurePosixPath

# They drive a browser, or run all of the tests' tools.
_TOOLS = ("benchmarks", "gpu", "mutants", "chaos", "fuzz")
_LEFT_OUT = ("tests/browser/", "tests/docs/", *(f"tests/tools/{name}/" for name in _TOOLS))


def find_tests(root: Path, path: str, most: int) -> tuple[str, ...]:
    """At most so many files: the mirror, then those that import the module or, without a mirror, lie where it would be,
    the nearest first.
    """
    source = PurePosixPath(path)
    module, folder = ".".join(source.with_suffix("").parts).removesuffix(".__init__"), "tests" / source.parent
    tests = _tests(root)
    mirrors = {name for name in tests if _is_mirror(PurePosixPath(name), folder, module.rpartition(".")[2])}
    beside = {name for name in tests if PurePosixPath(name).parent == folder} if not mirrors else set()
    found = mirrors | beside | {name for name, imports in tests.items() if module in imports}

    def order(name: str) -> tuple[bool, int, str]:
        common = os.path.commonpath([PurePosixPath(name).parent, folder])
        steps = len(PurePosixPath(name).parts) - 2 * len(PurePosixPath(common).parts)
        return name not in mirrors, steps, name

    return tuple(sorted(found, key=order)[:most])


def _is_mirror(test: PurePosixPath, folder: PurePosixPath, stem: str) -> bool:
    """test_engine.py and test_engine_bases.py mirror engine.py, and so does what is in the folder engine/."""
    is_named = test.stem == f"test_{stem}" or test.stem.startswith(f"test_{stem}_")
    return test.parent == folder / stem or (test.parent == folder and is_named)


@cache
def _tests(root: Path) -> Mapping[str, Set[str]]:
    """The files of tests, and what each imports."""
    files = sorted((root / "tests").rglob("test_*.py"))
    names = {path.relative_to(root).as_posix(): path for path in files}
    return {name: _imports(path) for name, path in names.items() if not name.startswith(_LEFT_OUT)}


@cache
def _imports(file: Path) -> Set[str]:
    """The names of the modules that a file imports, and of what it takes from them."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.update((node.module, *(f"{node.module}.{alias.name}" for alias in node.names)))
    return modules
