"""A job with its defaults, and what of it can't be had."""

from typing import Any

import pytest

from connectors.errors import UsageError
from hub_ui.access.quotas import Limits
from hub_ui.generate import base_models
from hub_ui.generate.compare import comparison
from hub_ui.generate.settings import check_policy, check_request, resolve_request, size_notes
from hub_ui.settings import hosted_policy
from tests.hub_ui.generate import making


@pytest.mark.parametrize(
    ("base", "asked", "size", "said"),
    [
        ("tiny-shapes", (100, 77), (96, 64), "Sides are multiples of 16 pixels: 96 x 64 in place of 100 x 77."),
        ("sana", (1008, 20), (992, 32), "Sides are multiples of 32 pixels: 992 x 32 in place of 1008 x 20."),
        ("ltx-2", (704, 480), (704, 480), "This base does not make clips of every length: 9 in place of 10 frames."),
        ("tiny-shapes", (96, 64), (96, 64), ""),
        ("tiny-shapes", (None, None), (128, 128), ""),
        ("sdxl-1.0", (96, 64), (192, 128), "This base makes images of its own size: 192 x 128 in place of 96 x 64."),
    ],
)
def test_a_size_that_is_not_the_one_asked_for_is_told(
    base: str, asked: tuple[int | None, int | None], size: tuple[int, int], said: str
) -> None:
    request, spec = making.job(width=asked[0], height=asked[1], frames=10), base_models.choose_base(None, None, base)
    assert base_models.choose_base(None, None, "ltx-2").grid == 32
    assert " ".join(size_notes(request, resolve_request(request, spec), spec, size, 9)) == said


@pytest.mark.parametrize(
    ("base", "fields", "made"),
    [
        ("sdxl-1.0", {}, (4, 0.0, 768, 768, "Euler SGM Uniform")),
        ("pony", {"width": 1216, "height": 832, "steps": 3}, (3, 0.0, 896, 640, "Euler SGM Uniform")),
        ("sd-1.5", {"sampler": "Heun"}, (4, 1.0, 512, 512, "LCM")),
        ("flux.1-dev", {"sampler": "Euler"}, (8, 3.5, 768, 768, "Euler")),
        # Distilled itself, and too large to go without guidance.
        ("z-image-turbo", {}, (8, 0.0, 768, 768, None)),
        ("hunyuan-image", {"guidance": 5.0}, (16, 5.0, 1536, 1536, None)),
    ],
)
def test_a_draft_is_smaller_with_steps_of_its_lora(base: str, fields: dict[str, Any], made: tuple[Any, ...]) -> None:
    spec = base_models.base_by_id(base)
    assert spec is not None
    settings = resolve_request(making.job(draft=True, **fields), spec)
    assert (settings.steps, settings.guidance, settings.width, settings.height, settings.sampler) == made
    assert list(size_notes(making.job(width=2048), settings, spec, (settings.width, settings.height), 1)) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"steps": 0}, "between 1 and 500 steps"), ({"steps": 501}, "between 1 and 500 steps"),
        ({"width": 4097}, "go up to 4096 pixels"), ({"height": -1}, "go up to 4096 pixels"),
        ({"seed": -1}, "from 0 to 9223372036854775807"), ({"seed": 2**63}, "from 0 to 9223372036854775807"),
        ({"frames": 0}, "1 to 257 frames"), ({"guidance": float("nan")}, "from 0 to 100"), ({"guidance": -1.0}, "such"),
    ],
)  # fmt: skip
def test_what_no_base_can_generate_is_told_with_the_limits(fields: dict[str, Any], said: str) -> None:
    asked = making.job(**fields)
    with pytest.raises(UsageError, match=said):
        check_request(asked, comparison.single(asked))


def test_the_largest_seed_is_taken_and_a_weight_that_is_no_number_is_not() -> None:
    asked = making.job(seed=2**63 - 1)
    check_request(asked, comparison.single(asked))
    asked = making.job(making.adapter(weight=float("nan")))
    with pytest.raises(UsageError, match=r"such as 0\.8"):
        check_request(asked, comparison.single(asked))


@pytest.mark.parametrize("sides", [{"width": 2048}, {"height": 2048}, {"width": 2048, "height": 64}])
def test_a_visitor_is_refused_an_image_that_is_too_long_on_either_side(sides: dict[str, int]) -> None:
    policy = hosted_policy(Limits(side=1536))
    with pytest.raises(UsageError, match="1,536 pixels a side"):
        check_policy(policy, "local", making.job(base="sd-1.5", **sides), images=1)
