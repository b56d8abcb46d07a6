import json
import os
import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from connectors.errors import NoBase
from hub_ui.generate.base_models import repo_layout
from hub_ui.generate.base_models.repo_layout import Index, Part, count_parameters


def test_numbers_are_counted_part_by_part(tmp_path: Path) -> None:
    for part, size in (("unet", 6), ("vae", 4)):
        (tmp_path / part).mkdir()
        save_file(
            {"a": np.zeros((2, size), np.float16), "b": np.zeros((), np.float16)}, tmp_path / part / "m.safetensors"
        )
    assert (count_parameters(tmp_path, "unet"), count_parameters(tmp_path, "vae")) == (13, 9)


def test_a_file_is_read_again_only_once_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "unet").mkdir()
    opened = Mock(side_effect=safe_open)
    monkeypatch.setattr(repo_layout, "safe_open", opened)
    for size in (6, 6, 7):
        save_file({"a": np.zeros((2, size), np.float16)}, path := tmp_path / "unet" / "m.safetensors")
        os.utime(path, (size, size))
        assert count_parameters(tmp_path, "unet") == 2 * size
    assert opened.call_count == 2


def test_what_is_no_base_has_none(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "m.safetensors").write_bytes(b"no weights")
    assert (count_parameters(tmp_path, "unet"), count_parameters(tmp_path / "nobody", "unet")) == (0, 0)


SDXL = {
    "_class_name": "StableDiffusionXLPipeline",
    "_diffusers_version": "0.19.0",
    "force_zeros_for_empty_prompt": True,
    "unet": ["diffusers", "UNet2DConditionModel"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "scheduler": ["diffusers", "EulerDiscreteScheduler"],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "feature_extractor": [None, None],
}
FILES = (
    "model_index.json", "README.md", "sd_xl_base_1.0.safetensors", "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.bin", "text_encoder/config.json", "text_encoder/model.safetensors",
    "text_encoder/openvino_model.safetensors", "tokenizer/merges.txt", "tokenizer/vocab.json",
    "scheduler/scheduler_config.json", "vae_1_0/diffusion_pytorch_model.safetensors", "unet/onnx/model.safetensors",
    "safety_checker/model.safetensors", "text_encoder/run.py",
)  # fmt: skip


def index(data: Any = SDXL, repo: str = "a/repo", names: tuple[str, ...] = ()) -> Index:
    return repo_layout.parse_index(data, repo, names)


def test_an_index_names_pipeline_and_parts() -> None:
    assert index().pipeline == "StableDiffusionXLPipeline"
    assert sorted(index().parts) == ["scheduler", "text_encoder", "tokenizer", "unet"]
    assert index().parts["unet"] == Part(library="diffusers", kind="UNet2DConditionModel")


def test_a_modular_index_says_where_a_part_lies() -> None:
    spec = {"pretrained_model_name_or_path": "Qwen/Qwen3-0.6B", "subfolder": "tok", "type_hint": ["transformers", "T"]}
    found = index({"_class_name": "AnimaModularPipeline", "tokenizer": [None, None, spec]})
    assert found.parts == {"tokenizer": Part(library="transformers", kind="T", repo="Qwen/Qwen3-0.6B", folder="tok")}


@pytest.mark.parametrize(("repo", "names"), [("Qwen/Qwen3-0.6B", ()), ("a/copy", ("tokenizer/vocab.json",))])
def test_what_the_repo_itself_holds_is_its_own(repo: str, names: tuple[str, ...]) -> None:
    spec = {"pretrained_model_name_or_path": "Qwen/Qwen3-0.6B", "subfolder": "tokenizer"}
    data = {"_class_name": "A", "tokenizer": ["transformers", "Qwen2Tokenizer", spec]}
    assert index(data, repo, names).parts["tokenizer"].repo is None
    assert index(data, "a/copy").parts["tokenizer"].repo == "Qwen/Qwen3-0.6B"


@pytest.mark.parametrize("data", [[], "text", None])
def test_what_is_no_index_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match="no index"):
        index(data)


def test_only_what_the_parts_need_is_wanted() -> None:
    assert repo_layout.select_files(FILES, index(), "float16") == (
        "model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json",
        "text_encoder/model.safetensors", "tokenizer/merges.txt", "tokenizer/vocab.json", "unet/config.json",
        "unet/diffusion_pytorch_model.fp16.safetensors",
    )  # fmt: skip


def test_weights_that_come_from_elsewhere_are_not_wanted() -> None:
    names = repo_layout.select_files(FILES, index(), "float16", replaced_parts=frozenset({"unet", "text_encoder"}))
    assert not [name for name in names if name.endswith(".safetensors")]
    assert "unet/config.json" in names


