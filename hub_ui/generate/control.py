"""Control images (edges, depth, a pose) and images to start from, with the pipelines that take them.

OpenCV finds the edges. Depth and poses need a network from the Hugging Face cache, which is never downloaded here. A
pipeline that starts from an image adds noise to it and runs only a part of the steps.
"""

import inspect
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from connectors.errors import PreviewError, UsageError
from hub_ui.base.i18n import _
from hub_ui.base.image_files import fit_input
from hub_ui.generate.base_models.download import RepoCache
from hub_ui.generate.pipeline_arguments import call_names
from hub_ui.generate.plan import GenerationPlan
from hub_ui.generate.request import GenerationRequest

# Width and height of the input of the pose network, and the mean and deviation of its training images.
_INPUT = (192, 256)
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CONFIDENCE = 0.3
_FILE = tomllib.loads(Path(__file__).with_name("control.toml").read_text(encoding="utf-8"))

Joint = tuple[float, float] | None
# The share of pixels that count as edges, and the limits of the contrast that makes an edge.
_EDGES, _LEAST_CONTRAST, _MOST_CONTRAST = 0.08, 40.0, 400.0
_WEAK = 0.4
_DEPTH_SIDE, _PATCH = 518, 14
BASES = "Stable Diffusion 1 and 2, SDXL, Stable Diffusion 3.5, FLUX.1, Chroma, Kolors, Qwen-Image and Z-Image"


def find_joints(heat: NDArray[np.float64], size: tuple[int, int]) -> list[Joint]:
    """Return the maximum of each heat map as a joint, in pixels of the image of that size, and the neck as the last.

    `heat` is (joints, rows, columns), for an image padded to the input of the network. A joint is None below a
    confidence of 0.3. The neck is the middle of the shoulders.
    """
    _, rows, columns = heat.shape
    scale = min(_INPUT[0] / size[0], _INPUT[1] / size[1])
    left, top = ((seen - side * scale) / 2 for seen, side in zip(_INPUT, size, strict=True))
    joints: list[Joint] = []
    for joint_heat in heat:
        row, column = np.unravel_index(int(joint_heat.argmax()), joint_heat.shape)
        x = ((float(column) + 0.5) * _INPUT[0] / columns - left) / scale
        y = ((float(row) + 0.5) * _INPUT[1] / rows - top) / scale
        joints.append((x, y) if float(joint_heat.max()) >= _CONFIDENCE else None)
    first, second = joints[5], joints[6]
    neck = ((first[0] + second[0]) / 2, (first[1] + second[1]) / 2) if first and second else None
    return [*joints, neck]


