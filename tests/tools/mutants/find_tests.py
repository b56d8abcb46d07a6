"""The tests of a module: those that mirror it, those that import it, and those of what stands beside it."""

import ast
from collections.abc import Mapping, Sequence, Set
from functools import cache
from pathlib import Path, PurePosixPath

# They drive a browser, or run all of the tests' tools.
_TOOLS = ("benchmarks", "gpu", "mutants", "chaos", "fuzz")
_LEFT_OUT = ("tests/browser/", "tests/docs/", *(f"tests/tools/{name}/" for name in _TOOLS))


def find_tests(root: Path, path: str, most: int) -> tuple[str, ...]:
    """At most so many files, in this order, and the nearest first.

    The mirror; those that import the module; where nothing mirrors it, those of the folder that would have the mirror;
    and those that import a module of the same package which imports it.
    """
    source = PurePosixPath(path)
    module, folder = _module(source), PurePosixPath("tests") / source.parent
    tests, users = _tests(root), _users(root, source)
    mirrors = {name for name in tests if _is_mirror(PurePosixPath(name), folder, module.rpartition(".")[2])}

    def reasons(name: str) -> tuple[bool, ...]:
        is_beside = not mirrors and PurePosixPath(name).parent == folder
        return name in mirrors, module in tests[name], is_beside, not users.isdisjoint(tests[name])

    def order(name: str) -> tuple[tuple[bool, ...], int, int, str]:
        likeness = _shared(PurePosixPath(name).stem.removeprefix("test_"), source.stem)
        distance = _distance(PurePosixPath(name).parent, folder)
        return tuple(not reason for reason in reasons(name)), distance, -likeness, name

    return tuple(sorted(filter(lambda name: any(reasons(name)), tests), key=order)[:most])


def _is_mirror(test: PurePosixPath, folder: PurePosixPath, stem: str) -> bool:
    """test_engine.py and test_engine_bases.py mirror engine.py, and so does what is in the folder engine/."""
    is_named = test.stem == f"test_{stem}" or test.stem.startswith(f"test_{stem}_")
    return test.parent == folder / stem or (test.parent == folder and is_named)


def _distance(one: PurePosixPath, other: PurePosixPath) -> int:
    """The steps from one folder to the other."""
    return len(one.parts) + len(other.parts) - 2 * _shared(one.parts, other.parts)


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many items both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (a, b) in pairs if a != b), min(len(one), len(other)))


def _module(source: PurePosixPath) -> str:
    return ".".join(source.with_suffix("").parts).removesuffix(".__init__")


def _users(root: Path, source: PurePosixPath) -> Set[str]:
    """The modules of the same package that import this one."""
    beside = {_module(source.parent / file.name): _imports(file) for file in (root / source.parent).glob("*.py")}
    return {name for name, imports in beside.items() if _module(source) in imports}


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