@pytest.mark.parametrize(
    ("dtype", "there", "chosen"),
    [
        ("float16", ["model.safetensors", "model.fp16.safetensors"], ["model.fp16.safetensors"]),
        ("bfloat16", ["model.bf16.safetensors", "model.fp16.safetensors"], ["model.bf16.safetensors"]),
        ("bfloat16", ["model.safetensors", "model.fp16.safetensors"], ["model.fp16.safetensors"]),
        ("float16", ["model.safetensors", "model.non_ema.safetensors"], ["model.safetensors"]),
        (
            "float16",
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors"],
            ["model.safetensors"],
        ),
        (
            "float16",
            ["m.fp16-00001-of-00002.safetensors", "m.fp16-00002-of-00002.safetensors", "m-00001-of-00001.safetensors"],
            ["m.fp16-00001-of-00002.safetensors", "m.fp16-00002-of-00002.safetensors"],
        ),
        (
            "bfloat16",
            ["model-00001-of-00002.bf16.safetensors", "model-00002-of-00002.bf16.safetensors", "model.safetensors"],
            ["model-00001-of-00002.bf16.safetensors", "model-00002-of-00002.bf16.safetensors"],
        ),
    ],
)
def test_each_part_s_weights_come_once(dtype: str, there: list[str], chosen: list[str]) -> None:
    alone = index({"_class_name": "A", "unet": ["diffusers", "U"]})
    names = repo_layout.select_files(["model_index.json", *(f"unet/{name}" for name in there)], alone, dtype)
    assert list(names[1:]) == [f"unet/{name}" for name in chosen]


def test_parts_without_the_variant_come_plain() -> None:
    two = index({"_class_name": "A", "unet": ["diffusers", "U"], "vae": ["diffusers", "V"]})
    there = ("model_index.json", "unet/model.fp16.safetensors", "unet/model.safetensors", "vae/model.safetensors")
    assert repo_layout.select_files(there, two, "float16")[1:] == (
        "unet/model.fp16.safetensors",
        "vae/model.safetensors",
    )


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("README.md", "model.safetensors"), "no model in diffusers' layout"),
        (("model_index.json", "unet/diffusion_pytorch_model.bin"), "no model in diffusers' layout"),
        (("model_index.json", "unet/a.safetensors", "text_encoder/pytorch_model.bin"), "no safetensors.* text encoder"),
    ],
)
def test_a_repo_that_can_t_be_used_is_told(names: tuple[str, ...], said: str) -> None:
    with pytest.raises(NoBase, match=said):
        repo_layout.select_files(names, index(), "float16")


def test_a_part_of_another_repo() -> None:
    files = ("config.json", "model-00001-of-00001.safetensors", "vocab.json", "original/consolidated.pth", "a/b.json")
    assert repo_layout.select_part_files(files, "", "float16", kind="LlamaForCausalLM") == files[:3]
    assert repo_layout.select_part_files(files, "", "float16", kind="LlamaTokenizerFast") == (
        "config.json",
        "vocab.json",
    )
    assert repo_layout.select_part_files(files, "a", "float16", kind="LlamaTokenizerFast") == ("a/b.json",)


def save(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(SDXL))
    return folder


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (("unet/config.json", "unet/model.safetensors", "text_encoder/config.json"), ("text_encoder",)),
        (("unet/config.json", "unet/model-00001-of-00002.safetensors"), ("unet", "text_encoder")),
        (("unet/model.safetensors", "text_encoder/config.json", "text_encoder/a.safetensors"), ("unet",)),
    ],
)
def test_parts_that_are_not_whole_are_told(tmp_path: Path, names: tuple[str, ...], missing: tuple[str, ...]) -> None:
    save(tmp_path, *names, "tokenizer/vocab.json", "scheduler/scheduler_config.json")
    assert repo_layout.missing_parts(tmp_path, index()) == missing
    assert repo_layout.missing_parts(tmp_path, index(), frozenset({"unet", "text_encoder"})) == tuple(
        name for name in missing if not (tmp_path / name).is_dir()
    )


def test_an_index_is_read_from_a_folder(tmp_path: Path) -> None:
    assert repo_layout.read_index(tmp_path) is None
    assert repo_layout.read_index(save(tmp_path, "model_index.json")) == index()
    (tmp_path / "model_index.json").write_text("{")
    assert repo_layout.read_index(tmp_path) is None


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("sdnq", "is packed by sdnq, which is not installed. Install it (pip install sdnq), or choose another base."),
        (
            "<b>gptq</b>",
            "is packed by  b gptq b , which can't be unpacked here. Choose a version in bf16, GGUF or SDNQ.",
        ),
    ],
)
def test_weights_that_nothing_here_unpacks_are_told(tmp_path: Path, method: str, said: str) -> None:
    settings = {"quantization_config": {"quant_method": method}}
    (tmp_path / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(NoBase, match=re.escape(f"Mine {said}")):
        repo_layout.check_packing("Mine", tmp_path)


@pytest.mark.parametrize("settings", ['{"_class_name": "FluxTransformer2DModel"}', "[]", "no JSON", None])
def test_weights_that_are_not_packed_pass(tmp_path: Path, settings: str | None) -> None:
    if settings is not None:
        (tmp_path / "config.json").write_text(settings, encoding="utf-8")
    repo_layout.check_packing("Mine", tmp_path)
