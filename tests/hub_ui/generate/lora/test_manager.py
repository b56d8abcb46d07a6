"""LoRAs on a tiny Stable Diffusion: what the pipeline generates is compared, not what the manager believes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FluxPipeline
from diffusers.hooks.group_offloading import apply_group_offloading
from safetensors.torch import load_file, save_file

from connectors.errors import DoesNotFit
from hub_ui.generate.lora.hooks import NotPerRow
from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.generate.lora.module_names import Names, names_of
from tests.hub_ui.generate.building import adapter, drawn, save_kohya, save_peft
from tests.hub_ui.generate.lora.naming import flux_network
from tests.hub_ui.generate.pipelines.bench import same_networks, snapshot

Q = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
MEGABYTE = 1_000_000


@pytest.fixture(autouse=True)
def _unchanged(pipe: Any) -> Iterator[None]:
    """One pipeline for all tests, which each has to leave as it was."""
    before = snapshot(pipe)
    yield
    assert same_networks(before, snapshot(pipe))


@pytest.fixture
def manager(pipe: Any) -> Iterator[AdapterManager]:
    built = AdapterManager(pipe, "sd1", LoraCache(100 * MEGABYTE))
    yield built
    built.disable()


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_lora_twice_in_the_stack_counts_with_both_weights(pipe: Any, manager: AdapterManager, tmp_path: Path) -> None:
    path = save_peft(tmp_path / "a.safetensors")
    manager.set_adapters([adapter(path, weight=0.5), adapter(path, weight=0.25)])
    twice = drawn(pipe)
    manager.set_adapters([adapter(path, weight=0.75)])
    close(twice, drawn(pipe))


def test_a_shift_without_a_bias_is_added_beside_a_merge(pipe: Any, manager: AdapterManager, tmp_path: Path) -> None:
    factors = {f"{Q}.lora_down.weight": torch.randn(4, 64) * 0.3, f"{Q}.lora_up.weight": torch.randn(64, 4) * 0.3}
    save_file({**factors, f"{Q}.diff_b": torch.randn(64)}, tmp_path / "a.safetensors")
    manager.set_adapters([adapter(tmp_path / "a.safetensors")])
    hooked = drawn(pipe)
    with manager.merge():
        assert manager.application == {"merged", "hooked"}
        close(drawn(pipe), hooked)


def test_after_rows_the_weights_are_those_of_before(pipe: Any, manager: AdapterManager, tmp_path: Path) -> None:
    manager.set_adapters([adapter(save_kohya(tmp_path / "a.safetensors"), weight=0.5)])
    before = drawn(pipe)
    with manager.row_weights([[0.0], [1.0]]):
        drawn(pipe, 2)
    assert torch.equal(drawn(pipe), before)


def test_rows_of_a_batch_are_of_hooks_after_any_merge(pipe: Any, manager: AdapterManager, tmp_path: Path) -> None:
    manager.set_adapters([adapter(save_kohya(tmp_path / "a.safetensors", text=True))])
    rows = [[0.0], [1.0]]
    with manager.row_weights(rows):
        hooked = drawn(pipe, 2)
    with manager.merge():
        drawn(pipe)
        assert manager.application == {"merged", "hooked"}
        with manager.row_weights(rows):
            assert manager.application == {"hooked"}
            assert torch.equal(drawn(pipe, 2), hooked)


def test_a_text_encoder_of_rows_is_never_merged_into(pipe: Any, manager: AdapterManager, tmp_path: Path) -> None:
    manager.set_adapters([adapter(save_kohya(tmp_path / "a.safetensors", text=True))])
    text = torch.arange(5)[None]
    with torch.inference_mode():
        hooked = pipe.text_encoder(text)[0]
        with manager.merge():
            assert torch.equal(pipe.text_encoder(text)[0], hooked)
        with manager.row_weights([[1.0]]):
            assert torch.equal(pipe.text_encoder(text)[0], hooked)


def test_what_changes_weights_as_a_whole_has_no_rows(manager: AdapterManager, tmp_path: Path) -> None:
    save_file({f"{Q}.oft_blocks": torch.randn(4, 16, 16) * 0.1}, tmp_path / "a.safetensors")
    manager.set_adapters([adapter(tmp_path / "a.safetensors")])
    assert not manager.supports_row_weights
    with pytest.raises(NotPerRow), manager.row_weights([[0.0], [1.0]]):
        pass


def test_coverage_says_what_took_effect_and_why_the_rest_did_not(manager: AdapterManager, tmp_path: Path) -> None:
    path = save_peft(tmp_path / "a.safetensors")
    stray = {"unet.nobody.to_q.lora_A.weight": torch.randn(4, 64), "unet.nobody.to_q.lora_B.weight": torch.randn(64, 4)}
    save_file({**load_file(path), **stray}, path)
    [coverage] = manager.set_adapters([adapter(path, title="Ink")])
    assert (coverage.title, coverage.applied, coverage.total) == ("Ink", 48, 50)
    assert [set(missed.keys) for missed in coverage.missed] == [set(stray)]


def test_a_file_of_which_nothing_fits_is_refused_with_the_reason_and_the_loras_before_stay_on(
    pipe: Any, manager: AdapterManager, tmp_path: Path
) -> None:
    manager.set_adapters([adapter(save_kohya(tmp_path / "a.safetensors"))])
    before = drawn(pipe)
    with pytest.raises(DoesNotFit, match=r"None of the 72 tensors of “wide” fit this base model.*: 72 of layers that"):
        manager.set_adapters([adapter(save_kohya(tmp_path / "wide.safetensors", width=48))])
    assert torch.equal(drawn(pipe), before)


def test_a_file_is_read_again_if_it_has_changed(manager: AdapterManager, tmp_path: Path, monkeypatch: Any) -> None:
    one, other = save_kohya(tmp_path / "1.safetensors"), save_kohya(tmp_path / "2.safetensors", seed=2)
    for path in (one, other):
        manager.set_adapters([adapter(path)])
    monkeypatch.setattr("hub_ui.generate.lora.manager.load_patches", None)
    one.touch()
    manager.set_adapters([adapter(other)])
    with pytest.raises(TypeError, match="not callable"):
        manager.set_adapters([adapter(one)])


def test_the_names_of_a_model_are_built_once_for_all_files(pipe: Any, tmp_path: Path, monkeypatch: Any) -> None:
    models: list[Any] = []

    def build(model: Any, architecture: str) -> Names:
        models.append(model)
        return names_of(model, architecture)

    monkeypatch.setattr("hub_ui.generate.lora.manager.names_of", build)
    manager = AdapterManager(pipe, "sd1", LoraCache(100 * MEGABYTE))
    for seed in range(3):
        manager.set_adapters([adapter(save_kohya(tmp_path / f"{seed}.safetensors", seed=seed), weight=0.0)])
    assert len(models) == 1


def test_two_managers_share_what_one_of_them_has_read(pipe: Any, tmp_path: Path) -> None:
    cache, path = LoraCache(100 * MEGABYTE), save_kohya(tmp_path / "a.safetensors")
    for _ in range(2):
        AdapterManager(pipe, "sd1", cache).set_adapters([adapter(path, weight=0.0)])
    assert len(cache) == 1


def flux() -> Any:
    """Only the network: nothing else takes part."""
    pipeline: Any = FluxPipeline
    return pipeline(None, None, None, None, None, None, flux_network())


def control(path: Path) -> Path:
    layers = {"x_embedder": (128, 32), "transformer_blocks.0.attn.to_q": (32, 32)}
    tensors = {}
    for name, (inputs, outputs) in layers.items():
        tensors[f"transformer.{name}.lora_A.weight"] = torch.randn(4, inputs)
        tensors[f"transformer.{name}.lora_B.weight"] = torch.randn(outputs, 4)
    save_file(tensors, path)
    return path


def test_a_control_lora_widens_the_input_and_off_puts_the_old_one_back(tmp_path: Path) -> None:
    pipe = flux()
    manager, x = AdapterManager(pipe, "flux1", LoraCache(MEGABYTE)), torch.randn(3, 128)
    old, config = pipe.transformer.x_embedder, pipe.transformer.config
    weight, at = old.weight, old.weight.data_ptr()
    with torch.no_grad():
        own = old(x[:, :64])
        manager.set_adapters([adapter(control(tmp_path / "a.safetensors"))])
        assert manager.needs_control_image
        assert pipe.transformer.x_embedder is old, "what offloading has hooked up"
        assert pipe.transformer.config.in_channels == 128
        tensors = load_file(tmp_path / "a.safetensors")
        down, up = (tensors[f"transformer.x_embedder.lora_{half}.weight"] for half in "AB")
        close(pipe.transformer.x_embedder(x), own + x @ down.T @ up.T)
        manager.set_weights([0.0])
        close(pipe.transformer.x_embedder(x), own)
    manager.disable()
    assert (old.weight is weight, old.weight.data_ptr(), old.in_features) == (True, at, 64)
    assert pipe.transformer.config is config
    assert pipe.transformer.config.in_channels == 64


def test_whether_a_lora_is_merged_does_not_depend_on_offloading(tmp_path: Path) -> None:
    pipe, path, here = flux(), tmp_path / "a.safetensors", torch.device("cpu")
    save_file({f"transformer.x_embedder.lora_{half}.weight": torch.randn(size) for half, size in
               (("A", (4, 64)), ("B", (32, 4)))}, path)  # fmt: skip
    manager, layer = AdapterManager(pipe, "flux1", LoraCache(MEGABYTE)), pipe.transformer.x_embedder
    own = layer.weight.data.clone()
    manager.set_adapters([adapter(path)])
    with manager.merge():
        whole = layer.weight.data.clone()
    apply_group_offloading(pipe.transformer, onload_device=here, offload_device=here, offload_type="leaf_level")
    with manager.merge():
        assert not layer._forward_hooks
        assert torch.equal(layer.weight.data, whole)
    assert torch.equal(layer.weight.data, own)


def test_parts_of_a_fused_layer_are_turned_by_blocks_of_their_own(tmp_path: Path) -> None:
    """As kohya's oft_flux.py does it, with a limit for each part."""
    pipe, names = flux(), ("double_blocks_0_img_attn_qkv", "double_blocks_0_img_attn_proj")
    blocks = {f"oft_unet_{names[0]}.oft_blocks.{i}": torch.randn(2, 16, 16) * 10**-i for i in range(3)}
    blocks |= {f"oft_unet_{names[1]}.oft_blocks.0": torch.randn(2, 16, 16)}
    save_file(
        {**blocks, **{f"oft_unet_{name}.alpha": torch.tensor(0.01) for name in names}}, tmp_path / "a.safetensors"
    )
    attention = pipe.transformer.transformer_blocks[0].attn
    layers = attention.to_q, attention.to_k, attention.to_v, attention.to_out[0]
    before = [layer.weight.data.clone() for layer in layers]
    manager = AdapterManager(pipe, "flux1", LoraCache(MEGABYTE))
    [coverage] = manager.set_adapters([adapter(tmp_path / "a.safetensors", architecture="flux1")])
    assert (coverage.applied, coverage.total, coverage.missed) == (6, 6, ())
    with manager.merge():
        for layer, own, raw in zip(layers, before, blocks.values(), strict=True):
            skew = raw - raw.transpose(1, 2)
            skew = skew * (0.01 * 32 / skew.norm()).clamp(max=1.0)
            turn = (torch.eye(16) + skew) @ (torch.eye(16) - skew).inverse()
            expected = torch.einsum("knm,knp->kmp", turn, own.view(2, 16, 32)).reshape(32, 32)
            torch.testing.assert_close(layer.weight.data, expected)


def test_a_control_lora_goes_with_another_lora(tmp_path: Path) -> None:
    pipe, other = flux(), tmp_path / "b.safetensors"
    layer = "transformer.x_embedder.lora_"
    save_file({f"{layer}A.weight": torch.randn(4, 64), f"{layer}B.weight": torch.randn(32, 4)}, other)
    manager = AdapterManager(pipe, "flux1", LoraCache(MEGABYTE))
    [first, second] = manager.set_adapters([adapter(control(tmp_path / "a.safetensors")), adapter(other)])
    assert (first.applied, second.applied) == (4, 2)
    x = torch.randn(3, 128)
    with torch.no_grad():
        live = pipe.transformer.x_embedder(x)
        with manager.merge():
            close(pipe.transformer.x_embedder(x), live)
    manager.disable()


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
