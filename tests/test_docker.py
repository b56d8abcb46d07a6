"""Dockerfile and compose.yaml name what is there. Nothing here needs Docker."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from hub_ui.access.quotas import TABLE
from hub_ui.commands import cli
from hub_ui.commands.serve import Serve
from hub_ui.commands.worker import Worker
from hub_ui.web.site import HEALTH_ROUTE

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    assert set(compose["services"]) == {"page", "worker", "database"}
    return dict(compose["services"])


def test_the_image_has_a_python_and_extras_that_the_package_has() -> None:
    (python,) = re.findall(r"^FROM python:([\d.]+)-slim$", DOCKERFILE, re.MULTILINE)
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)
    (extras,) = re.findall(r"'\.\[([\w,]+)\]'", DOCKERFILE)
    assert set(extras.split(",")) <= PROJECT["optional-dependencies"].keys()


def test_what_is_copied_is_there_and_is_given_to_docker() -> None:
    names = [name for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()]
    assert [name for name in names if not (ROOT / name).exists()] == []
    given = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{name}" for name in names} == {line for line in given if line.startswith("!")}


def test_every_command_is_one_of_hub_ui(services: dict[str, Any]) -> None:
    page, worker = (cli.parse(services[name]["command"].split()[1:]) for name in ("page", "worker"))
    assert isinstance(page, Serve)
    assert isinstance(worker, Worker)
    assert (page.hosted, page.port) == (True, 7860)
    assert page.workers == f"{worker.host}:{worker.port}"
    assert worker.host == services["worker"]["networks"]["hub-ui"]["ipv4_address"]
    (default,) = re.findall(r"^CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)
    assert isinstance(cli.parse(yaml.safe_load(default)[1:]), Serve)


def test_every_variable_is_one_that_is_read(services: dict[str, Any]) -> None:
    known = {"HUB_UI_DATABASE", "RAY_AUTH_TOKEN_PATH", *(limit.variable for limit in TABLE)}
    assert services["page"]["environment"].keys() <= known


def test_the_page_finds_the_token_that_the_worker_makes(services: dict[str, Any]) -> None:
    page, worker = (Path(services[name]["environment"]["RAY_AUTH_TOKEN_PATH"]) for name in ("page", "worker"))
    assert page == worker
    assert f"models:{page.parent}" in services["page"]["volumes"]
    assert f"models:{page.parent}" in services["worker"]["volumes"]


def test_what_a_service_waits_for_is_a_service(services: dict[str, Any]) -> None:
    assert services["page"]["depends_on"].keys() <= services.keys()
    assert "healthcheck" in services["database"]
    assert services["page"]["healthcheck"]["test"][-1].endswith(f":7860{HEALTH_ROUTE}')")
