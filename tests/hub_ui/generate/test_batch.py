"""One call of a pipeline: its checks, compiled networks, and attention that another backend of diffusers computes."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_dispatch import AttentionBackendName, _AttentionBackendRegistry
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from connectors.errors import PreviewError
from hub_ui.generate.batch import ADDED, COMPILED, OFFLOADED, OutputChecks, compiled_network
from hub_ui.generate.engine import Engine
from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.generate.previews import HostCopy
from hub_ui.generate.request import Callbacks, GenerationCancelled, Step
from hub_ui.images import png_metadata
from tests.hub_ui.generate.building import adapter, drawn, load_base, one, pair, same, save_kohya, single
from tests.hub_ui.generate.pipelines.bases import TINY
from tests.hub_ui.generate.pipelines.bench import Bench


def offloaded(studio: Engine) -> Any:
    """The loaded pipeline with its networks on the device one at a time; here that is the processor too."""
    pipe: Any = studio._loaded.pipe if studio._loaded else None
    pipe.enable_model_cpu_offload(device="cpu")
    return pipe


def test_a_cancelled_call_takes_its_networks_off_the_device(studio: Engine, base: str, tmp_path: Path) -> None:
    lora = adapter(save_kohya(tmp_path / "a.safetensors"))
    before = one(studio, lora, base=base)
    studio._image_cache.clear()
    pipe = offloaded(studio)
    hook, calls = pipe.unet._hf_hook, iter([False] * 3)
    with pytest.raises(GenerationCancelled):
        single(studio, lora, base=base, callbacks=Callbacks(is_cancelled=lambda: next(calls, True)))
    # The hooks are new, and each moves its network to the processor when it is made.
    assert pipe.unet._hf_hook is not hook
    assert same(one(studio, lora, base=base), before)


def test_so_does_a_call_that_fails(studio: Engine, base: str) -> None:
    one(studio, base=base)
    pipe = offloaded(studio)
    hook = pipe.unet._hf_hook

    def fail(*_: Any) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    pipe.unet.time_embedding.register_forward_hook(fail)
    with pytest.raises(PreviewError, match="mat1 and mat2"):
        one(studio, base=base, seed=8)
    assert pipe.unet._hf_hook is not hook


def test_latents_of_a_stopped_run_never_come_again(studio: Engine, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # As on a GPU whose copy has not arrived when the run is stopped.
    coming = SimpleNamespace(query=lambda: False, synchronize=lambda: None)
    steps: list[Step] = []
    monkeypatch.setattr("hub_ui.generate.previews.copy_to_host", lambda values: HostCopy(values=values, event=coming))
    stop = Callbacks(on_progress=steps.append, is_cancelled=lambda: len(steps) > 4)
    with pytest.raises(GenerationCancelled):
        single(studio, base=base, steps=9, callbacks=stop)
    monkeypatch.undo()
    assert [step for step in steps if step.preview] == []
    single(studio, base=base, seed=8, callbacks=Callbacks(on_progress=steps.append))
    assert [step for step in steps if step.preview] != []


class Vae(nn.Module):
    """Makes numbers on its way that half precision has no room for, and small ones of them again."""

    def __init__(self, grows: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((), grows))

    def decode(self, latents: torch.Tensor, return_dict: bool = True) -> Any:
        return ((latents.to(self.weight.dtype) * self.weight * 10) / 10 / self.weight,)


def decoded(vae: Any, sound: OutputChecks) -> torch.Tensor:
    with torch.inference_mode(), sound.watch_decoding(SimpleNamespace(vae=vae)):
        picture: torch.Tensor = vae.decode(torch.ones(1, 3, 4, 4, dtype=torch.float16), return_dict=False)[0]
    return picture


def test_a_vae_that_overflows_decodes_again_in_full_precision() -> None:
    vae, sound = Vae(60000.0).half(), OutputChecks()
    assert decoded(vae, sound).tolist() == torch.ones(1, 3, 4, 4).tolist()
    assert sound.notes == ["The VAE overflowed in half precision, so it decoded in full precision."]
    assert (vae.weight.dtype, "decode" in vars(vae)) == (torch.float16, False)


def test_a_vae_that_does_not_is_left_alone() -> None:
    sound = OutputChecks()
    assert decoded(Vae(10.0).half(), sound).dtype == torch.float16
    assert sound.notes == []


@pytest.mark.parametrize(("dtype", "name"), [(torch.float16, "float16"), (torch.float32, "float32")])
def test_a_vae_that_overflows_even_so_is_told(dtype: torch.dtype, name: str) -> None:
    with pytest.raises(PreviewError, match=rf"The VAE came to values that are no numbers \({name}\)"):
        decoded(Vae(float("inf")).to(dtype), OutputChecks())


def test_latents_that_are_no_numbers_are_told_with_the_reason_and_the_next_step() -> None:
    with pytest.raises(PreviewError) as raised:
        OutputChecks().check_latents(torch.full((1, 4, 2, 2), float("nan"), dtype=torch.float16))
    assert raised.value.message == (
        "The network came to values that are no numbers (float16), so there is no image. Numbers this large do not "
        "fit into half precision: use a base in bfloat16 or float32. Turn the weight or the guidance down, then try "
        "again."
    )


def copy_under_way(tensor: torch.Tensor) -> HostCopy:
    """As on CUDA, whose event has not come by yet when it is asked for the first time."""
    return HostCopy(values=tensor, event=SimpleNamespace(query=lambda: False, synchronize=lambda: None))


def test_a_gpu_is_asked_one_step_later_whether_latents_are_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_ui.generate.batch.copy_to_host", copy_under_way)
    checks, broken = OutputChecks(), torch.full((1, 4, 2, 2), float("nan"))
    checks.check_latents(torch.zeros(1, 4, 2, 2))
    checks.check_latents(broken)
    with pytest.raises(PreviewError, match=r"The network came to values that are no numbers \(float32\)"):
        checks.check_latents(torch.zeros(1, 4, 2, 2))


def test_what_a_gpu_has_not_said_yet_is_known_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_ui.generate.batch.copy_to_host", copy_under_way)
    checks = OutputChecks()
    checks.check_latents(torch.full((1, 4, 2, 2), float("nan")))
    with pytest.raises(PreviewError, match="The network came to"):
        decoded(Vae(10.0), checks)
    checks.check_latents(torch.full((1, 4, 2, 2), float("nan")))
    checks.forget_latents()
    assert decoded(Vae(10.0), checks).shape == (1, 3, 4, 4)


def test_a_run_without_numbers_stops_at_that_step(studio: Engine, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []

    def broken(self: Any, sample: Any, *_args: Any, **_kwargs: Any) -> Any:
        runs.append(len(sample))
        return (torch.full_like(sample, float("nan") if len(runs) == 2 else 0.5),)

    monkeypatch.setattr(UNet2DConditionModel, "forward", broken)
    with pytest.raises(PreviewError, match="no numbers"):
        one(studio, base=base, steps=9)
    assert len(runs) == 2


def test_an_all_black_picture_is_noted(studio: Engine, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers import AutoencoderKL

    monkeypatch.setattr(AutoencoderKL, "decode", lambda *_args, **_kwargs: (torch.full((1, 3, 32, 32), -1.0),))
    assert single(studio, base=base).report.notes == (
        "The image “the base alone” is all black. If the prompt did not ask for that, try another weight or seed.",
    )


def test_loras_that_change_nothing_are_noted(studio: Engine, base: str, tmp_path: Path) -> None:
    path = save_kohya(tmp_path / "zeros.safetensors")
    save_file({name: value * (name[-9:] != "up.weight") for name, value in load_file(path).items()}, path)
    assert pair(studio, adapter(path, title="Ink"), base=base).report.notes == (
        "The image “with Ink 1” is the one without LoRAs, pixel for pixel: here they change nothing.",
    )
    assert pair(studio, adapter(save_kohya(tmp_path / "whole.safetensors")), base=base).report.notes == ()


@pytest.mark.parametrize(("colour", "count"), [((0, 0, 0), 1), ((2, 1, 0), 1), ((0, 0, 9), 0)])
def test_only_what_shows_nothing_counts_as_black(colour: tuple[int, int, int], count: int) -> None:
    sound = OutputChecks()
    sound.check_image(Image.new("RGB", (8, 8), colour), "with")
    assert len(sound.notes) == count


class Traced:
    """A backend of torch.compile that counts what it is given."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, graph: Any, _inputs: Any) -> Callable[..., Any]:
        self.count += 1
        forward: Callable[..., Any] = graph.forward
        return forward


