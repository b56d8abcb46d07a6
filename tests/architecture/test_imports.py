"""Dependencies between modules, and lazy imports."""

from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

from connectors.registry import HUBS
from tests.architecture.sources import HEAVY, Import, imports, read_sources
from tests.programs import python

# Modules import only from lower numbers, never from the same number.
LAYERS = {
    "connectors": 0,
    "hub_ui.base": 1,
    "hub_ui.locales": 2,
    "hub_ui.access": 2,
    "hub_ui.settings": 3,
    "hub_ui.catalog": 4,
    "hub_ui.generate": 4,
    "hub_ui.images": 5,
    "hub_ui.demo": 5,
    "hub_ui.library": 6,
    "hub_ui.space": 7,
    "hub_ui.app": 7,
    "hub_ui.web": 8,
    "hub_ui.commands": 9,
}
MAY_LOAD_HEAVY = ("hub_ui.generate", "hub_ui.demo.build.train")
SOURCES = read_sources()


@cache
def all_imports() -> list[Import]:
    """Not read with this file, which every process does that runs tests."""
    return [found for source in SOURCES for found in imports(source)]


def layer(module: str) -> str | None:
    return next((name for name in LAYERS if module == name or module.startswith(name + ".")), None)


def test_connectors_import_nothing_of_hub_ui() -> None:
    assert [str(i) for i in all_imports() if i.source.startswith("connectors") and i.package == "hub_ui"] == []


def test_every_module_belongs_to_a_layer() -> None:
    assert [
        s.module for s in SOURCES if layer(s.module) is None and s.module not in ("hub_ui", "hub_ui.__main__")
    ] == []


def test_imports_point_one_way() -> None:
    def wrong(found: Import) -> bool:
        own, other = layer(found.source), layer(found.target)
        return own is not None and other is not None and own != other and LAYERS[other] >= LAYERS[own]

    assert [str(i) for i in all_imports() if wrong(i)] == []


def test_torch_and_its_kin_are_imported_only_by_preview_and_training() -> None:
    heavy = [i for i in all_imports() if i.is_heavy and not i.typed]
    assert [str(i) for i in heavy if not i.source.startswith(MAY_LOAD_HEAVY)] == []


def test_no_import_hides_in_a_function_but_of_torch_and_its_kin() -> None:
    assert [str(i) for i in all_imports() if i.inside and not i.is_heavy] == []


# Connectors are imported on first use.
CLIENTS = [hub.connector.partition(":")[0] for hub in HUBS.values()]


COMMANDS = [
    "hub_ui.commands.cli",
    *(f"hub_ui.commands.{n}" for n in ("search", "library", "lock_file", "import_export", "hubs")),
]
THE_REST = [*CLIENTS, "hub_ui.app.services", "hub_ui.web.app", "hub_ui.generate.backends.zero_gpu"]


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    """The top-level packages that are loaded after each import, one after the other in a new Python process."""
    script = (
        "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"
        "    print(name, *{each.split('.')[0] for each in sys.modules})"
    )
    lines = python("-c", script, *COMMANDS, *THE_REST).stdout.splitlines()
    return {name: set(packages) for name, *packages in map(str.split, lines)}


@pytest.mark.parametrize("module", [*COMMANDS, *THE_REST])
def test_importing_loads_neither_torch_nor_diffusers(loaded: dict[str, set[str]], module: str) -> None:
    assert loaded[module] & HEAVY == set()


@pytest.mark.parametrize("module", COMMANDS)
def test_the_command_line_starts_without_gradio(loaded: dict[str, set[str]], module: str) -> None:
    assert "gradio" not in loaded[module]


# What generates images, here and elsewhere, and what turns pictures into edges.
GENERATES = (
    "cv2", "hub_ui.generate.backends.cluster", "hub_ui.generate.backends.zero_gpu", "hub_ui.generate.control",
    "hub_ui.generate.engine", "hub_ui.generate.loaded_pipeline", "hub_ui.generate.lora.manager", "numpy", "ray",
)  # fmt: skip


@pytest.mark.parametrize(
    ("words", "module"),
    [
        (["search", "robot", "--offline"], "search"),
        (["search", "robot", "--offline", "--json"], "search"),
        (["verify"], "lock_file"),
        (["licenses"], "library"),
    ],
)
def test_a_command_that_generates_nothing_loads_nothing_for_it(words: list[str], module: str, tmp_path: Path) -> None:
    loaded = loaded_by(f"import hub_ui.commands.cli; hub_ui.commands.cli.main({words})", HUB_UI_HOME=str(tmp_path))
    assert {name for name in GENERATES if name in loaded} == set()
    assert f"hub_ui.commands.{module}" in loaded


def loaded_by(statement: str, **variables: Any) -> set[str]:
    """The modules and packages loaded by a statement in a new Python process."""
    script = f"import sys; {statement}; print('', *sys.modules, file=sys.stderr)"
    return set(python("-c", script, **variables).stderr.split())


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports for type checkers count, because the modules of a circle can only be read together."""
    modules = {source.module for source in SOURCES}
    graph = {
        module: {own for found in all_imports() if found.source == module for own in _modules_of(found.target, modules)}
        - {module}
        for module in modules
    }
    # Raises CycleError with the modules of a circle.
    TopologicalSorter(graph).prepare()


def _modules_of(target: str, modules: set[str]) -> set[str]:
    """`hub_ui.app.services.build` is a name in the module `hub_ui.app.services`."""
    return {target} & modules or {target.rpartition(".")[0]} & modules
