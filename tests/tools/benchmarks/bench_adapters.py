"""LoRAs on a base in memory: switching, strips of weights, what they cost a picture, and what they take of memory.

On the tiny base of the demo and on a UNet of Stable Diffusion 1.5's size with random weights. But for the strip on the
tiny base, both sides run on one thread and are timed in seconds of the processor, which other programs on the machine
hardly change.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils import logging as of_diffusers

from connectors.ref import Ref
from hub_ui.generate import comparison
from hub_ui.generate.base_models.download import Source
from hub_ui.generate.engine import Engine
from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.generate.request import GenerationRequest, LoraInput
from tests.tools.benchmarks import large_unet
from tests.tools.benchmarks.figures import Figure, interleaved, report

TINY = Path(__file__).resolve().parents[3] / "hub_ui" / "demo" / "data" / "weights" / "base"
PROMPT = "a red circle on white background"
WEIGHTS = (0.0, 0.3, 0.6, 0.9, 1.2)
GIGABYTE = 1_000_000_000
LORAS, SWITCHES, KEPT = 20, 200, 5
# The large UNet draws 128 x 128 pixels for strips and 256 x 256 for pictures: at full size a step takes half a minute.
STRIP, PICTURE = 128, 256
_STATUS = Path("/proc/self/status")


def figures(*, runs: int = 3, steps: int = 6) -> list[Figure]:
    with tempfile.TemporaryDirectory() as name:
        found = [*tiny_figures(Path(name), runs=runs), *memory(Path(name))]
        with one_thread():
            return [*found, *large_figures(Path(name), runs=max(1, runs // 3), steps=steps)]


def tiny_figures(folder: Path, *, runs: int, steps: int = 20) -> list[Figure]:
    pipe = _tiny()
    paths = [large_unet.save_lora(folder / f"tiny{i}.safetensors", pipe.unet, rank=8, seed=i) for i in range(2)]
    with one_thread():
        switched = switching(pipe, paths, "tiny base", runs=runs)
        batch = tiny_batch(pipe, runs=3 * runs)
    return [
        switched,
        batch,
        tiny_strip(paths[0], runs=runs, steps=steps),
    ]


def large_figures(folder: Path, *, runs: int, steps: int) -> list[Figure]:
    pipe = large_unet.pipeline()
    save = partial(large_unet.save_lora, network=pipe.unet)
    paths = {
        "rank 16": save(folder / "16.safetensors", rank=16),
        "rank 64": save(folder / "64.safetensors", rank=64),
        "LoCon of rank 16": save(folder / "locon.safetensors", rank=16, convolutions=True),
    }
    pair = [paths["rank 16"], paths["rank 64"]]
    return [
        switching(pipe, pair, "large UNet", runs=runs),
        large_strip(pipe, pair[0], runs=runs),
        *(picture(pipe, path, name, runs=runs, steps=steps) for name, path in paths.items()),
    ]


def switching(pipe: Any, paths: list[Path], name: str, *, runs: int) -> Figure:
    """Between two files that were on before, against diffusers' own two calls."""
    manager = _manager(pipe)
    turns = [[adapter(path)] for path in paths]
    for turn in turns:
        manager.set_adapters(turn)
    # The second side wraps the layers, so the first one is measured before it.
    ours = [seconds(partial(manager.set_adapters, turn)) for turn in turns * max(runs, 3)]
    manager.disable()
    pipe.load_lora_weights(str(paths[0]))
    others = [seconds(partial(_reloaded, pipe, path)) for path in paths[::-1] * runs]
    pipe.unload_lora_weights()
    return Figure(
        name=f"switch to a cached LoRA, {name}",
        ours=sorted(ours)[len(ours) // 2],
        other=sorted(others)[len(others) // 2],
        against="unload_lora_weights and load_lora_weights",
        target=0.1,
    )


def _reloaded(pipe: Any, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe.unload_lora_weights()
        pipe.load_lora_weights(str(path))


def tiny_batch(pipe: Any, *, runs: int) -> Figure:
    """The network alone, without a LoRA: a strip can't take a smaller share of five calls than this.

    Its rows are doubled for guidance. PEFT's layers cost five calls something too, which is what a strip may win.
    """
    config = pipe.unet.config
    pipe.unet.to(memory_format=torch.channels_last)
    noise = torch.randn(2 * len(WEIGHTS), config.in_channels, config.sample_size, config.sample_size)
    texts = torch.zeros(2 * len(WEIGHTS), 77, config.cross_attention_dim)

    def rows(count: int) -> None:
        with torch.inference_mode():
            pipe.unet(noise[:count], 500, texts[:count])

    def one_by_one() -> None:
        for _ in WEIGHTS:
            rows(2)

    rows(2)
    together = partial(seconds, partial(rows, 2 * len(WEIGHTS)))
    together()
    ours, other = interleaved(together, partial(seconds, one_by_one), runs=runs)
    name = f"the network on {2 * len(WEIGHTS)} rows, tiny base, no LoRA"
    return Figure(name=name, ours=ours, other=other, against="five times on two rows", target=1.0)


def tiny_strip(path: Path, *, runs: int, steps: int) -> Figure:
    """A strip as the page makes it, against five calls of diffusers with `set_adapters`: whole pictures on both sides.

    In seconds of the clock, on all threads: that is what a person waits. No seed twice, so nothing is there already.
    """
    plain, seeds = _tiny(), count(1)
    plain.load_lora_weights(str(path), adapter_name="lora")
    lora = replace(adapter(path), architecture="tiny-shapes", base_model="tiny-shapes")
    studio = Engine(Source(endpoint="http://127.0.0.1:9", cache=None), timings=None)

    def together() -> float:
        asked = GenerationRequest(adapters=(lora,), prompt=PROMPT, seed=next(seeds), steps=steps)
        return waited(partial(studio.generate, asked, comparison.weight_sweep(asked, WEIGHTS)))

    def one_by_one() -> None:
        for weight in WEIGHTS:
            plain.set_adapters(["lora"], [weight])
            whole(plain, steps)

    together()
    one_by_one()
    ours, other = interleaved(together, partial(waited, one_by_one), runs=runs)
    studio.close()
    name = f"strip of {len(WEIGHTS)} weights, tiny base"
    return Figure(name=name, ours=ours, other=other, against="five calls of diffusers with set_adapters", target=0.6)


def whole(pipe: Any, steps: int) -> None:
    with torch.inference_mode():
        pipe(
            PROMPT, num_inference_steps=steps, guidance_scale=4.0, generator=torch.Generator().manual_seed(7),
            height=128, width=128,
        )  # fmt: skip


def large_strip(pipe: Any, path: Path, *, runs: int, size: int = STRIP, steps: int = 2) -> Figure:
    """The same against five calls with the weight turned between them."""
    manager = _manager(pipe)
    manager.set_adapters([adapter(path)])

    def together() -> None:
        with manager.row_weights([[weight] for weight in WEIGHTS]):
            draw(pipe, size, steps, pictures=len(WEIGHTS))

    def one_by_one() -> None:
        for weight in WEIGHTS:
            manager.set_weights([weight])
            draw(pipe, size, steps)

    draw(pipe, size, 1)
    ours, other = interleaved(partial(seconds, together), partial(seconds, one_by_one), runs=runs)
    manager.disable()
    name = f"strip of {len(WEIGHTS)} weights, {steps} steps at {size} pixels, large UNet"
    return Figure(name=name, ours=ours, other=other, against="five calls", target=1.0)


def picture(pipe: Any, path: Path, name: str, *, runs: int, steps: int, size: int = PICTURE) -> Figure:
    """With the LoRA at a fixed weight, merging and restoring counted in, against the base alone."""
    manager = _manager(pipe)
    manager.set_adapters([adapter(path)])

    def with_lora() -> None:
        manager.set_adapters([adapter(path, weight=0.8)])
        with manager.merge(steps):
            draw(pipe, size, steps)
        manager.disable()

    draw(pipe, size, 1)
    ours, other = interleaved(
        partial(seconds, with_lora), partial(seconds, partial(draw, pipe, size, steps)), runs=runs
    )
    said = f"a picture with a LoRA, {name}, {steps} steps at {size} pixels, large UNet"
    return Figure(name=said, ours=ours, other=other, against="without", target=1.1)


def draw(pipe: Any, size: int, steps: int, *, pictures: int = 1) -> None:
    width = pipe.unet.config.cross_attention_dim
    with torch.inference_mode():
        pipe(
            prompt_embeds=torch.ones(pictures, 24, width),
            negative_prompt_embeds=torch.zeros(pictures, 24, width),
            generator=[torch.Generator().manual_seed(7) for _ in range(pictures)],
            height=size, width=size, num_inference_steps=steps, output_type="latent",
        )  # fmt: skip


def memory(folder: Path, *, loras: int = LORAS, switches: int = SWITCHES) -> list[Figure]:
    """The most a process ever had, after every LoRA was on once and after all switches."""
    if not _STATUS.exists():
        print(f"There is no {_STATUS} here, so nobody says how much memory a process had.", flush=True)
        return []
    command = [
        sys.executable,
        "-m",
        "tests.tools.benchmarks.bench_adapters",
        "switch",
        folder,
        str(loras),
        str(switches),
    ]
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
    told = json.loads(done.stdout.splitlines()[-1])
    name = f"peak memory after {switches} switches among {loras} LoRAs, {KEPT} of them kept"
    return [Figure(name=name, ours=told["end"], other=told["start"], against=f"after {loras}", target=1.03, unit="MB")]


def _switch_often(folder: Path, loras: int, switches: int) -> None:
    pipe = _tiny()
    # Of very different sizes, as real ones are.
    ranks = [16 * (1 + i % 5) for i in range(loras)]
    paths = [
        large_unet.save_lora(folder / f"m{i}.safetensors", pipe.unet, rank=rank, seed=i, convolutions=True)
        for i, rank in enumerate(ranks)
    ]
    budget = KEPT * max(path.stat().st_size for path in paths)
    manager = AdapterManager(pipe, "sd1", LoraCache(budget))
    start = 0.0
    for turn in range(switches):
        manager.set_adapters([adapter(paths[turn * 7 % loras], weight=0.8)])
        with manager.merge() if turn % 2 else nullcontext():
            draw(pipe, 64, 1)
        if turn == loras - 1:
            start = _mb("VmHWM")
    print(json.dumps({"start": start, "end": _mb("VmHWM")}))


def _mb(name: str) -> float:
    lines = _STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def _tiny() -> Any:
    kind: Any = StableDiffusionPipeline
    of_diffusers.set_verbosity_error()
    of_diffusers.disable_progress_bar()
    pipe = kind.from_pretrained(TINY, safety_checker=None, local_files_only=True).to(torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _manager(pipe: Any) -> AdapterManager:
    return AdapterManager(pipe, "sd1", LoraCache(4 * GIGABYTE))


def adapter(path: Path, weight: float = 1.0) -> LoraInput:
    return LoraInput(ref=Ref.parse("civitai:1@2#3"), path=path, title=path.stem, weight=weight)


def seconds(do: Callable[[], object]) -> float:
    start = time.process_time()
    do()
    return time.process_time() - start


def waited(do: Callable[[], object]) -> float:
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def main(arguments: list[str]) -> int:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if arguments[:1] == ["switch"]:
        _switch_often(Path(arguments[1]), int(arguments[2]), int(arguments[3]))
        return 0
    return report(figures())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
