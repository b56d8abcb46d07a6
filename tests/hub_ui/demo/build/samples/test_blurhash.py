from PIL import Image

from hub_ui.demo.build.samples.blurhash import blurhash, known_blurhashes
from hub_ui.demo.build.samples.drawing.__main__ import names as drawn_names
from hub_ui.demo.build.samples.hashing import PICTURES, blurhash_of


def test_a_blurhash_is_the_one_that_other_encoders_write() -> None:
    with Image.open(PICTURES / "astronaut-dusk-1.webp") as picture:
        assert blurhash(picture) == "UUH1DIxD5Aj]0hsA-Sn%%1sni{oKIXWVbba#"


def test_the_average_colour_comes_third() -> None:
    assert blurhash(Image.new("RGB", (64, 64), (255, 0, 0)))[2:6] == "TI:j"


def test_the_table_knows_the_pictures_as_they_are() -> None:
    names = sorted(f"{name}.webp" for name in drawn_names())
    known = known_blurhashes()
    assert sorted(known) == names
    assert {name: blurhash_of(PICTURES / name) for name in names[::20]} == {name: known[name] for name in names[::20]}
