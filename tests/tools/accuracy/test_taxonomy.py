"""The list of base models that sources name is made from any folder."""

from pathlib import Path

import pytest

from tests.tools.accuracy.taxonomy import Name, main, names_below, names_in, report

TRAINER = """
ARCH_FLUX_1_DEV = "flux-1-dev"
ARCH_NEW = "halcyon-2"
MODEL_VERSION_SDXL_BASE_V1_0 = "sdxl_base_v1-0"

class Model:
    arch = "halcyon_2"
    FLAVOURS = {
        "dev": "black-forest-labs/FLUX.1-dev",
        "new": "somebody/halcyon-2",
    }

    def get_base_model_version(self):
        return "wan_2.2_14b"

pipe = DiffusionPipeline.from_pretrained("stabilityai/stable-diffusion-xl-base-1.0")
"""


def names(text: str) -> set[tuple[str, str]]:
    return {(name.kind, name.text) for name in names_in(text)}


def test_repos_and_the_words_of_metadata_are_found_in_a_trainer() -> None:
    assert names(TRAINER) == {
        ("modelspec.architecture", "flux-1-dev"),
        ("modelspec.architecture", "halcyon-2"),
        ("ss_base_model_version", "sdxl_base_v1-0"),
        ("ss_base_model_version", "halcyon_2"),
        ("ss_base_model_version", "wan_2.2_14b"),
        ("repo", "black-forest-labs/FLUX.1-dev"),
        ("repo", "somebody/halcyon-2"),
        ("repo", "stabilityai/stable-diffusion-xl-base-1.0"),
    }


@pytest.mark.parametrize(
    ("text", "repo"),
    [
        ("accelerate launch train.py --pretrained_model_name_or_path=Qwen/Qwen-Image \\", "Qwen/Qwen-Image"),
        ('export MODEL_NAME="Tongyi-MAI/Z-Image"', "Tongyi-MAI/Z-Image"),
        ("name_or_path: lodestones/Chroma1-HD", "lodestones/Chroma1-HD"),
        ("See https://huggingface.co/genmo/mochi-1-preview.", "genmo/mochi-1-preview"),
    ],
)
def test_a_repo_is_found_where_a_model_is_loaded_from(text: str, repo: str) -> None:
    assert names(text) == {("repo", repo)}


@pytest.mark.parametrize("text", ['from_pretrained("models/unet.safetensors")', "and/or", 'open("a/b")', "import a/b"])
def test_a_path_is_no_repo(text: str) -> None:
    assert names(text) == set()


def test_the_report_counts_the_known_and_lists_the_unknown(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "trainer.py").write_text(TRAINER)
    (tmp_path / "again.md").write_text('from_pretrained("somebody/halcyon-2")')
    (tmp_path / "weights.bin").write_text(TRAINER.replace("halcyon", "unread"))
    assert report(names_below([tmp_path])) == [
        "repo: 2 of 3 known",
        "ss_base_model_version: 2 of 3 known",
        "modelspec.architecture: 1 of 2 known",
        "",
        "    2  repo  somebody/halcyon-2",
        "    1  modelspec.architecture  halcyon-2",
        "    1  ss_base_model_version  halcyon_2",
    ]


def test_a_name_says_whether_the_taxonomy_has_it() -> None:
    assert Name(kind="repo", text="Wan-AI/Wan2.2-I2V-A14B-Diffusers").is_known
    assert not Name(kind="repo", text="Qwen/Qwen3-8B").is_known


@pytest.mark.parametrize(
    ("arguments", "said"), [([], "FOLDER..."), (["nowhere-at-all"], "No such folder: nowhere-at-all")]
)
def test_a_wrong_call_is_answered(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["taxonomy", *arguments])
    assert main() == 2
    assert said in capsys.readouterr().out


def test_a_folder_is_read_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "trainer.py").write_text(TRAINER)
    monkeypatch.setattr("sys.argv", ["taxonomy", str(tmp_path)])
    assert main() == 0
    assert "repo: 2 of 3 known" in capsys.readouterr().out
