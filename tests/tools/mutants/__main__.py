"""`python -m tests.tools.mutants`: changes modules at random, one place at a time, and whether their tests notice.

A mutant is caught where the types no longer fit, where a test fails, or where the tests take far longer than they do
without it.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from random import Random

from tests.architecture.sources import Source, imports
from tests.tools.mutants.mutations import Mutant, choose

ROOT = Path(__file__).resolve().parents[3]
_SOURCES = ("connectors", "hub_ui")
# Made by programs, or run by nobody but who made the demo's data.
_NO_SOURCES = ("hub_ui/demo/build/",)
# The tests of a mutant may take so many times as long as without it, and a while more on a busy machine.
_TIMES = 3
_MORE_SECONDS = 30.0
_LONGEST = 900.0
# pytest's exit codes.
_PASSED, _NONE = 0, 5
# They drive a browser, or run all of the tests' tools.
_TOOLS = ("benchmarks", "gpu", "mutants", "chaos", "fuzz")
_LEFT_OUT = ("tests/browser/", "tests/docs/", *(f"tests/tools/{name}/" for name in _TOOLS))


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """`is_caught` is None where the tests fail without the mutant, so that they say nothing about it."""

    mutant: Mutant
    is_caught: bool | None
    note: str = ""

    def __str__(self) -> str:
        word, mutant = {True: "caught  ", False: "SURVIVED", None: "unknown "}[self.is_caught], self.mutant
        note = f" ({self.note})" if self.note else ""
        return f"{word} {mutant.path}:{mutant.line}, {mutant.kind}{note}\n  - {mutant.old}\n  + {mutant.new}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.mutants")
    parser.add_argument("paths", nargs="*", metavar="PATH", help="modules or folders; those that changed if not given")
    parser.add_argument("--since", default="HEAD~1", metavar="COMMIT", help="what counts as changed (HEAD~1)")
    parser.add_argument("--count", type=int, default=40, metavar="N")
    parser.add_argument("--seed", type=int, help="a run with the same seed has the same mutants; drawn if not given")
    parser.add_argument("--files", type=int, default=8, metavar="N", help="so many test files for a module at most")
    asked = parser.parse_args(arguments)
    paths = sources(ROOT, asked.paths) if asked.paths else changed_since(ROOT, asked.since)
    if not paths:
        print(f"No module has changed since {asked.since}. Name modules or folders, or another commit: --since COMMIT")
        return 2
    seed = asked.seed if asked.seed is not None else Random().randrange(10**6)
    print(f"{asked.count} mutants of {len(paths)} modules, seed {seed}", flush=True)
    outcomes = []
    for outcome in run(ROOT, choose(ROOT, paths, asked.count, seed), most_files=asked.files):
        print(outcome, flush=True)
        outcomes.append(outcome)
    known = [outcome.is_caught for outcome in outcomes if outcome.is_caught is not None]
    print(f"{sum(known)} of {len(known)} caught ({sum(known) / max(1, len(known)):.0%}), seed {seed}")
    return 0


def sources(root: Path, names: Sequence[str]) -> list[str]:
    """The modules that are named, or in the folders that are."""
    places = [root / name for name in names]
    if missing := [place for place in places if not place.exists()]:
        raise SystemExit(f"There is no {missing[0]}.")
    files = (file for place in places for file in ([place] if place.is_file() else sorted(place.rglob("*.py"))))
    return _only_sources(file.resolve().relative_to(root).as_posix() for file in files)


def changed_since(root: Path, commit: str) -> list[str]:
    command = ["git", "diff", "--name-only", "--diff-filter=d", commit, "--", *_SOURCES]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.strip())
    return _only_sources(done.stdout.splitlines())


def _only_sources(names: Iterator[str] | list[str]) -> list[str]:
    return [name for name in names if name.endswith(".py") and not name.startswith(_NO_SOURCES)]


def run(
    root: Path, mutants: Sequence[Mutant], *, most_files: int = 8, more_seconds: float = _MORE_SECONDS
) -> Iterator[Outcome]:
    """One at a time in a copy of the tree."""
    checks: dict[str, _Checks] = {}
    with copied(root) as tree:
        for mutant in mutants:
            if mutant.path not in checks:
                tests = find_tests(root, mutant.path, most_files)
                checks[mutant.path] = _Checks(tree, mutant.path, tests, more_seconds)
            yield checks[mutant.path].try_out(mutant)


class _Checks:
    """What a module has to pass: the types of it alone, and the tests. First each is tried without a mutant."""

    def __init__(self, tree: Path, path: str, tests: Sequence[str], more_seconds: float) -> None:
        self._tree, self._path, self._tests, self._more_seconds = tree, path, tests, more_seconds

    @cached_property
    def _is_typed(self) -> bool:
        return _run_mypy(self._tree, self._path) == _PASSED

    @cached_property
    def _limit(self) -> float | None:
        """The seconds that the tests may take, None where they fail."""
        began = time.monotonic()
        if _run_tests(self._tree, self._tests, _LONGEST) != _PASSED:
            return None
        return _TIMES * (time.monotonic() - began) + self._more_seconds

    def try_out(self, mutant: Mutant) -> Outcome:
        if self._is_typed:
            with _written(self._tree / self._path, mutant.source):
                if _run_mypy(self._tree, self._path) != _PASSED:
                    return Outcome(mutant=mutant, is_caught=True, note="by its types")
        if not self._tests:
            return Outcome(mutant=mutant, is_caught=False, note="it has no tests")
        if self._limit is None:
            return Outcome(mutant=mutant, is_caught=None, note="its tests fail without it")
        with _written(self._tree / self._path, mutant.source):
            code = _run_tests(self._tree, self._tests, self._limit)
        return Outcome(mutant=mutant, is_caught=code != _PASSED, note="too slow" if code is None else "")


@contextmanager
def _written(place: Path, source: str) -> Iterator[None]:
    original = place.read_bytes()
    try:
        place.write_bytes(source.encode())
        yield
    finally:
        place.write_bytes(original)


@contextmanager
def copied(root: Path) -> Iterator[Path]:
    """The files that git has or would take, with the cache of mypy, beside what lies beside the tree."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout.decode().split("\0")
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = Path(folder) / root.name
        for name in filter(None, names):
            if (root / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, tree / name)
        if (shared := root.parent / "shared").is_dir():
            (tree.parent / "shared").symlink_to(shared)
        if (cache := root / ".mypy_cache").is_dir():
            shutil.copytree(cache, tree / ".mypy_cache")
        yield tree


def _run_mypy(tree: Path, path: str) -> int:
    """mypy's exit code for one module: seconds with the cache of `make lint`, minutes without."""
    command = [sys.executable, "-m", "mypy", path]
    return subprocess.run(command, cwd=tree, capture_output=True, check=False).returncode


def _run_tests(tree: Path, tests: Sequence[str], seconds: float) -> int | None:
    """pytest's exit code, None where the time was over. No test at all counts as passed."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not browser", "-p", "no:cacheprovider", *tests]
    # No bytecode: it is told from another by size and second alone. The path outdoes an installed package.
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tree)}
    process = subprocess.Popen(
        command, cwd=tree, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        code = process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return _PASSED if code == _NONE else code


def find_tests(root: Path, path: str, most: int) -> tuple[str, ...]:
    """The tests of a module: its mirror, then those that import it or, without a mirror, lie where it would be, the
    nearest first. At most so many files.
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
    source = Source(module=file.stem, path=file, text=file.read_text(encoding="utf-8"))
    targets = {found.target for found in imports(source)}
    return targets | {target.rpartition(".")[0] for target in targets}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
