import re
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from hub_ui.generate import plan as plans
from hub_ui.generate.base_models import BASES, Checkpoint, PipelineSpec, choose_base
from hub_ui.generate.base_models.table import Quality
from hub_ui.generate.compare.comparison import single
from hub_ui.generate.engine import Engine
from hub_ui.generate.memory.device import Device, OffloadLevel
from hub_ui.generate.memory.plan import MemoryPlan
from hub_ui.generate.plan import choose_precision, choose_spec, make_plan, plan_on_card, precision_note
from tests.hub_ui.generate.building import job
from tests.hub_ui.generate.simulated_cuda import Card, simulated_cuda

GB = 2**30
FLUX = choose_base(None, None, "flux.1-dev")


def plan(spec: PipelineSpec, memory: int) -> MemoryPlan:
    """A base of 24 GB and text encoders of 10, stored in half of that when the network is quantised."""
    precision = spec.storage
    network = round(24 * GB * precision.bits / 16)
    texts = 10 * GB if precision.method == "full" else 5 * GB
    level: OffloadLevel = (
        "whole" if network + texts <= memory else "model_offload" if max(network, texts) <= memory else "group_offload"
    )
    parts = {"transformer": network, "text_encoder": texts}
    return MemoryPlan(level=level, is_tiled=False, peak=0, ram=0, disk=0, fits=True, parts=parts)


@pytest.mark.parametrize(
    ("asked", "gigabytes", "chosen"),
    [
        ("full", 8, "full"),
        ("balanced", 80, "full"),
        ("balanced", 24, "full"),
        ("balanced", 20, "gguf-q8_0"),
        # In parts, where Q6 would fit whole.
        ("balanced", 16, "gguf-q8_0"),
        ("balanced", 12, "fp8"),
        ("balanced", 10, "gguf-q6_k"),
        ("balanced", 4, "gguf-q4_k_s"),
        ("fast", 80, "full"),
        ("fast", 24, "gguf-q4_k_s"),
        ("fast", 8, "gguf-q4_k_s"),
    ],
)
def test_a_quality_means_a_precision_by_memory(asked: Quality, gigabytes: int, chosen: str) -> None:
    assert choose_precision(FLUX, asked, "cuda", gigabytes * GB, plan).precision == chosen


def install(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    def find(package: str) -> object | None:
        return object() if package in packages else None

    monkeypatch.setattr("hub_ui.generate.base_models.table.find_spec", find)


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.id)
@pytest.mark.parametrize("packages", [(), ("bitsandbytes",), ("sdnq",)])
def test_a_larger_card_never_makes_a_worse_image(
    monkeypatch: pytest.MonkeyPatch, base: PipelineSpec, packages: tuple[str, ...]
) -> None:
    install(monkeypatch, *packages)
    for ram in (None, 64 * GB, 16 * GB):
        planned = [plan_on_card(base, "balanced", card * GB, ram=ram) for card in (8, 12, 16, 24, 32, 48, 80)]
        bits = [spec.storage.bits for spec, _ in planned]
        tiled = [plan.is_tiled for _, plan in planned]
        assert bits == sorted(bits)
        assert tiled == sorted(tiled, reverse=True)


def test_what_can_t_go_layer_by_layer_is_not_the_smallest_for_a_small_card(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "bitsandbytes")
    qualities: tuple[Quality, ...] = ("fast", "balanced")
    for asked in qualities:
        spec, its = plan_on_card(FLUX, asked, 8 * GB)
        assert (spec.precision, its.level, its.fits) == ("gguf-q4_k_s", "group_offload", True)
    assert plan_on_card(FLUX, "fast", 12 * GB)[0].precision == "nf4"


def test_apple_s_gpus_have_no_8_bit_floats() -> None:
    qwen = choose_base(None, None, "qwen-image-2")
    assert choose_precision(qwen, "balanced", "cuda", 20 * GB, plan).precision == "fp8"
    assert choose_precision(qwen, "balanced", "xpu", 20 * GB, plan).precision == "fp8"
    assert choose_precision(qwen, "balanced", "mps", 20 * GB, plan).precision == "full"


def test_sdnq_s_integers_run_on_any_device_and_its_4_bits_with_fast_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "sdnq")
    qwen = choose_base(None, None, "qwen-image-2")
    qualities: dict[Quality, str] = {"balanced": "sdnq-int8", "fast": "sdnq-uint4"}
    for quality, kind in product(qualities, ("cuda", "xpu", "mps")):
        assert choose_precision(qwen, quality, kind, 20 * GB, plan).precision == qualities[quality]


def test_a_user_s_own_file_stays_as_it_is() -> None:
    own = replace(FLUX, checkpoint=Checkpoint(file="mine.safetensors", brings=frozenset({"transformer"})))
    assert choose_precision(own, "fast", "cuda", 8 * GB, plan) == own


def test_what_was_chosen_is_said_with_what_more_memory_allows() -> None:
    chosen = choose_precision(FLUX, "balanced", "cuda", 10 * GB, plan)
    assert precision_note(chosen, "cuda", 10 * GB, plan) == (
        "FLUX.1 dev in Q6 (10.6 GB), because this GPU has 10 GB. On a GPU with 24 GB it runs in full precision."
    )
    assert precision_note(FLUX, "cuda", 24 * GB, plan) == ""


def test_a_base_in_a_file_of_a_hub_is_full_again_when_asked() -> None:
    packed: Any = FLUX.in_precision("gguf-q8_0")
    assert packed.checkpoint == Checkpoint(
        repo="city96/FLUX.1-dev-gguf", file="flux1-dev-Q8_0.gguf", brings=frozenset({"transformer"})
    )
    assert packed.in_precision("full") == FLUX
    assert FLUX.in_precision("gguf-q4_0") is None