@pytest.fixture
def pipe(base: str) -> Any:
    """Compiled anew by each test."""
    return load_base(base)


@pytest.fixture
def manager(pipe: Any, tmp_path: Path) -> AdapterManager:
    manager = AdapterManager(pipe, "sd1", LoraCache(2**28))
    manager.set_adapters([adapter(save_kohya(tmp_path / "kohya.safetensors"))])
    return manager


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_merged_loras_run_compiled_and_the_network_is_its_own_again(pipe: Any, manager: AdapterManager) -> None:
    notes: list[str] = []
    traced = Traced()
    torch.compiler.reset()
    with manager.merge():
        plain = drawn(pipe)
        with compiled_network(pipe, manager, notes.append, backend=traced):
            compiled = drawn(pipe)
    assert (compiled - plain).abs().max() < 1e-5
    assert traced.count > 0
    assert notes == [COMPILED]
    assert not any("forward" in vars(module) for module in pipe.unet.modules())


def test_both_networks_of_ideogram_are_compiled(bench: Bench) -> None:
    pipe = bench.tiny(TINY["ideogram4"]).ours
    with compiled_network(pipe, AdapterManager(pipe, "ideogram4", LoraCache(0)), lambda _: None, backend=Traced()):
        for network in (pipe.transformer, pipe.unconditional_transformer):
            assert any("forward" in vars(module) for module in network.modules())


