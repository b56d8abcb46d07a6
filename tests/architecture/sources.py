"""The shipped sources, parsed."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).resolve().parents[2]
# Not in the wheel.
BUILD = ROOT / "hub_ui" / "demo" / "build"
HEAVY = {"av", "torch", "diffusers", "peft", "transformers", "accelerate", "torchvision", "ray", "grpc", "spaces"}

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, kw_only=True)
class Source:
    module: str
    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def functions(self) -> list[Function]:
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    @property
    def is_shipped(self) -> bool:
        return BUILD not in self.path.parents


@dataclass(frozen=True, kw_only=True)
class Import:
    """`inside`: the import is in a function. `typed`: it is for type checkers only."""

    source: str
    target: str
    inside: bool
    typed: bool

    @property
    def package(self) -> str:
        return self.target.split(".")[0]

    @property
    def is_heavy(self) -> bool:
        return self.package in HEAVY or self.target.startswith("safetensors.torch")

    def __str__(self) -> str:
        return f"{self.source} imports {self.target}"


@cache
def read_sources() -> list[Source]:
    return [source for package in ("connectors", "hub_ui") for source in _read(ROOT / package)]


@cache
def read_test_sources() -> list[Source]:
    """Return all Python of tests/, tools included."""
    return [source for source in _read(ROOT / "tests") if "node_modules" not in source.path.parts]


def _read(folder: Path) -> Iterator[Source]:
    for path in sorted(folder.rglob("*.py")):
        yield Source(module=module_name(path), path=path, text=path.read_text(encoding="utf-8"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source: Source) -> Iterator[Import]:
    inside = {id(node) for function in source.functions for node in ast.walk(function)}
    guards = [
        node for node in ast.walk(source.tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    ]
    typed = {id(node) for guard in guards for node in ast.walk(guard)}
    for node in ast.walk(source.tree):
        for target in _targets(node):
            yield Import(source=source.module, target=target, inside=id(node) in inside, typed=id(node) in typed)


def _targets(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        # `from hub_ui.app import services` is about hub_ui.app.services
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []
