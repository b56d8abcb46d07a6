"""ZeroGPU with the real `spaces`: elsewhere it does nothing, and its emulation needs no GPU."""

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import NoBase
from hub_ui.generate.backends.zero_gpu import GPU_SPEED, ZeroGpuBackend
from hub_ui.generate.base_models.download import Source
from hub_ui.generate.compare import comparison
from hub_ui.generate.engine import Engine, EventStream
from hub_ui.generate.request import Callbacks, GenerationCancelled, GenerationRequest, Step
from tests.architecture.sources import imports, read_sources
from tests.programs import python

REQUEST = GenerationRequest(adapters=(), prompt="a red circle on white background", base="tiny-shapes", seed=3, steps=6)
# What it places and wraps, as it prints it. PyTorch for CPUs lacks three names that `spaces` looks for.
ON_ZERO_GPU = """
import json, threading, torch
torch.version.cuda, torch._C._cuda_init, torch.cuda._is_in_bad_fork = "12.8", None, bool
import spaces
from hub_ui.generate.backends.zero_gpu import ZeroGpuBackend
from spaces.zero import decorator, torch as packing
from tests.hub_ui.generate.backends.test_zero_gpu import REQUEST, comparison, engine
built = engine(None)
backend = ZeroGpuBackend(built, {"tiny-shapes"})
backend.prepare()
seconds = []
asked = REQUEST, comparison.single(REQUEST), "en"
thread = threading.Thread(target=lambda: seconds.append(backend.duration(*asked)))
thread.start(), thread.join()
devices = {str(each.device) for each in built._loaded.pipe.unet.parameters()}
wrapped = sorted({each.__name__ for each in decorator.decorated_cache})
print(json.dumps({"wrapped": wrapped, "devices": sorted(devices), "seconds": seconds, "packed": packing.pack()}))
"""


def engine(folder: Path | None) -> Engine:
    return Engine(Source(endpoint="http://127.0.0.1:9", cache=folder), speed=GPU_SPEED)


@pytest.fixture
def backend(studio: Engine) -> ZeroGpuBackend:
    return ZeroGpuBackend(studio)


def test_only_the_render_is_wrapped_and_the_base_is_placed_before_the_launch(tmp_path: Path) -> None:
    environment: dict[str, Any] = {
        "SPACES_ZERO_GPU": "true", "SPACES_ZERO_DEVICE_API_URL": "http://127.0.0.1:9",
        "ZEROGPU_OFFLOAD_DIR": str(tmp_path / "tensors"),
    }  # fmt: skip
    done = python("-W", "ignore", "-c", ON_ZERO_GPU, **environment)
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["wrapped"] == ["generate_on_gpu"]
    assert said["devices"] == ["cuda:0"]
    assert said["seconds"] == [10]
    assert said["packed"] > 5_000_000


def test_images_equal_those_of_the_engine_alone(backend: ZeroGpuBackend, tmp_path: Path) -> None:
    steps: list[Step] = []
    made = backend.generate(REQUEST, comparison.single(REQUEST), Callbacks(on_progress=steps.append))
    alone = engine(tmp_path).generate(REQUEST, comparison.single(REQUEST))
    assert made.images[0].image.tobytes() == alone.images[0].image.tobytes()
    assert [step.stage for step in steps][:2] == ["Waiting for a GPU", "Loading Tiny Shapes"]
    assert [step.done for step in steps if step.stage == "Generating"] == [0, 1, 2, 3, 4, 5, 6]


def test_what_goes_to_the_gpu_and_comes_back_can_be_pickled(studio: Engine) -> None:
    asked = pickle.loads(pickle.dumps((REQUEST, comparison.single(REQUEST))))
    events = pickle.loads(pickle.dumps(list(iter(EventStream(studio, *asked, language="ja").next, None))))
    assert events[-1].request == REQUEST
    assert any(isinstance(event, Step) and event.stage == "生成中" for event in events[:-1])


def test_a_cancelled_request_gives_the_gpu_back(backend: ZeroGpuBackend) -> None:
    steps: list[Step] = []
    long = replace(REQUEST, steps=500)
    with pytest.raises(GenerationCancelled):
        backend.generate(
            long, comparison.single(long), Callbacks(on_progress=steps.append, is_cancelled=lambda: len(steps) > 4)
        )
    assert len(steps) < 100
    backend.generate(REQUEST, comparison.single(REQUEST))


def test_an_error_of_the_forked_process_keeps_its_words(backend: ZeroGpuBackend) -> None:
    asked = replace(REQUEST, base="/nowhere")
    with pytest.raises(NoBase, match="nowhere"):
        backend.generate(asked, comparison.single(asked))


def test_seconds_of_a_gpu_grow_with_steps_images_and_size() -> None:
    built = ZeroGpuBackend(engine(None))

    def seconds(images: int = 1, **fields: Any) -> int:
        values: dict[str, Any] = {"base": "sdxl-1.0", "steps": 30, "width": 1024, "height": 1024, **fields}
        asked = replace(REQUEST, **values)
        one = comparison.single(asked)
        cells = tuple(replace(one.cells[0], prompt=f"{i}") for i in range(images))
        return built.duration(asked, replace(one, cells=cells), "en")

    assert 10 < seconds(steps=10) < seconds() < seconds(images=4) < 300
    assert seconds(width=1536, height=1536) > seconds()
    assert seconds(images=48, steps=500) == 300


def test_spaces_is_imported_in_one_module() -> None:
    named = [source for source in read_sources() if "spaces" in source.text]
    found = {each.source for source in named for each in imports(source) if each.package == "spaces"}
    assert found == {"hub_ui.generate.backends.zero_gpu"}
