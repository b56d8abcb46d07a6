"""The rules of the house, read off the sources: who imports whom, how long things get, what loads when."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Imports point to a lower number. Parts with the same number don't know each other.
LAYERS = {
    "connectors": 0,
    "hub_ui.policy": 1,
    "hub_ui.database": 2,
    "hub_ui.settings": 2,
    "hub_ui.terminal": 2,
    "hub_ui.catalog": 3,
    "hub_ui.library": 3,
    "hub_ui.generate": 3,
    "hub_ui.demo": 4,
    "hub_ui.visitors": 4,
    "hub_ui.services": 5,
    "hub_ui.training": 6,
    "hub_ui.widgets": 6,
    "hub_ui.web": 7,
    "hub_ui.pages": 8,
    "hub_ui.app": 9,
    "hub_ui.commands": 10,
    "hub_ui.cli": 11,
}
HEAVY = {"torch", "diffusers", "peft", "transformers", "accelerate", "torchvision"}
MAY_LOAD_HEAVY = ("hub_ui.generate", "hub_ui.demo.build.train")
LONGEST_FILE = 500
LONGEST_CONNECTOR = 300
LONGEST_FUNCTION = 50
BROAD_EXCEPTS = 3


@dataclass(frozen=True, kw_only=True)
class Source:
    module: str
    path: Path
    tree: ast.Module

    @property
    def lines(self) -> int:
        return len(self.path.read_text(encoding="utf-8").splitlines())


@dataclass(frozen=True, kw_only=True)
class Import:
    """`inside`: the import stands in a function. `typed`: it is for type checkers only."""

    source: str
    target: str
    inside: bool
    typed: bool

    @property
    def package(self) -> str:
        return self.target.split(".")[0]

    @property
    def heavy(self) -> bool:
        return self.package in HEAVY or self.target.startswith("safetensors.torch")

    def __str__(self) -> str:
        return f"{self.source} imports {self.target}"


def read_sources() -> list[Source]:
    paths = sorted(path for package in ("connectors", "hub_ui") for path in (ROOT / package).rglob("*.py"))
    return [
        Source(module=module_name(path), path=path, tree=ast.parse(path.read_text(encoding="utf-8"))) for path in paths
    ]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read_imports(source: Source) -> Iterator[Import]:
    functions = [node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    guards = [
        node for node in ast.walk(source.tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    ]
    typed = {id(node) for guard in guards for node in ast.walk(guard)}
    for node in ast.walk(source.tree):
        for target in imported(node):
            yield Import(source=source.module, target=target, inside=id(node) in inside, typed=id(node) in typed)


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        # `from hub_ui import services` is about hub_ui.services
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def layer(module: str) -> str | None:
    return next((name for name in LAYERS if module == name or module.startswith(name + ".")), None)


SOURCES = read_sources()
IMPORTS = [found for source in SOURCES for found in read_imports(source)]
FUNCTIONS = [
    (source.module, node)
    for source in SOURCES
    for node in ast.walk(source.tree)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
]


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_connectors_import_nothing_of_hub_ui() -> None:
    assert [str(i) for i in IMPORTS if i.source.startswith("connectors") and i.package == "hub_ui"] == []


def test_every_module_belongs_to_a_layer() -> None:
    assert [
        s.module for s in SOURCES if layer(s.module) is None and s.module not in ("hub_ui", "hub_ui.__main__")
    ] == []


def test_imports_point_one_way() -> None:
    def wrong(found: Import) -> bool:
        own, other = layer(found.source), layer(found.target)
        return own is not None and other is not None and own != other and LAYERS[other] >= LAYERS[own]

    assert [str(i) for i in IMPORTS if wrong(i)] == []


def test_torch_and_its_kin_are_imported_only_by_preview_and_training() -> None:
    heavy = [i for i in IMPORTS if i.heavy and not i.typed]
    assert [str(i) for i in heavy if not i.source.startswith(MAY_LOAD_HEAVY)] == []


def test_no_import_hides_in_a_function_but_of_torch_and_its_kin() -> None:
    assert [str(i) for i in IMPORTS if i.inside and not i.heavy] == []


@pytest.mark.parametrize("module", ["connectors", "hub_ui.cli", "hub_ui.services", "hub_ui.app"])
def test_importing_loads_neither_torch_nor_diffusers(module: str) -> None:
    assert loaded_by(f"import {module}") & HEAVY == set()


@pytest.mark.parametrize(
    "module",
    ["hub_ui.cli", *(f"hub_ui.commands.{name}" for name in ("search", "show", "inspect", "pull", "sync", "export"))],
)
def test_the_command_line_starts_without_gradio(module: str) -> None:
    assert "gradio" not in loaded_by(f"import {module}")


def loaded_by(statement: str) -> set[str]:
    """The top packages in memory after a statement, in a Python of its own."""
    script = f"import sys; {statement}; print(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_no_file_is_over_500_lines() -> None:
    assert {s.module: s.lines for s in SOURCES if s.lines > LONGEST_FILE} == {}


def test_no_connector_is_over_300_lines() -> None:
    connectors = [s for s in SOURCES if s.path.parent == ROOT / "connectors"]
    assert {s.module: s.lines for s in connectors if s.lines > LONGEST_CONNECTOR} == {}


def test_no_function_is_over_50_lines() -> None:
    assert {f"{module}.{f.name}": length(f) for module, f in FUNCTIONS if length(f) > LONGEST_FUNCTION} == {}


def test_half_of_all_functions_are_at_most_ten_lines() -> None:
    assert median(length(function) for _, function in FUNCTIONS) <= 10


def test_what_swallows_every_exception_stands_in_at_most_three_places() -> None:
    """One that cleans up and raises again swallows nothing."""

    def swallows(node: ast.AST) -> bool:
        return (
            isinstance(node, ast.ExceptHandler)
            and (node.type is None or any(name in ast.dump(node.type) for name in ("'Exception'", "'BaseException'")))
            and not (isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None)
        )

    found = [f"{s.module}:{getattr(node, 'lineno', 0)}" for s in SOURCES for node in ast.walk(s.tree) if swallows(node)]
    assert len(found) <= BROAD_EXCEPTS, found
