import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from connectors.errors import HubUiError, NotFound, UsageError
from hub_ui.generate.compare import comparison
from hub_ui.generate.result import GeneratedImage
from hub_ui.images.history import History, Uses
from tests.hub_ui.generate import making


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def test_what_was_made_is_kept_with_its_stamp_and_a_thumbnail_that_is_made_again_if_it_is_lost(tmp_path: Path) -> None:
    kept = History(tmp_path).add(making.made())
    assert files(tmp_path) == [f"{kept.id}-01.png"]
    assert [lora.ref for lora in kept.provenance.loras] == [making.INK]
    assert abs(kept.at - time.time()) < 60
    with Image.open(kept.thumbnail) as image:
        assert (image.format, image.size) == ("WEBP", (32, 16))
    history = History(tmp_path)
    history.add(making.made()).thumbnail.unlink()
    assert history.entries()[0].thumbnail.is_file()


def test_the_newest_come_first(tmp_path: Path) -> None:
    history = History(tmp_path)
    for stem in ("20260101-000000-000-aaaaaa", "20260101-000000-001-bbbbbb", "20251231-235959-999-cccccc"):
        kept = history.add(making.made())
        kept.paths[0].rename(tmp_path / f"{stem}-01.png")
    assert [kept.id[-6:] for kept in history.entries()] == ["bbbbbb", "aaaaaa", "cccccc"]


def test_a_sheet_comes_back_as_it_was_made(tmp_path: Path) -> None:
    asked = making.job(steps=20, guidance=4.0, width=32, height=16, base="sd-1.5")
    made = making.made(
        asked, comparison.before_after(asked), report=making.report(control=Image.new("RGB", (8, 8), "white"))
    )
    history = History(tmp_path)
    back = history.load(history.add(made).id)
    assert (back.comparison, back.request.prompt) == (made.comparison, asked.prompt)
    assert back.request.use_trigger_words
    assert back.report.control is not None
    for one, other in zip(back.images, made.images, strict=True):
        assert (np.asarray(one.image) == np.asarray(other.image)).all()


def test_a_clip_comes_back_with_its_frames(tmp_path: Path) -> None:
    frames = tuple(Image.new("RGB", (32, 16), (60 * i, 0, 0)) for i in range(4))
    history = History(tmp_path)
    made = making.made(images=(GeneratedImage(image=frames[2], frames=frames, seconds=1.0),))
    (picture,) = history.load(history.add(made).id).images
    assert [frame.getpixel((0, 0)) for frame in picture.frames] == [(0, 0, 0), (60, 0, 0), (120, 0, 0), (180, 0, 0)]


def test_the_oldest_go(tmp_path: Path) -> None:
    history = History(tmp_path, most=2)
    added = [history.add(making.made()).id for _ in range(4)]
    assert {kept.id for kept in history.entries()} <= set(added)
    assert (len(files(tmp_path)), len(files(tmp_path / "small"))) == (2, 2)


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.png").write_bytes(b"mine")
    (tmp_path / "20260101-000000-000-aaaaaa-01.png").write_bytes(b"damaged")
    (tmp_path / "20269999-999999-000-bbbbbb-01.png").write_bytes(b"no such day")
    history = History(tmp_path, most=3)
    kept = history.add(making.made())
    assert [entry.id for entry in history.entries()] == [kept.id]
    assert (tmp_path / "holiday.png").read_bytes() == b"mine"


def test_what_was_removed_is_told(tmp_path: Path) -> None:
    history = History(tmp_path)
    kept = history.add(making.made())
    history.remove(kept.id)
    assert (history.entries(), files(tmp_path), files(tmp_path / "small")) == ([], [], [])
    with pytest.raises(NotFound, match="That image is no longer kept"):
        history.load(kept.id)


def test_half_a_sheet_and_a_damaged_picture_are_told(tmp_path: Path) -> None:
    asked = making.job()
    history = History(tmp_path)
    kept = history.add(making.made(asked, comparison.before_after(asked)))
    kept.paths[1].unlink()
    with pytest.raises(NotFound, match="Some of its images are gone"):
        history.load(kept.id)
    history = History(tmp_path)
    kept = history.add(making.made())
    data = kept.paths[0].read_bytes()
    kept.paths[0].write_bytes(data[: data.index(b"IDAT") + 4])
    with pytest.raises(UsageError, match="can't be read as an image"):
        history.load(kept.id)


def test_no_folder_yet_is_no_pictures_yet_and_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    assert History(tmp_path / "none").entries() == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(HubUiError, match="could not be kept in"):
        History(tmp_path / "file").add(making.made())


def test_what_was_removed_last_can_be_brought_back(tmp_path: Path) -> None:
    history = History(tmp_path)
    first, second = history.add(making.made()), history.add(making.made())
    history.trash(first.id)
    history.trash(second.id)
    assert history.entries() == []
    history.bring_back(first.id)
    history.bring_back(second.id)
    assert [entry.id for entry in history.entries()] == [second.id]
    assert history.load(second.id).request.seed == 7


@pytest.mark.parametrize("name", ["", "../secret", "*", "20260101-000000-000-aaaaaa", "20261124-223801-042-1a2b3c/.."])
def test_names_that_are_none_of_ours_name_nothing(tmp_path: Path, name: str) -> None:
    history = History(tmp_path / "pictures")
    kept = history.add(making.made())
    with pytest.raises(NotFound):
        history.load(name)
    for end in (history.remove, history.trash, history.bring_back):
        end(name)
    assert [entry.id for entry in history.entries()] == [kept.id]


def test_a_lora_is_last_used_when_its_latest_image_was_made_that_is_not_damaged(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.add(making.made()).paths[0].write_bytes(b"no image")
    uses = Uses(history)
    assert (uses.latest(), uses.times()) == ({}, {})
    history.add(making.made())
    first = uses.times()
    kept = history.add(making.made())
    use = uses.latest()[making.INK.lora]
    assert (use.at, use.thumbnail) == (kept.at, kept.thumbnail)
    assert use.at >= first[making.INK.lora]
    assert uses.times() is uses.times()
