"""Two replicas of real Ray Serve on the CPU, with the tiny base. The long form is `make bench ARGS=cluster`."""

import gc
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from connectors.errors import HubUiError, NoBase, RateLimited
from hub_ui.generate.backends.cluster.backend import ClusterBackend
from hub_ui.generate.backends.cluster.node import node_id
from hub_ui.generate.backends.cluster.replica import SharedFile, read_from_node
from hub_ui.generate.compare import comparison
from hub_ui.generate.request import Callbacks, GenerationCancelled, Step
from tests.hub_ui.generate.backends.cluster.sockets import answers_without_token, free_port, runs, sockets_of_processes
from tests.tools.benchmarks import bench_cluster
from tests.tools.benchmarks.bench_cluster import LORAS, Placements, request

# Two replicas take longer to start than most rooms' tests together.
pytestmark = [pytest.mark.cluster, pytest.mark.skipif(not LORAS, reason="the demo's weights are not trained yet")]


@dataclass(frozen=True)
class Page:
    address: str
    backend: ClusterBackend
    placements: Placements
    worker: psutil.Popen


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    placements, port = Placements(), free_port()
    address = f"127.0.0.1:{port}"
    backend = ClusterBackend(address, on_placed=placements.add)
    with bench_cluster.running_cluster(tmp_path_factory.mktemp("w"), port) as worker:
        yield Page(address, backend, placements, worker)
        backend.close()


def test_every_socket_of_a_worker_asks_for_the_token_and_runs_nothing_without(page: Page, tmp_path: Path) -> None:
    sockets = sockets_of_processes("127.0.0.1")
    assert (len(sockets) >= 8, runs(sockets, tmp_path), answers_without_token(sockets)) == (True, False, {})


def test_requests_at_once_share_one_router(page: Page) -> None:
    asked = request(0, 1)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _number: page.backend.estimate(asked, comparison.single(asked)), range(8)))
    # Ray reads its environment when it is imported, so the page has to be the first.
    from ray.serve._private.router import AsyncioRouter

    # Each other one would go on asking Ray when the page has left the cluster.
    assert [type(one) for one in gc.get_objects()].count(AsyncioRouter) == 1


def test_a_killed_replica_loses_no_request_and_images_equal_those_of_this_process(page: Page) -> None:
    results = bench_cluster.generate_all(page.backend, page.placements, images=20, loras=2, kill_at=10)
    assert bench_cluster.equal_images(results) == 20
    # Each of three processes sees each of two LoRAs for a first time.
    assert sum(not placement.was_held for placement in page.placements.all) <= 6
    assert results[0].report.place == "local"


def test_steps_come_while_a_worker_generates(page: Page) -> None:
    steps: list[Step] = []
    asked = request(1000, 1)
    page.backend.generate(asked, comparison.single(asked), Callbacks(on_progress=steps.append))
    assert steps[0].stage == "Waiting for a worker"
    assert [step.done for step in steps if step.stage == "Generating"][-1] == bench_cluster.STEPS


def test_a_full_queue_is_said_and_what_waits_can_be_cancelled(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    stop, full = threading.Event(), threading.Event()

    def generate(number: int) -> type[Exception] | None:
        # Long enough that none is done before the last one has come, however busy the computer is.
        asked = request(number, 1, steps=500)
        try:
            page.backend.generate(asked, comparison.weight_sweep(asked), Callbacks(is_cancelled=stop.is_set))
        except RateLimited:
            full.set()
            return RateLimited
        except GenerationCancelled:
            return GenerationCancelled
        return None

    # Two replicas take two each, and twenty wait. Of those that come in one moment Ray lets in all.
    with ThreadPoolExecutor(100) as pool:
        coming = list[Future[type[Exception] | None]]()
        while not full.wait(0.1) and len(coming) < 100:
            coming.append(pool.submit(generate, 2000 + len(coming)))
        stop.set()
        outcomes = [one.result() for one in coming]
    assert outcomes.count(RateLimited) >= 1
    assert outcomes.count(GenerationCancelled) >= 20
    # asyncio reports what nobody asked for when it is collected.
    gc.collect()
    assert caplog.text == ""


def test_errors_and_estimates_are_a_worker_s_and_a_file_is_read_on_the_computer_that_has_it(page: Page) -> None:
    asked = replace(request(3000, 1), base="/nowhere")
    with pytest.raises(NoBase):
        page.backend.generate(asked, comparison.single(asked))
    asked = request(4000, 1)
    assert page.backend.estimate(asked, comparison.single(asked)).sentence
    page.backend.connect()
    file = SharedFile(path=LORAS[0], sha256="", node=node_id())
    assert b"".join(read_from_node(file)) == LORAS[0].read_bytes()


def test_another_token_and_a_cluster_that_is_gone_are_said_at_once(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of another cluster")
    asked = request(0, 1)
    with pytest.raises(HubUiError, match=r"The cluster at .* asks for its token"):
        ClusterBackend(page.address).generate(asked, comparison.single(asked))
    asked = request(0, 1)
    with pytest.raises(HubUiError, match=r"Nothing answers at 127\.0\.0\.1:9"):
        ClusterBackend("127.0.0.1:9").generate(asked, comparison.single(asked))


def test_a_worker_whose_ray_is_killed_says_so_and_ends_and_its_page_goes_on(page: Page) -> None:
    [ray] = psutil.Process(page.worker.pid).children()
    ray.kill()
    said, _errors = page.worker.communicate(timeout=60)
    assert said.endswith(
        "hub-ui: Ray ended on this computer, and nothing is generated any more. Start the worker again.\n"
    )
    assert page.worker.returncode == 1
    asked = request(5000, 1)
    with pytest.raises(HubUiError, match="Nothing answers at"):
        page.backend.generate(asked, comparison.single(asked))