def test_with_hooks_nothing_is_compiled(pipe: Any, manager: AdapterManager) -> None:
    notes: list[str] = []
    traced = Traced()
    with manager.row_weights([[0.0], [1.0]]), compiled_network(pipe, manager, notes.append, backend=traced):
        assert not any("forward" in vars(module) for module in pipe.unet.modules())
    assert notes == [ADDED]


def test_an_offloaded_network_is_not_compiled(pipe: Any, manager: AdapterManager) -> None:
    notes: list[str] = []
    pipe.unet.enable_group_offload(onload_device=torch.device("cpu"), offload_type="leaf_level")
    with manager.merge(), compiled_network(pipe, manager, notes.append, backend=Traced()):
        pass
    assert notes == [OFFLOADED]


@pytest.fixture
def flux(tmp_path: Path) -> str:
    """A base of whose network diffusers dispatches the attention."""
    return str(TINY["flux1 dev"].save(tmp_path / "flux"))


def choose(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As DIFFUSERS_ATTN_BACKEND does, before diffusers is imported."""
    monkeypatch.setattr(_AttentionBackendRegistry, "_active_backend", AttentionBackendName(backend))


def test_another_backend_is_said_in_the_image_and_where_it_is_made_again(
    studio: Engine, flux: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = single(studio, base=flux, steps=1)
    choose("_native_math", monkeypatch)
    other = single(studio, base=flux, steps=1)
    png_metadata.save(other, 0, tmp_path / "a.png")
    found = png_metadata.read(tmp_path / "a.png")
    assert (own.report.attention, other.report.attention) == ("", "_native_math")
    assert "Attention: _native_math" in png_metadata.infotext_of(other, 0)
    said = "Its attention was computed by _native_math, and here by torch: pixels can differ."
    assert said in png_metadata.differences(found, own.request, own.report)


def test_a_backend_that_is_missing_is_replaced(studio: Engine, flux: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = one(studio, base=flux, steps=1)
    studio.close()
    choose("xformers", monkeypatch)
    made = single(studio, base=flux, steps=1)
    assert same(made.images[0], own)
    assert made.report.attention == ""
    assert [note for note in made.report.notes if note.startswith("Attention by “xformers” failed here (")]


def test_a_network_of_torch_s_own_says_nothing(studio: Engine, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choose("_native_math", monkeypatch)
    assert single(studio, base=base).report.attention == ""
