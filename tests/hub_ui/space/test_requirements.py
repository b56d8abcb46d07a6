from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest
from packaging.requirements import Requirement

from connectors.errors import UsageError
from hub_ui.space import requirements
from hub_ui.space.requirements import pin_requirements, read_requirements, version_here

DECLARED = [Requirement(line) for line in ("gradio>=6.31,<7", "torch>=2.4", "torchvision>=0.19", "Jinja2>=3.1")]
HERE = {"gradio": "6.31.0", "torch": "2.13.0", "torchvision": "0.28.0", "jinja2": "3.1.6", "spaces": "0.51.3"}


def test_each_package_has_the_version_that_is_installed() -> None:
    lines = pin_requirements(DECLARED, zero_gpu=False, installed=lambda name: HERE.get(name))
    assert lines == ("gradio[oauth]==6.31.0", "jinja2==3.1.6", "spaces", "torch==2.13.0", "torchvision>=0.19")


def test_zero_gpu_gets_the_newest_torch_that_it_has() -> None:
    assert "torch==2.11.0" in pin_requirements(DECLARED, zero_gpu=True, installed=lambda name: HERE.get(name))
    older = {**HERE, "torch": "2.9.1"}
    assert "torch==2.9.1" in pin_requirements(DECLARED, zero_gpu=True, installed=lambda name: older.get(name))


def test_what_is_not_installed_stays_a_range() -> None:
    assert "torch>=2.4" in pin_requirements(DECLARED, zero_gpu=False, installed=lambda _name: None)


def test_the_declared_ones_are_those_of_the_package_and_of_the_extras_asked_for() -> None:
    names = {each.name for each in read_requirements()}
    assert {"diffusers", "gradio", "torch"} <= names
    assert not {"psycopg", "pytest"} & names
    assert "psycopg" in {each.name for each in read_requirements(("postgres",))}


def test_every_line_holds_for_what_is_installed() -> None:
    for line in pin_requirements(read_requirements(), zero_gpu=False):
        wanted = Requirement(line)
        assert wanted.specifier.contains(version(wanted.name).partition("+")[0]), line


def test_a_version_of_this_computer_alone_is_written_as_indexes_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "version", lambda _name: "2.13.0+cu130")
    assert version_here("torch") == "2.13.0"


def test_a_checkout_that_is_not_installed_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> list[str]:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(requirements, "requires", missing)
    with pytest.raises(UsageError, match="hub-ui is not installed here"):
        read_requirements()