def draw_skeleton(joints: list[Joint], size: tuple[int, int]) -> Image.Image:
    canvas = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    thickness = 2 * max(2, min(size) // 128)
    pixels = [(round(joint[0]), round(joint[1])) if joint else None for joint in joints]
    for (first, second), colour in zip(_FILE["limbs"], _FILE["colours"], strict=False):
        start, end = pixels[first], pixels[second]
        if start and end:
            cv2.line(canvas, start, end, colour, thickness, cv2.LINE_AA)
    for pixel, colour in zip(pixels, _FILE["colours"], strict=True):
        if pixel:
            cv2.circle(canvas, pixel, thickness, colour, -1, cv2.LINE_AA)
    return Image.fromarray(canvas)


def normalize(image: Image.Image) -> NDArray[np.float64]:
    """Return the image as a batch of one, normalised with the mean and deviation of ImageNet.

    The shape is (1, 3, height, width).
    """
    values = np.asarray(image, dtype=np.float64) / 255
    return np.asarray(((values - _MEAN) / _DEVIATION).transpose(2, 0, 1)[None], dtype=np.float64)


@dataclass(frozen=True, kw_only=True, slots=True)
class Helper:
    """A network that makes control images."""

    label: str
    repo: str
    megabytes: int
    license: str


HELPERS = msgspec.convert(_FILE["helpers"], dict[str, Helper])


def prepare_control_image(
    request: GenerationRequest, width: int, height: int, cache: Path | None = None
) -> tuple[Image.Image, tuple[str, ...]]:
    """Return the control image in that size, and notes. Raises UsageError for an unusable file."""
    if request.control is None:
        raise UsageError(_("A control LoRA is steered by an image. Choose one (--control FILE)."))
    make = _MAKERS.get(request.control_kind)
    if make is None:
        text = _("“{control_kind}” is no kind of control image. Choose one of: {makers}.")
        raise UsageError(text.format(control_kind=request.control_kind, makers=", ".join(_MAKERS)))
    image, notes = fit_input(request.control, "control image", width, height)
    control, more = make(image, cache)
    return control, (*notes, *more)


def _canny(image: Image.Image, _cache: Path | None) -> tuple[Image.Image, list[str]]:
    """Draw white edges on black.

    The thresholds follow the contrast of the image, so that dim images have edges too.
    """
    gray = cv2.GaussianBlur(cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2GRAY), (3, 3), 0)
    # OpenCV's Canny measures contrast as the sum of both absolute gradients by default.
    across, down = (np.abs(cv2.Sobel(gray, cv2.CV_64F, *direction)) for direction in ((1, 0), (0, 1)))
    strong = float(np.clip(np.quantile(across + down, 1 - _EDGES), _LEAST_CONTRAST, _MOST_CONTRAST))
    edges = cv2.Canny(gray, strong * _WEAK, strong)
    notes = [] if edges.any() else ["No edges were found in the control image, so it steers nothing."]
    return Image.fromarray(np.asarray(edges, dtype=np.uint8)).convert("RGB"), notes


def _depth(image: Image.Image, cache: Path | None) -> tuple[Image.Image, list[str]]:
    """Draw depth with near parts bright, as Depth Anything and the training of control LoRAs do."""
    folder = _find_model("depth", cache)
    import torch
    from transformers import AutoModelForDepthEstimation

    models: Any = AutoModelForDepthEstimation
    model = models.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
    # Resize to the size that the network was trained on, in whole patches.
    scale = _DEPTH_SIDE / min(image.size)
    width, height = (max(1, round(side * scale / _PATCH)) * _PATCH for side in image.size)
    pixels = normalize(image.resize((width, height), Image.Resampling.BICUBIC))
    with torch.inference_mode():
        depth = model(pixel_values=torch.from_numpy(pixels).float()).predicted_depth
        depth = torch.nn.functional.interpolate(depth[:, None], size=image.size[::-1], mode="bicubic")
    values = depth[0, 0].double().numpy()
    shares = (values - values.min()) / (np.ptp(values) or 1.0)
    return Image.fromarray((255 * shares).round().astype(np.uint8)).convert("RGB"), [
        f"Depth is from {HELPERS['depth'].label}."
    ]


def _pose(image: Image.Image, cache: Path | None) -> tuple[Image.Image, list[str]]:
    folder = _find_model("pose", cache)
    import torch
    from transformers import VitPoseForPoseEstimation

    kind: Any = VitPoseForPoseEstimation
    model = kind.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
    with torch.inference_mode():
        heat = model(pixel_values=torch.from_numpy(normalize(ImageOps.pad(image, _INPUT))).float()).heatmaps[0]
    joints = find_joints(np.asarray(heat.double().numpy(), dtype=np.float64), image.size)
    not_found = [] if any(joints) else ["Nobody was found in the control image, so it steers nothing."]
    return draw_skeleton(joints, image.size), [
        f"The pose is from {HELPERS['pose'].label}, which takes the image for one person's.",
        *not_found,
    ]


_MAKERS: Mapping[str, Callable[[Image.Image, Path | None], tuple[Image.Image, list[str]]]] = {
    "canny": _canny,
    "depth": _depth,
    "pose": _pose,
    "ready": lambda image, _cache: (image, []),
}


