from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from connectors.errors import UsageError
from hub_ui.base.image_files import fit_input, read_input


def pixels(image: Image.Image) -> NDArray[np.int64]:
    return np.asarray(image.convert("L"), dtype=np.int64)


@pytest.mark.parametrize(
    ("size", "notes"),
    [
        ((128, 64), ["The control image was cut left and right to fit 64 x 64."]),
        ((64, 128), ["The control image was cut top and bottom to fit 64 x 64."]),
    ],
)
def test_it_is_brought_to_the_size_of_what_is_drawn(tmp_path: Path, size: tuple[int, int], notes: list[str]) -> None:
    Image.new("RGB", size).save(tmp_path / "a.png")
    made, said = fit_input(tmp_path / "a.png", "control image", 64, 64)
    assert (made.size, said) == ((64, 64), notes)


@pytest.mark.parametrize("width_tag", [b"\x01\x0e", b"\x01\x00"])
def test_it_stands_upright_also_where_its_exif_has_a_text_for_a_number(tmp_path: Path, width_tag: bytes) -> None:
    image, exif, path = Image.new("RGB", (64, 32), "black"), Image.Exif(), tmp_path / "a.jpg"
    image.paste("white", (0, 0, 16, 32))
    exif[0x0112], exif[0x010E] = 6, "a description"
    image.save(path, exif=exif)
    path.write_bytes(path.read_bytes().replace(b"\x01\x0e\x00\x02", width_tag + b"\x00\x02"))
    made, notes = read_input(path, "control image")
    assert (made.size, notes) == ((32, 64), [])
    assert pixels(made)[:8].mean() > 200 > 50 > pixels(made)[-8:].mean()


def test_what_is_transparent_counts_as_white(tmp_path: Path) -> None:
    Image.new("RGBA", (32, 32), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert pixels(read_input(tmp_path / "a.png", "picture")[0]).min() == 255


def test_sixteen_bits_are_scaled(tmp_path: Path) -> None:
    Image.fromarray(np.linspace(0, 65535, 32 * 32, dtype=np.uint16).reshape(32, 32)).save(tmp_path / "a.png")
    made, _ = read_input(tmp_path / "a.png", "picture")
    assert (pixels(made)[0, 0], pixels(made)[-1, -1]) == (0, 255)
    assert 100 < pixels(made).mean() < 155


def test_of_a_film_its_first_frame_is_used(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("white", "black")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    made, notes = read_input(tmp_path / "a.gif", "picture")
    assert (notes, pixels(made).min() > 250) == (["a.gif moves: its first frame was used."], True)


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"\x89PNG\r\n\x1a\n", b"GIF89a\xff\xff", b"\xff\xd8\xff\xe0"])
def test_no_picture_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(UsageError, match=r"a\.png can't be read as an image\. Give a PNG, JPEG or WebP\."):
        read_input(tmp_path / "a.png", "picture")


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    Image.new("1", (10_000, 10_000)).save(tmp_path / "a.png")
    with pytest.raises(UsageError, match="has too many pixels for a control image"):
        read_input(tmp_path / "a.png", "control image")