def test_an_image_is_made_again_as_precise(base: str, studio: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "total_memory", lambda device: 64 * GB)
    asked = job(base=base)
    whole = studio.generate(asked, single(asked))
    # Nothing fits.
    monkeypatch.setattr(plans, "total_memory", lambda device: 2 * GB)
    assert "in 8-bit floats" in studio.estimate(asked, single(asked)).sentence
    stored = studio.generate(asked, single(asked))
    assert (whole.report.precision, stored.report.precision) == ("full", "fp8")
    assert any("in 8-bit floats" in note and "because this computer has 2 GB" in note for note in stored.report.notes)
    assert stored.images[0].image.tobytes() != whole.images[0].image.tobytes()
    full = replace(asked, quality="full")
    assert studio.generate(full, single(full)).images[0].image.tobytes() == whole.images[0].image.tobytes()
    monkeypatch.setattr(plans, "total_memory", lambda device: 64 * GB)
    again = replace(asked, precision="fp8")
    assert studio.generate(again, single(again)).images[0].image.tobytes() == stored.images[0].image.tobytes()


def test_a_plan_is_made_once_for_a_request_and_once_more_where_its_base_is_loaded(
    base: str, studio: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[plans.GenerationPlan] = []

    def keep(*args: Any, **options: Any) -> plans.GenerationPlan:
        made.append(make_plan(*args, **options))
        return made[-1]

    monkeypatch.setattr("hub_ui.generate.engine.make_plan", keep)
    for seed, times in ((1, 2), (2, 3)):
        asked = job(base=base, seed=seed)
        level = studio.generate(asked, single(asked)).report.level
        assert (len(made), made[-1].request, made[-1].placement.level) == (times, asked, level)


@pytest.mark.parametrize("gigabytes", [(8, 80), (80, 8)])
def test_the_chosen_gpu_decides_the_precision(monkeypatch: pytest.MonkeyPatch, gigabytes: tuple[int, int]) -> None:
    monkeypatch.setattr("hub_ui.generate.memory.device.total_memory", lambda: 64 * GB)
    with simulated_cuda(*(Card(memory=size * GB) for size in gigabytes)) as cuda:
        assert choose_spec(job(base="flux.1-dev")).precision == "full"
    assert cuda.unindexed == []


def test_a_precision_that_does_not_run_here_is_told(base: str, studio: Engine) -> None:
    asked = job(base=base, precision="nf4")
    made = studio.generate(asked, single(asked))
    assert made.report.precision == "full"
    assert any("does not run in nf4 here" in note for note in made.report.notes)


def plan_on(base: str, gigabytes: float, ram: int = 64, kind: str = "cuda", **fields: Any) -> plans.GenerationPlan:
    """Of so many free gigabytes (10^9 bytes), in a computer of so many."""
    spec = choose_base(None, None, base)
    device = Device(label="card", kind=kind, dtype=spec.dtype, free_bytes=round(gigabytes * 10**9))
    return make_plan(job(base=base, **fields), spec, device, ram * 10**9)


@pytest.mark.parametrize(
    ("base", "gigabytes", "ram", "disk", "said"),
    [
        ("flux.1-dev", 0, 16, 2_000, r"FLUX\.1 dev takes about \d+ GB of memory, and 16 GB are free"),
        ("flux.1-dev", 0, 76, 2_000, "$"),
        ("flux.1-dev", 24, 16, 2_000, "$"),
        ("wan-2.2-t2v-a14b", 24, 21, 2_000, r"Wan 2\.2 A14B takes about 58 GB of memory, and 21 GB are free"),
        ("flux.1-dev", 0.6, 64, 2_000, r".+ takes about 1 GB of the memory of this card, and 0\.6 GB are free"),
        ("flux.1-dev", 4, 16, 5, r"FLUX\.1 dev takes about 34 GB of the disk, in .+, and 5 GB are free"),
    ],
)
def test_what_a_base_takes_too_much_of_is_told(
    monkeypatch: pytest.MonkeyPatch, base: str, gigabytes: float, ram: int, disk: int, said: str
) -> None:
    monkeypatch.setattr("hub_ui.generate.memory.device.free_disk", lambda: disk * 10**9)
    assert re.match(said, plan_on(base, gigabytes, ram, "cuda" if gigabytes else "cpu").shortage)


@pytest.mark.parametrize(("side", "gibibytes", "pieces"), [(1024, 4, False), (2048, 4, True), (2048, 8, False)])
@pytest.mark.parametrize("free", [1, 100_000_000_000])
def test_size_and_memory_decide_what_is_decoded_in_pieces(side: int, gibibytes: int, pieces: bool, free: int) -> None:
    device = Device(label="GPU", kind="cuda", dtype="float16", free_bytes=free, total_bytes=gibibytes * GB)
    planned = make_plan(job(width=side, height=side), choose_base("sd1", None, None), device, 64 * GB)
    assert planned.is_tiled is pieces


@pytest.mark.parametrize(
    ("side", "frames", "kind", "count"),
    [
        (64, 1, "cpu", 8), (128, 1, "cpu", 8), (256, 1, "cpu", 2), (512, 1, "cpu", 1), (512, 1, "cuda", 5),
        (1024, 1, "cuda", 1), (256, 81, "cuda", 1),
    ],
)  # fmt: skip
def test_the_size_of_images_says_how_many_are_made_at_once(side: int, frames: int, kind: str, count: int) -> None:
    assert plan_on("sd-1.5", 24, kind=kind, width=side, height=side, frames=frames).rows == count
