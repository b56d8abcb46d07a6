"""200 images with ten LoRAs on two replicas of a real cluster, one of which is killed in the middle.

How many were generated where their LoRA was already, and how many equal those of this process bit for bit. All on one
thread each and without a GPU, with the tiny base of the demo.
"""

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import STDOUT
from unittest.mock import patch

import psutil
import torch

from connectors.ref import Ref
from hub_ui.generate.backends.cluster.backend import ClusterBackend
from hub_ui.generate.backends.cluster.replica import Placement
from hub_ui.generate.base_models import PACKAGED
from hub_ui.generate.base_models.download import Source
from hub_ui.generate.compare import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.request import GenerationRequest, LoraInput
from hub_ui.generate.result import GenerationResult
from tests.programs import free_run_of_ports, started
from tests.tools.benchmarks.figures import Figure

LORAS = sorted((PACKAGED.parent / "loras").glob("*.safetensors"))
REPLICAS, AT_ONCE, STEPS = 2, 4, 8


@dataclass
class Placements:
    """Where requests went, as it happens."""

    all: list[Placement] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, placement: Placement) -> None:
        with self.changed:
            self.all.append(placement)
            self.changed.notify_all()

    def wait_for(self, count: int, work: Sequence[Future[GenerationResult]]) -> Placement:
        """The placement of that number, while nothing of the work has failed."""
        with self.changed:
            while len(self.all) < count:
                self.changed.wait(1)
                for done in (one for one in work if one.done()):
                    done.result()
            return self.all[-1]

    @property
    def held(self) -> float:
        return sum(placement.was_held for placement in self.all) / len(self.all)


@contextmanager
def running_cluster(
    folder: Path, port: int, *, host: str = "127.0.0.1", replicas: int = REPLICAS
) -> Iterator[psutil.Popen]:
    """`hub-ui worker` as a program of its own. Yields it once its replicas are ready.

    It makes a token in the folder, which this process shows as a page.
    """
    token = patch.dict(os.environ, RAY_AUTH_TOKEN_PATH=str(folder / "token"))
    # Paths of Unix sockets, which Ray makes in its folder, may be about a hundred characters long.
    with token, tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as ray:
        command = (sys.executable, "-m", "hub_ui", "worker", "--host", host, "--port", str(port))
        environ = {**os.environ, "HUB_UI_HOME": str(folder), "RAY_TMPDIR": ray, "HF_HUB_OFFLINE": "1"}
        with started(*command, "--replicas", str(replicas), env=environ, stderr=STDOUT) as (line, worker):
            assert line.startswith("hub-ui worker: cluster "), line
            yield worker


def request(number: int, loras: int, *, steps: int = STEPS) -> GenerationRequest:
    path = LORAS[number % loras]
    lora = LoraInput(
        ref=Ref.parse("civitai:1@2#3"),
        path=path,
        title=path.stem,
        architecture="tiny-shapes",
        base_model="tiny-shapes",
    )
    return GenerationRequest(adapters=(lora,), prompt="a red circle on white background", seed=number, steps=steps)


def generate_all(
    backend: ClusterBackend, placements: Placements, *, images: int, loras: int, kill_at: int
) -> list[GenerationResult]:
    """Kills the replica that got the request at that place of the order."""

    def generate(number: int) -> GenerationResult:
        asked = request(number, loras)
        return backend.generate(asked, comparison.single(asked))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        coming: list[Future[GenerationResult]] = [pool.submit(generate, number) for number in range(images)]
        os.kill(placements.wait_for(kill_at, coming).pid, signal.SIGKILL)
        return [one.result() for one in coming]


def equal_images(results: list[GenerationResult]) -> int:
    """How many have the bytes that this process generates."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with closing(Engine(Source(endpoint="http://127.0.0.1:9", cache=None))) as engine:
        own = [engine.generate(result.request, result.comparison) for result in results]
    torch.set_num_threads(before)
    pairs = zip(results, own, strict=True)
    return sum(one.images[0].image.tobytes() == other.images[0].image.tobytes() for one, other in pairs)


def figures(*, images: int = 200, loras: int = 10) -> list[Figure]:
    placements, port = Placements(), free_run_of_ports()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_cluster(Path(folder), port),
        closing(ClusterBackend(f"127.0.0.1:{port}", on_placed=placements.add)) as backend,
    ):
        start = time.perf_counter()
        results = generate_all(backend, placements, images=images, loras=loras, kill_at=images // 2)
        seconds = time.perf_counter() - start
    elsewhere = (1 - placements.held) * len(placements.all)
    print(f"{images} images in {seconds:.0f} s, {len(placements.all)} placements", flush=True)
    return [
        Figure(
            name="requests that came where their LoRA was not yet", ours=elsewhere, other=len(placements.all),
            against="all", target=0.2, unit="requests",
        ),
        Figure(
            name="requests lost with the replica that was killed, or with other bytes",
            ours=images - equal_images(results), other=images, against="all", target=0.0, unit="requests",
        ),
    ]  # fmt: skip
