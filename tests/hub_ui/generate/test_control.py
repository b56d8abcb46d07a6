from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from connectors.errors import PreviewError, UsageError
from hub_ui.generate import control
from hub_ui.generate.control import choose_inputs, draw_skeleton, find_joints, prepare_control_image
from hub_ui.generate.plan import choose_spec, make_plan
from hub_ui.generate.request import GenerationRequest
from tests.hub_ui.generate import making
from tests.hub_ui.generate.building import job, load_base


def test_joints_are_where_the_maps_are_hottest() -> None:
    heat = np.zeros((17, 64, 48))
    heat[0, 32, 24] = 0.9
    heat[5, 16, 24] = 0.9
    heat[6, 16, 12] = 0.9
    found = find_joints(heat, (192, 256))
    assert found[0] == (98.0, 130.0)
    assert found[1] is None
    assert found[17] == (74.0, 66.0)


def test_a_wide_picture_was_fitted_into_what_the_network_saw() -> None:
    heat = np.zeros((17, 64, 48))
    heat[0, 32, 24] = 0.9
    x, y = find_joints(heat, (384, 192))[0] or (0.0, 0.0)
    assert (round(x), round(y)) == (196, 100)


def test_limbs_join_the_joints_that_were_found() -> None:
    found = [None] * 18
    image = draw_skeleton([*found[:5], (10.0, 10.0), None, (50.0, 10.0), *found[8:]], (64, 64))
    assert np.asarray(image)[10, 30].tolist() == [170, 255, 0]
    assert np.asarray(image)[40].max() == 0


def test_nobody_is_a_black_picture() -> None:
    image = draw_skeleton([None] * 18, (64, 32))
    assert (image.size, np.asarray(image).max()) == ((64, 32), 0)


TRANSFORMERS: Any = transformers


def asked(path: Path | None, kind: str = "canny") -> GenerationRequest:
    return making.job(control=path, control_kind=kind)


def square(path: Path, size: tuple[int, int] = (64, 64), ink: str = "white", paper: str = "black") -> Path:
    image = Image.new("RGB", size, paper)
    width, height = size
    ImageDraw.Draw(image).rectangle((width // 4, height // 4, 3 * width // 4, 3 * height // 4), fill=ink)
    image.save(path)
    return path


def pixels(image: Image.Image) -> NDArray[np.int64]:
    return np.asarray(image.convert("L"), dtype=np.int64)


def cached(cache: Path, helper: control.Helper, model: Any) -> None:
    """Where huggingface_hub would have put it."""
    folder = cache / f"models--{helper.repo.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("a" * 40)
    model.save_pretrained(folder / "snapshots" / ("a" * 40))


@pytest.mark.parametrize(("ink", "paper"), [("white", "black"), ("#303030", "#101010"), ("#ffe0e0", "#ffffff")])
def test_edges_are_white_on_black_also_of_dim_pictures(tmp_path: Path, ink: str, paper: str) -> None:
    made, notes = prepare_control_image(asked(square(tmp_path / "a.png", ink=ink, paper=paper)), 64, 64)
    assert (made.size, made.mode, notes) == ((64, 64), "RGB", ())
    assert set(np.unique(pixels(made))) == {0, 255}
    assert 60 <= (pixels(made) > 0).sum() <= 300


def test_a_picture_without_edges_is_told(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "teal").save(tmp_path / "a.png")
    _, notes = prepare_control_image(asked(tmp_path / "a.png"), 64, 64)
    assert notes == ("No edges were found in the control image, so it steers nothing.",)


def test_one_that_is_ready_passes_through(tmp_path: Path) -> None:
    path = square(tmp_path / "a.png")
    made, _ = prepare_control_image(asked(path, "ready"), 64, 64)
    with Image.open(path) as image:
        assert (pixels(made) == pixels(image)).all()


def test_none_and_an_unknown_kind_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"steered by an image\. Choose one"):
        prepare_control_image(asked(None), 64, 64)
    with pytest.raises(UsageError, match=r"“scribble” is no kind of control image\. Choose one of: canny, depth"):
        prepare_control_image(asked(square(tmp_path / "a.png"), "scribble"), 64, 64)


def test_a_base_without_a_control_input_is_told(base: str, tmp_path: Path) -> None:
    request = job(base=base, control=square(tmp_path / "square.png"))
    with pytest.raises(PreviewError, match="no input for a control image"):
        choose_inputs(load_base(base), make_plan(request, choose_spec(request)), control=True, cache=None)


def test_a_network_that_is_not_here_is_named_with_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(PreviewError) as told:
        prepare_control_image(asked(square(tmp_path / "a.png"), "depth"), 64, 64, tmp_path / "cache")
    assert told.value.message == (
        "A depth image is made by Depth Anything V2 Small (99 MB, Apache-2.0), which is not on this disk. Fetch it "
        "with “hf download depth-anything/Depth-Anything-V2-Small-hf”, or give a depth image that is ready "
        "(--control-kind ready)."
    )
    with pytest.raises(PreviewError, match="A pose image is made by ViTPose base"):
        prepare_control_image(asked(square(tmp_path / "a.png"), "pose"), 64, 64, tmp_path / "cache")


def test_depth_is_made_by_the_network_on_this_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_DEPTH_SIDE", 56)
    eyes = TRANSFORMERS.Dinov2Config(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, image_size=28, patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False,
    )  # fmt: skip
    config = TRANSFORMERS.DepthAnythingConfig(
        backbone_config=eyes, reassemble_hidden_size=16, neck_hidden_sizes=[4, 4, 4, 4], fusion_hidden_size=4,
        head_hidden_size=4,
    )  # fmt: skip
    torch.manual_seed(0)  # with other weights all that it sees may lie at one depth
    cached(tmp_path / "cache", control.HELPERS["depth"], TRANSFORMERS.DepthAnythingForDepthEstimation(config))
    made, notes = prepare_control_image(asked(square(tmp_path / "a.png"), "depth"), 64, 48, tmp_path / "cache")
    assert (made.size, notes[-1]) == ((64, 48), "Depth is from Depth Anything V2 Small.")
    assert (pixels(made).min(), pixels(made).max()) == (0, 255)


def test_a_pose_is_made_by_the_network_on_this_disk(tmp_path: Path) -> None:
    eyes = TRANSFORMERS.VitPoseBackboneConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=[256, 192], patch_size=[16, 16]
    )
    config = TRANSFORMERS.VitPoseConfig(backbone_config=eyes, num_labels=17)
    cached(tmp_path / "cache", control.HELPERS["pose"], TRANSFORMERS.VitPoseForPoseEstimation(config))
    made, notes = prepare_control_image(asked(square(tmp_path / "a.png"), "pose"), 64, 48, tmp_path / "cache")
    assert made.size == (64, 48)
    assert "The pose is from ViTPose base, which takes the image for one person's." in notes
