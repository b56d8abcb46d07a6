import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from connectors.errors import DoesNotFit, NeedsFetching, NoBase
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.generate.base_models import Checkpoint, PipelineSpec, choose_base
from hub_ui.generate.base_models import download as of_download
from hub_ui.generate.base_models.download import Source, check_download, download
from hub_ui.generate.base_models.files import plan_download
from hub_ui.generate.base_models.load import load_pipeline, store_text_encoder
from hub_ui.generate.base_models.repo_layout import LocalBase
from hub_ui.generate.base_models.table import NetworkFiles
from hub_ui.generate.control import sibling_pipeline
from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from tests.hub_ui.generate.base_hub import save_hub, silently
from tests.hub_ui.generate.building import CPU, adapter
from tests.hub_ui.generate.pipelines import packed
from tests.hub_ui.generate.pipelines.bases import TINY
from tests.hub_ui.generate.pipelines.files import PEFT
from tests.hub_ui.generate.pipelines.frame import Base, draw, load
from tests.hub_ui.generate.pipelines.rows import Make, control_of_diffusers, file, widen
from tests.hub_ui.generate.pipelines.short_form import only
from tests.hub_ui.generate.pipelines.spellings import own

FLUX = TINY["flux1 dev"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FLUX.save(tmp_path_factory.mktemp("flux"))


def of_gguf(base: Path, file: Path) -> PipelineSpec:
    checkpoint = Checkpoint(file=str(file), brings=frozenset({"transformer"}))
    return replace(choose_base("flux1", None, str(base)), checkpoint=checkpoint, precision="gguf-q8_0")


def load_gguf(base: Path, file: Path) -> Any:
    return load_pipeline(of_gguf(base, file), LocalBase(folder=base, checkpoint=file), CPU)[0]


def load_in(name: str, base: Path) -> Any:
    spec = replace(choose_base("flux1", None, str(base)), precision=name)
    return load_pipeline(spec, LocalBase(folder=base), CPU)[0]


def psnr(drawn: torch.Tensor, reference: torch.Tensor) -> float:
    """In dB, of the range of the reference: latents aren't cut off at black and white."""
    error = (drawn - reference).square().mean().item()
    return 20 * math.log10((reference.max() - reference.min()).item()) - 10 * math.log10(error)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TINY["flux1 wide"].save(tmp_path_factory.mktemp("wide"))


@pytest.mark.parametrize("kind", ["Q8_0", "Q6_K", "Q5_K", "Q5_1", "Q5_0", "Q4_K", "Q4_1", "Q4_0"])
def test_packed_weights_have_the_values_that_gguf_itself_unpacks(wide: Path, tmp_path: Path, kind: str) -> None:
    gguf = packed.save_gguf(wide, tmp_path / "flux.gguf", kind)
    unpacked = load(FLUX, packed.unpack_gguf(wide, gguf, tmp_path / "unpacked"))
    # diffusers multiplies by the scales in half precision.
    assert psnr(draw(load_gguf(wide, gguf), FLUX), draw(unpacked, FLUX)) > 70


# One of the other parts of LTX-2 is in none of diffusers' own modules.
@pytest.mark.parametrize("name", only(["hidream", "krea2", "ltx2"], "ltx2"))
def test_gguf_files_of_other_networks_draw_what_they_hold(tmp_path: Path, name: str) -> None:
    one = TINY[name]
    folder = one.save(tmp_path / "base")
    gguf = packed.save_gguf(folder, tmp_path / "network.gguf", "Q8_0", others="BF16")
    checkpoint = Checkpoint(file=str(gguf), brings=frozenset({"transformer"}))
    spec = replace(choose_base(one.architecture, None, str(folder)), checkpoint=checkpoint, precision="gguf-q8_0")
    pipe = load_pipeline(spec, LocalBase(folder=folder, checkpoint=gguf), CPU)[0]
    for attribute, value in one.attributes.items():
        setattr(pipe, attribute, value)
    unpacked = load(one, packed.unpack_gguf(folder, gguf, tmp_path / "unpacked"))
    assert psnr(draw(pipe, one), draw(unpacked, one)) > 60


def test_two_networks_are_read_from_two_gguf_files(tmp_path: Path) -> None:
    folder, unpacked, files = TINY["wan_22"].save(tmp_path / "base"), tmp_path / "unpacked", {}
    for part in ("transformer", "transformer_2"):
        files[part] = packed.save_gguf(folder, tmp_path / f"{part}.gguf", "Q8_0", part=part)
        packed.unpack_gguf(folder, files[part], unpacked, part=part)
    checkpoint = Checkpoint(
        repo="maker/wan", file="transformer.gguf", brings=frozenset(files), beside=(("transformer_2", "2.gguf"),)
    )
    spec = replace(choose_base("wan", None, str(folder)), checkpoint=checkpoint, precision="gguf-q8_0")
    fetched = LocalBase(
        folder=folder, checkpoint=files["transformer"], beside={"transformer_2": files["transformer_2"]}
    )
    drawn = draw(load_pipeline(spec, fetched, CPU)[0], TINY["wan_22"])
    assert psnr(drawn, draw(load(TINY["wan_22"], unpacked), TINY["wan_22"])) > 60


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def lied(data: bytes) -> bytes:
    """Says that it has 2^60 tensors."""
    return data[:8] + (1 << 60).to_bytes(8, "little") + data[16:]


@pytest.mark.parametrize("damage", [cut, lied, lambda data: b"GGUF", lambda data: b"", lambda data: b"no" + data])
def test_a_damaged_gguf_file_is_told(base: Path, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    gguf = packed.save_gguf(base, tmp_path / "flux.gguf", "Q8_0")
    gguf.write_bytes(damage(gguf.read_bytes()))
    with pytest.raises(NoBase, match="can't be loaded from its files"):
        load_gguf(base, gguf)


def test_weights_in_8_bit_floats_draw_nearly_the_same_and_small_text_encoders_stay_as_they_are(base: Path) -> None:
    pipe = load_in("fp8", base)
    assert {value.dtype for value in pipe.text_encoder_2.parameters()} == {torch.float32}
    assert pipe.transformer.transformer_blocks[0].attn.to_q.weight.dtype == torch.float8_e4m3fn
    assert psnr(draw(pipe, FLUX), draw(load(FLUX, base), FLUX)) > 30


TEXT_ENCODERS: dict[str, Base] = {
    "T5": FLUX, "UMT5": TINY["wan_21"], "Pile-T5": TINY["auraflow"], "Qwen2.5-VL": TINY["qwen_image"],
    "Qwen3": TINY["z_image"], "Qwen3-VL": TINY["krea2"], "Mistral": TINY["flux2_dev"], "Llama": TINY["hidream"],
    "LLaVA": TINY["hunyuan_video"], "Gemma": TINY["sana"], "GLM": TINY["cogview4"], "T5 of LTX": TINY["ltx_video"],
}  # fmt: skip


@pytest.mark.parametrize("name", only(TEXT_ENCODERS, "T5", "Qwen3-VL"))
def test_text_encoders_work_in_8_bit_floats(tmp_path: Path, name: str) -> None:
    one = TEXT_ENCODERS[name]
    folder = one.save(tmp_path / "base")
    pipe = load(one, folder)
    encoders = [part for part_name, part in pipe.components.items() if part_name.startswith("text_encoder")]
    for encoder in encoders:
        store_text_encoder(encoder, torch.float32, least=0)
    stored = [value for encoder in encoders for value in encoder.parameters() if value.dtype == torch.float8_e4m3fn]
    assert stored
    assert psnr(draw(pipe, one), draw(load(one, folder), one)) > 20


BLOCKS = file(own("transformer", "transformer.", r"^(single_)?transformer_blocks"), PEFT)
LAYERS_OF_T5 = file(own("text_encoder_2", "text_encoder_2.", r"SelfAttention|DenseReluDense"), PEFT)


def with_lora(pipe: Any, path: Path) -> AdapterManager:
    manager = AdapterManager(pipe, "flux1", LoraCache(2**28))
    manager.set_adapters([adapter(path, architecture="flux1")])
    return manager


def bytes_of(pipe: Any) -> dict[str, bytes]:
    """Of every weight, however it is packed."""
    networks = {"transformer": pipe.transformer, "text_encoder_2": pipe.text_encoder_2}
    return {
        f"{part}.{name}": value.detach().contiguous().view(torch.uint8).numpy().tobytes()
        for part, network in networks.items()
        for name, value in network.named_parameters()
    }


STORED = ("gguf-q8_0", "gguf-q5_1", "fp8 with its T5", "sdnq-int8", "sdnq-uint4")


@pytest.fixture(scope="module", params=only(STORED, "gguf-q8_0", "fp8 with its T5", "sdnq-uint4"))
def quantised(wide: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Any:
    """Who changes it has to leave it as it was."""
    if request.param.startswith("sdnq"):
        return load_in(request.param, wide)
    if request.param.startswith("gguf"):
        gguf = tmp_path_factory.mktemp("gguf") / "flux.gguf"
        return load_gguf(wide, packed.save_gguf(wide, gguf, request.param[5:].upper()))
    pipe = load_in("fp8", wide)
    store_text_encoder(pipe.text_encoder_2, torch.float32, least=0)
    return pipe


@pytest.mark.parametrize("make", [BLOCKS, LAYERS_OF_T5])
def test_a_lora_has_the_same_effect_on_a_quantised_base(wide: Path, tmp_path: Path, quantised: Any, make: Make) -> None:
    whole = load(FLUX, wide)
    path = make(whole, 1).save(tmp_path / "lora.safetensors")
    alone, before = draw(quantised, FLUX), bytes_of(quantised)
    with_lora(whole, path)
    manager = with_lora(quantised, path)
    with manager.merge(steps=2):
        changed = draw(quantised, FLUX)
    found, effect = psnr(changed, draw(whole, FLUX)), psnr(changed, alone)
    assert found > 30
    assert effect < found - 3
    manager.set_weights([0.0])
    assert torch.equal(draw(quantised, FLUX), alone)
    manager.set_weights([1.0])
    with manager.merge(steps=2):
        assert torch.equal(draw(quantised, FLUX), changed)
    manager.disable()
    assert bytes_of(quantised) == before
    assert torch.equal(draw(quantised, FLUX), alone)


# Of one layer with 256 inputs and outputs.
CHANGES = {
    "diff": {"diff": torch.full((256, 256), 0.5)},
    "lokr": {"lokr_w1": torch.eye(4), "lokr_w2": torch.ones(64, 64) * 0.3},
    "dora": {
        "lora_A.weight": torch.ones(4, 256),
        "lora_B.weight": torch.eye(256, 4),
        "dora_scale": torch.full((256, 1), 6.0),
    },
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_lora_of_whole_weights_has_the_same_effect_on_a_quantised_base(
    wide: Path, tmp_path: Path, quantised: Any, change: str
) -> None:
    whole, path = load(FLUX, wide), tmp_path / "lora.safetensors"
    layer = "transformer.transformer_blocks.0.attn.to_v"
    save_file({f"{layer}.{part}": value for part, value in CHANGES[change].items()}, path)
    alone, before = draw(quantised, FLUX), bytes_of(quantised)
    with_lora(whole, path)
    manager = with_lora(quantised, path)
    with manager.merge(steps=20):
        assert manager.application == {"hooked"}
        changed = draw(quantised, FLUX)
    assert psnr(changed, alone) + 6 < psnr(changed, draw(whole, FLUX)) > 30
    manager.disable()
    assert bytes_of(quantised) == before


def test_a_base_that_was_packed_by_sdnq_draws_as_it_does_when_it_is_packed_here(
    wide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = load_in("sdnq-uint4", wide)
    shutil.copytree(wide, tmp_path / "packed", ignore=shutil.ignore_patterns("transformer"))
    here.transformer.save_pretrained(tmp_path / "packed" / "transformer")
    monkeypatch.undo()
    packed = load_in("full", tmp_path / "packed")
    assert packed.transformer.transformer_blocks[0].attn.to_q.weight.dtype == torch.uint8
    assert torch.equal(draw(packed, FLUX), draw(here, FLUX))


def test_a_control_lora_widens_a_first_layer_in_bfloat16(base: Path, tmp_path: Path) -> None:
    gguf = packed.save_gguf(base, tmp_path / "flux.gguf", "Q8_0", others="BF16")
    pipes = load_gguf(base, gguf), load(FLUX, packed.unpack_gguf(base, gguf, tmp_path / "unpacked"))
    path = control_of_diffusers(widen(load(FLUX, base)), 1).save(tmp_path / "lora.safetensors")
    before = bytes_of(pipes[0])
    managers = [with_lora(pipe, path) for pipe in pipes]
    steered = [sibling_pipeline(pipe, "Control", "none") for pipe in pipes]
    assert psnr(*(draw(pipe, TINY["flux1 control"]) for pipe in steered)) > 70
    managers[0].disable()
    assert bytes_of(pipes[0]) == before


def test_a_control_lora_can_not_widen_a_packed_first_layer(base: Path, tmp_path: Path) -> None:
    pipe = load(FLUX, base)
    path = control_of_diffusers(widen(load(FLUX, base)), 1).save(tmp_path / "lora.safetensors")
    pipe.transformer.x_embedder.weight = torch.nn.Parameter(torch.ones(32, 4, dtype=torch.int8), requires_grad=False)
    with pytest.raises(DoesNotFit, match="can't widen the quantised input"):
        with_lora(pipe, path)


@pytest.fixture
def hub(base: Path, tmp_path: Path) -> Iterator[Source]:
    """A hub with the whole base, and with its network as a GGUF file in a repo of its own."""
    packed.save_gguf(base, tmp_path / "tiny-Q8_0.gguf", "Q8_0")
    card = {"text": "---\nlicense: other\nlicense_name: packed-license\n---\n"}
    second = {"2/tiny-Q8_0.gguf": {"path": "tiny-Q8_0.gguf"}}
    repos = {"packed": {"tiny-Q8_0.gguf": {"path": "tiny-Q8_0.gguf"}, **second, "README.md": card}}
    folder = save_hub(tmp_path / "hub", base, **repos)
    shutil.copy(tmp_path / "tiny-Q8_0.gguf", folder)
    (folder / "hf_readme_maker__packed.md").write_text(card["text"])
    with running_hubs(folder) as endpoints:
        yield Source(endpoint=endpoints.huggingface, cache=tmp_path / "cache")


def packed_flux() -> PipelineSpec:
    spec = replace(choose_base("flux1", None, "flux.1-dev"), source="maker/tiny", revision=None, gated=False)
    spec = replace(spec, gguf=NetworkFiles(repo="maker/packed", name="tiny", gigabytes={"Q8_0": 0.1}))
    found = spec.in_precision("gguf-q8_0")
    assert found is not None
    return found


def test_of_a_base_with_a_gguf_file_everything_but_its_own_network_is_fetched(hub: Source, base: Path) -> None:
    plan = plan_download(packed_flux(), hub)
    names = [file.filename for file in plan.files]
    assert "tiny-Q8_0.gguf" in names
    assert "transformer/config.json" in names
    assert not [name for name in names if name.startswith("transformer/") and name.endswith(".safetensors")]
    assert (plan.origin, plan.license) == ("maker/tiny and maker/packed", "tiny-license; packed-license")
    fetched = download(plan, hub, silently)
    drawn = draw(load_pipeline(packed_flux(), fetched, CPU)[0], FLUX)
    assert psnr(drawn, draw(load(FLUX, base), FLUX)) > 45
    offline = replace(hub, endpoint="http://127.0.0.1:9")
    assert download(plan_download(packed_flux(), offline), offline, silently) == fetched


def test_the_file_of_a_second_network_is_fetched_with_that_of_the_first(hub: Source) -> None:
    spec = packed_flux()
    assert spec.checkpoint is not None
    both = replace(spec.checkpoint, beside=(("transformer_2", "2/tiny-Q8_0.gguf"),))
    plan = plan_download(replace(spec, checkpoint=both), hub)
    fetched = download(plan, hub, silently)
    assert fetched.checkpoint is not None
    assert fetched.beside == {"transformer_2": fetched.checkpoint.parent / "2" / "tiny-Q8_0.gguf"}
    assert fetched.beside["transformer_2"].stat().st_size == fetched.checkpoint.stat().st_size


def test_a_question_before_it_names_the_precision_and_both_repos(hub: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_download, "_WITHOUT_ASKING", 0)
    with pytest.raises(NeedsFetching, match=r"FLUX\.1 dev in Q8 \(.* from maker/tiny and maker/packed\)") as asked:
        check_download(plan_download(packed_flux(), hub), may_fetch=False)
    assert asked.value.label == "FLUX.1 dev in Q8"
