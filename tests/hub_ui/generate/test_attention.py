"""Attention that the environment has another backend of diffusers compute."""

from pathlib import Path

import pytest
from diffusers.models.attention_dispatch import AttentionBackendName, _AttentionBackendRegistry

from hub_ui.generate.comparison import single
from hub_ui.generate.engine import Engine
from hub_ui.generate.request import GenerationRequest
from hub_ui.images import png_metadata
from tests.hub_ui.generate.building import job
from tests.hub_ui.generate.comparing import same
from tests.hub_ui.generate.pipelines.bases import TINY


@pytest.fixture
def asked(tmp_path: Path) -> GenerationRequest:
    """On a network whose attention diffusers dispatches."""
    return job(base=str(TINY["flux1 dev"].save(tmp_path / "flux")), width=32, height=32, steps=1)


def choose(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As DIFFUSERS_ATTN_BACKEND does, before diffusers is imported."""
    monkeypatch.setattr(_AttentionBackendRegistry, "_active_backend", AttentionBackendName(backend))


def test_another_backend_is_said_in_the_image_and_where_it_is_made_again(
    studio: Engine, asked: GenerationRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = studio.generate(asked, single(asked))
    choose("_native_math", monkeypatch)
    other = studio.generate(asked, single(asked))
    png_metadata.save(other, 0, tmp_path / "a.png")
    found = png_metadata.read(tmp_path / "a.png")
    assert (own.report.attention, other.report.attention) == ("", "_native_math")
    assert "Attention: _native_math" in png_metadata.infotext_of(other, 0)
    said = "Its attention was computed by _native_math, and here by torch: pixels can differ."
    assert said in png_metadata.differences(found, own.request, own.report)


def test_a_backend_that_is_not_here_is_replaced_by_torch_s_own(
    studio: Engine, asked: GenerationRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = studio.generate(asked, single(asked)).images[0]
    studio.close()
    choose("xformers", monkeypatch)
    made = studio.generate(asked, single(asked))
    assert same(made.images[0], own)
    assert made.report.attention == ""
    assert [note for note in made.report.notes if note.startswith("Attention by “xformers” failed here (")]


def test_a_network_that_knows_torch_s_own_alone_says_nothing(
    studio: Engine, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose("_native_math", monkeypatch)
    made = studio.generate(job(base=base), single(job(base=base)))
    assert made.report.attention == ""
