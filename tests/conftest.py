"""What every test runs in: a clean environment, a home of its own, and no network but this machine's own."""

import gc
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.corpus import absence, check
from tests.suites import ROOT, SUITES, belongs

# Some libraries read these once, when they are imported, so they go before any test module is.
OUTSIDE = (
    "HF_", "HUGGING", "TRANSFORMERS_", "DIFFUSERS_", "CIVITAI_", "REPLICATE_", "GRADIO_", "HUB_UI_HOME",
    "HUB_UI_DATABASE", "HUB_UI_WORKERS", "RAY_", "SPACES_",
)  # fmt: skip
for name in [name for name in os.environ if name.startswith(OUTSIDE) or name.lower().endswith("_proxy")]:
    del os.environ[name]
_CACHE = tempfile.TemporaryDirectory(prefix="hub-ui-tests-", ignore_cleanup_errors=True)
os.environ["HF_HOME"] = _CACHE.name
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
# Networks this small lose more by sharing work between threads than they win, and threads that wait for each other on a
# busy machine take ten times as long as one alone. Programs that tests start have it too.
os.environ["OMP_NUM_THREADS"] = "1"
# SDNQ would have torch compile what unpacks each layer, which takes longer than a tiny pipeline.
os.environ["SDNQ_USE_TORCH_COMPILE"] = "0"


# Folders of tests, slowest first.
SLOW = (
    "browser", "people", "hub_ui/generate/backends/cluster", "docs", "hub_ui/generate", "hub_ui/commands", "hub_ui/web",
    "tools/chaos",
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--suite", action="append", default=[], choices=list(SUITES), help="run this suite of tests/suites.py, whole"
    )


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: a test often waits for a server or a browser."""
    return (os.cpu_count() or 1) + 1


def pytest_configure(config: pytest.Config) -> None:
    check(os.environ, absence())
    for name, suite in SUITES.items():
        config.addinivalue_line("markers", f"{name}: {suite.about}; `make test` leaves it out")
    # Where Hypothesis draws anew, it may find a fault that is older than the change, so only `make fuzz` does it,
    # and not in CI. A busy machine is slow at making examples, too, and that is no fault of a test.
    is_fixed = "fuzz" not in config.getoption("suite") or "CI" in os.environ
    settings.register_profile(
        "suite",
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        derandomize=is_fixed,
        max_examples=100 if is_fixed else 300,
    )
    settings.load_profile("suite")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # A file that is named is run whole, whatever suite its tests are of.
    if all((config.invocation_params.dir / argument).is_dir() for argument in config.args):
        asked = config.getoption("suite")
        chosen = [each for each in items if belongs(_path(each), {mark.name for mark in each.iter_markers()}, asked)]
        kept = set(chosen)
        config.hook.pytest_deselected(items=[each for each in items if each not in kept])
        items[:] = chosen
    items[:] = spread(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    # Gradio looks for a free port and takes it a moment later. So each process of a run looks elsewhere, and not
    # where the programs look that tests start.
    worker, server = os.environ.get("PYTEST_XDIST_WORKER"), sys.modules.get("gradio.http_server")
    if worker and server:
        vars(server)["INITIAL_PORT_VALUE"] = 7960 + 100 * int(worker.removeprefix("gw"))


def pytest_collection_finish() -> None:
    """What is imported by now stays, so no collection of garbage needs to walk through it: an engine that unloads a
    base collects, and took longer for that than for the base.
    """
    gc.collect()
    gc.freeze()


def spread(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Each worker begins with as many tests, in this order: with its share of the slow modules, so that the last ones
    are quick, whoever takes them over.
    """
    modules = dict[str, list[pytest.Item]]()
    for each in items:
        modules.setdefault(_path(each), []).append(each)
    # A folder may lie in another one of them.
    slow = [*dict.fromkeys(path for folder in SLOW for path in modules if path.startswith(f"tests/{folder}/"))]
    rest = [each for path, tests in modules.items() if path not in slow for each in tests]
    found = list[pytest.Item]()
    for number in range(workers):
        found += [each for path in slow[number::workers] for each in modules[path]]
        most = len(items) * (number + 1) // workers - len(found)
        found += rest[: max(0, most)]
        rest = rest[max(0, most) :]
    return found + rest


def _path(item: pytest.Item) -> str:
    return item.path.relative_to(ROOT).as_posix()


class OutsideWorld(AssertionError):
    """A test asked for something that is not on this machine."""


@pytest.fixture(autouse=True, scope="session")
def _only_this_machine() -> Iterator[None]:
    """Name resolution and connections to any other machine fail at once, by name."""
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
            raise OutsideWorld(f"connection to {address}")
        connect(self, address)

    def guarded_resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        if str(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "no such host")  # RFC 6761: never resolves
        if host is not None and not _is_local(host):
            raise OutsideWorld(f"look-up of {host}")
        return resolve(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket, "getaddrinfo", guarded_resolve)
        # These go through all of os.environ, in other threads too, while pytest names the next test there.
        for name in ("urllib.request.getproxies_environment", "requests.utils.getproxies_environment"):
            patch.setattr(name, dict)
        for name in ("urllib.request.getproxies", "requests.utils.getproxies", "httpx2._utils.getproxies"):
            patch.setattr(name, dict)
        yield


def _is_local(host: str | bytes) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    return name in ("localhost", "::1", "0.0.0.0", "") or name.startswith(("127.", "::ffff:127."))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """HUB_UI_HOME of this test alone."""
    folder = tmp_path / "home"
    monkeypatch.setenv("HUB_UI_HOME", str(folder))
    return folder