def _find_model(kind: str, cache: Path | None) -> Path:
    helper = HELPERS[kind]
    if folder := RepoCache(helper.repo, cache).folder_with("model.safetensors"):
        return folder
    raise PreviewError(
        _(
            "A {kind} image is made by {label} ({megabytes} MB, {license}), which is not on this disk. Fetch "
            "it with “hf download {repo}”, or give a {kind} image that is ready (--control-kind ready)."
        ).format(kind=kind, label=helper.label, megabytes=helper.megabytes, license=helper.license, repo=helper.repo)
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlImage:
    """A pipeline with the image that it takes: a control image, or `start`, an image to draw over.

    Without either image, `pipe` is the base's own pipeline.
    """

    pipe: Any
    image: Image.Image | None = None
    start: Image.Image | None = None
    notes: tuple[str, ...] = ()


def choose_inputs(pipe: Any, plan: GenerationPlan, *, control: bool, cache: Path | None) -> ControlImage:
    """Return the control or start image of a request, and the pipeline that takes it.

    `control` says that an active LoRA needs a control image. Raises UsageError if a needed image is missing.
    """
    request, settings, spec = plan.request, plan.settings, plan.spec
    if request.image is not None:
        return _choose_start(pipe, plan, request.image, control=control)
    if spec.begins_with_image:
        text = _("{label} makes a clip that begins with an image, and there is none. Choose one (--image FILE).")
        raise UsageError(text.format(label=spec.label))
    if request.control is None and not control:
        if spec.needs_image:
            text = _("{label} changes an image, and there is none. Choose one (--control FILE).")
            raise UsageError(text.format(label=spec.label))
        return ControlImage(pipe=pipe)
    if not control and plan.family.edits:
        # A base that edits images needs the image itself, not its edges.
        request = replace(request, control_kind="ready")
    elif not control and "control_image" not in call_names(pipe):
        note = "No LoRA here is steered by an image, so the control image was not used."
        return ControlImage(pipe=pipe, notes=(note,))
    image, notes = prepare_control_image(request, settings.width, settings.height, cache)
    if control:
        text = f"{spec.label} has no input for a control image here. Choose a base that does, for example flux.1-dev."
        pipe = sibling_pipeline(pipe, "Control", text)
    return ControlImage(pipe=pipe, image=image, notes=notes)


def _choose_start(pipe: Any, plan: GenerationPlan, path: Path, *, control: bool) -> ControlImage:
    """Return the start image with diffusers' image-to-image pipeline of the same parts.

    Raises UsageError or PreviewError if this request can't start from an image.
    """
    label, settings = plan.spec.label, plan.settings
    if control:
        raise UsageError(_("A control LoRA can't start from an image. Leave out the LoRA or the image (--image)."))
    if plan.family.edits:
        text = _("{label} edits an image as it is. Give it as the control image (--control FILE).")
        raise UsageError(text.format(label=label))
    if settings.run_steps < 1:
        text = _("A strength of {strength:g} leaves none of {steps} steps. Take more strength or more steps.")
        raise UsageError(text.format(strength=settings.strength, steps=settings.steps))
    if not plan.spec.begins_with_image:
        pipe = sibling_pipeline(pipe, "Img2Img", f"{label} can't start from an image here. These can: {BASES}.")
    start, notes = fit_input(path, "image to start from", settings.width, settings.height)
    return ControlImage(pipe=pipe, start=start, notes=tuple(notes))


def sibling_pipeline(pipe: Any, task: str, otherwise: str) -> Any:
    """Return a pipeline of the same parts and settings for another task, such as "Img2Img" or "Control".

    Raises PreviewError with the text `otherwise` if diffusers has no such pipeline for this family.
    """
    import diffusers

    kind = getattr(diffusers, f"{type(pipe).__name__.removesuffix('Pipeline')}{task}Pipeline", None)
    if kind is None:
        raise PreviewError(otherwise)
    values = {**pipe.config, **pipe.components}
    parameters = inspect.signature(kind.__init__).parameters
    sibling = kind(**{name: values[name] for name in parameters if name in values})
    sibling.set_progress_bar_config(disable=True)
    return sibling
