import numpy as np
import pytest
from PIL import Image

from hub_ui.demo.build.samples.drawing.__main__ import names, trained_names
from hub_ui.demo.build.samples.drawing.motifs import MOTIFS, draw
from hub_ui.demo.hubs.folder import SAMPLES

SHIPPED = SAMPLES / "pictures"


def motif(name: str) -> str:
    return name.partition("-")[0]


ONE_A_MOTIF = sorted({motif(name): name for name in sorted(names())}.values())


def test_every_picture_of_the_catalogue_is_shipped_and_no_other() -> None:
    assert {path.stem for path in SHIPPED.glob("*.webp")} == names() | trained_names()


def test_pictures_stay_small() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.glob("*.webp")) < 1_500_000


def test_every_motif_is_used() -> None:
    assert {motif(name) for name in names()} == MOTIFS.keys()


@pytest.mark.parametrize("name", ONE_A_MOTIF)
def test_a_shipped_picture_is_what_the_code_draws(name: str) -> None:
    with Image.open(SHIPPED / f"{name}.webp") as picture:
        assert picture.size == (448, 488)
        shipped = np.asarray(picture.convert("RGB"), dtype=float)
    difference = np.abs(np.asarray(draw(name), dtype=float) - shipped).mean()
    assert difference < 6


def test_the_same_name_is_the_same_picture() -> None:
    assert draw("dunes-dusk-1").tobytes() == draw("dunes-dusk-1").tobytes()


def test_another_seed_is_another_picture() -> None:
    assert draw("dunes-dusk-1").tobytes() != draw("dunes-dusk-2").tobytes()


def test_an_unknown_motif_is_an_error() -> None:
    with pytest.raises(KeyError):
        draw("volcano-dusk-1")
