"""Memory of a simulated GPU that runs out once, at any moment, or for good, at any limit: each time there is the right
image or a sentence, and the next request is as if nothing had been.
"""

import functools
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from connectors.errors import PreviewError
from hub_ui.generate.memory_plan import LEVELS, OffloadLevel
from hub_ui.generate.result import GenerationResult
from tests.hub_ui.generate.comparing import alike, same
from tests.hub_ui.generate.pipelines.short_form import only
from tests.hub_ui.generate.second_gpu import SHEETS, draw, engine, second_gpu

SHEET = SHEETS["text encoder in rows"]
MOMENTS = 30
# In bytes, with the level that fits. A layer of the base takes 1.2 MB, all of it 4.2 MB, and an image 1 MB more.
LIMITS: Mapping[int, OffloadLevel | None] = {
    400_000: None, 900_000: None, 1_500_000: "group_offload", 2_000_000: "group_offload", 2_500_000: "group_offload",
    3_500_000: "group_offload", 4_500_000: "group_offload", 5_000_000: "model_offload", 5_500_000: "whole",
    6_000_000: "whole",
}  # fmt: skip
Undisturbed = Callable[[OffloadLevel], tuple[GenerationResult, int]]


@pytest.fixture(scope="module")
def undisturbed(base: str, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The images of a level, and how many allocations they take."""

    @functools.cache
    def run(level: OffloadLevel) -> tuple[GenerationResult, int]:
        folder = tmp_path_factory.mktemp(level)
        with pytest.MonkeyPatch.context() as patch, second_gpu(patch, level) as cuda, closing(engine(folder)) as there:
            made = draw(there, base, folder, SHEET)
        return made, cuda.cards[1].allocations

    return run


@pytest.mark.parametrize(
    ("moment", "level"),
    # One while the network runs.
    only(((n, LEVELS[n % len(LEVELS)]) for n in range(MOMENTS)), (16, "whole")),
)
def test_memory_that_runs_out_once_at_any_moment_changes_no_image(
    undisturbed: Undisturbed, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int,
    level: OffloadLevel,
) -> None:  # fmt: skip
    expected, allocations = undisturbed(level)
    with second_gpu(monkeypatch, level) as cuda:
        cuda.cards[1].fails_at = 1 + allocations * moment // MOMENTS
        there = engine(tmp_path)
        first = draw(there, base, tmp_path, SHEET)
        there._image_cache.clear()
        second = draw(there, base, tmp_path, SHEET)
        there.close()
    assert all(map(alike, first.images, expected.images))
    assert all(map(same, second.images, expected.images))
    assert (second.report.level, second.report.rows, second.report.notes) == (level, 2, ())
    assert ([card.used for card in cuda.cards], cuda.cards[0].allocations) == ([0, 0], 0)


@pytest.mark.parametrize("limit", only(LIMITS, 2_000_000))
def test_a_limit_that_lasts_gives_the_image_or_a_sentence_and_is_forgotten_when_it_is_gone(
    undisturbed: Undisturbed, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    expected, _ = undisturbed("whole")
    with second_gpu(monkeypatch, limit=limit) as cuda, closing(engine(tmp_path)) as there:
        if LIMITS[limit] is None:
            with pytest.raises(PreviewError, match="does not fit into the memory of this Simulated card"):
                draw(there, base, tmp_path, SHEET)
        else:
            made = draw(there, base, tmp_path, SHEET)
            assert (made.report.level, all(map(alike, made.images, expected.images))) == (LIMITS[limit], True)
        cuda.cards[1].limit = None
        there._image_cache.clear()
        second = draw(there, base, tmp_path, SHEET)
    assert all(map(same, second.images, expected.images))
    assert (second.report.level, second.report.rows, second.report.notes) == ("whole", 2, ())
    assert ([card.used for card in cuda.cards], cuda.cards[0].allocations) == ([0, 0], 0)
