"""The list of base models that sources name is made from any folder."""

from pathlib import Path

import pytest

from tests.tools.accuracy.taxonomy import main

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
unet = from_pretrained("models/unet.safetensors")
name_or_path: lodestones/Chroma1-HD and/or "import a/b"
See https://huggingface.co/genmo/mochi-1-preview.
"""
REPORT = """repo: 4 of 5 known
ss_base_model_version: 2 of 3 known
modelspec.architecture: 1 of 2 known

    2  repo  somebody/halcyon-2
    1  modelspec.architecture  halcyon-2
    1  ss_base_model_version  halcyon_2
"""


def test_the_report_counts_the_known_and_lists_the_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "trainer.py").write_text(TRAINER)
    (tmp_path / "again.md").write_text('from_pretrained("somebody/halcyon-2")')
    (tmp_path / "weights.bin").write_text(TRAINER.replace("halcyon", "unread"))
    monkeypatch.setattr("sys.argv", ["taxonomy", str(tmp_path)])
    assert main() == 0
    assert capsys.readouterr().out == REPORT


@pytest.mark.parametrize(
    ("arguments", "said"), [([], "FOLDER..."), (["nowhere-at-all"], "No such folder: nowhere-at-all")]
)
def test_a_wrong_call_is_answered(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["taxonomy", *arguments])
    assert main() == 2
    assert said in capsys.readouterr().out
