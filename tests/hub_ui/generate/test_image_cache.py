from __future__ import annotations

import sys
import threading
from pathlib import Path

from PIL import Image

from hub_ui.generate.image_cache import ImageCache, effect_key
from hub_ui.generate.result import GeneratedImage
from tests.hub_ui.generate.building import adapter

INK, PAPER = adapter(Path("a"), sha256="a" * 64), adapter(Path("b"), sha256="b" * 64)


def picture(side: int = 10, frames: int = 0) -> GeneratedImage:
    image = Image.new("RGB", (side, side))
    return GeneratedImage(image=image, seconds=2.0, frames=(image,) * frames)


def test_an_effect_is_that_of_the_bytes_in_their_order() -> None:
    elsewhere = adapter(Path("c"), sha256="a" * 64)
    assert effect_key([INK, PAPER], (0.5, 1.0)) == effect_key([elsewhere, PAPER], (0.5, 1.0)) != ()
    assert effect_key([INK, PAPER], (0.5, 1.0)) != effect_key([PAPER, INK], (1.0, 0.5))


def test_other_block_weights_or_clip_weights_are_another_effect() -> None:
    parts: tuple[dict[str, object], ...] = {"block_weights": (1.0,) * 17}, {"text_encoder_scale": 0.5}, {}
    effects = {effect_key([adapter(Path("a"), sha256="a" * 64, **fields)], (1.0,)) for fields in parts}
    assert len(effects) == 3


def test_weights_of_0_are_no_effect() -> None:
    assert effect_key([INK, PAPER], (0.0, 0.5)) == effect_key([PAPER], (0.5,))
    assert effect_key([INK, PAPER], (0.0, 0.0)) == effect_key([], ()) == ()


def test_another_file_at_the_same_place_is_another_lora(tmp_path: Path) -> None:
    lora = adapter(tmp_path / "a")
    lora.path.write_bytes(b"one")
    before = effect_key([lora], (1.0,))
    lora.path.write_bytes(b"other")
    assert effect_key([lora], (1.0,)) != before


def test_a_picture_that_was_drawn_before_takes_no_time() -> None:
    drawn, made = ImageCache(), picture()
    drawn.put(("a",), [made])
    found = drawn.get(("a",))
    assert found is not None
    assert (found[0].image is made.image, found[0].seconds, drawn.get(("b",))) == (True, 0.0, None)


def test_a_picture_counts_for_the_call_it_was_drawn_in() -> None:
    drawn, one, other = ImageCache(), picture(), picture(side=5)
    drawn.put(("a", "b"), [one, other])
    assert drawn.get(("b",)) is None
    found = drawn.find("b")
    assert found is not None
    assert found.image is other.image
    assert drawn.find("c") is None


def test_the_one_longest_unused_is_forgotten_first() -> None:
    drawn = ImageCache(budget=700)
    for key in ("a", "b"):
        drawn.put((key,), [picture()])
    drawn.get(("a",))
    drawn.put(("c",), [picture()])
    assert [drawn.get((key,)) is not None for key in ("a", "b", "c")] == [True, False, True]


def test_an_estimate_may_look_while_another_is_drawn() -> None:
    drawn, failed = ImageCache(budget=3000), list[BaseException]()

    def look() -> None:
        try:
            for number in range(3000):
                drawn.find(number % 12)
        except (KeyError, RuntimeError) as error:
            failed.append(error)

    threads = [threading.Thread(target=look) for _ in range(2)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for number in range(3000):
            drawn.put((number % 12,), [picture()])
    finally:
        sys.setswitchinterval(before)
        for thread in threads:
            thread.join()
    assert failed == []


def test_a_clip_counts_with_all_its_frames() -> None:
    drawn = ImageCache(budget=700)
    drawn.put(("a",), [picture()])
    drawn.put(("b",), [picture(frames=2)])
    assert [drawn.get((key,)) is not None for key in ("a", "b")] == [False, True]
