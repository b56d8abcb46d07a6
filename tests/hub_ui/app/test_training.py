import io
import stat
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from connectors.errors import UsageError
from hub_ui.app.training import training_set
from tests.hub_ui.images.building import image_bytes

PICTURE = image_bytes(520)


def _folder(folder: Path, **more: bytes) -> Path:
    """`a__png=...` is a.png."""
    folder.mkdir()
    for name, data in {"a__png": PICTURE, "b__jpg": image_bytes(520, "JPEG"), **more}.items():
        (folder / name.replace("__", ".")).write_bytes(data)
    return folder


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)
    return path


def _packed(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_a_folder_becomes_a_zip_of_pictures_and_captions(tmp_path: Path) -> None:
    made = training_set(_folder(tmp_path / "set", a__txt=b"\xef\xbb\xbfa pier \n"))
    assert (made.images, made.captions) == (2, 1)
    packed = _packed(made.zipped)
    assert list(packed) == ["0000.png", "0000.txt", "0001.jpg"]
    assert packed["0000.txt"] == b"a pier"


def test_nothing_else_goes_along_and_it_is_said(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "set", notes__json=b"{}", lonely__txt=b"x", __DS_Store=b"")
    (folder / "deeper").mkdir()
    (folder / "link.png").symlink_to(folder / "a.png")
    made = training_set(folder)
    assert list(_packed(made.zipped)) == ["0000.png", "0001.jpg"]
    assert "Left out, as they are neither images nor captions of one: 2 files." in made.notes


def test_the_same_pictures_give_the_same_zip_without_the_names_of_files(tmp_path: Path) -> None:
    one, other = (training_set(_folder(tmp_path / name)) for name in ("one", "other"))
    assert one.zipped == other.zipped
    assert b"aunt-ada" not in training_set(_folder(tmp_path / "set", aunt_ada__png=PICTURE)).zipped


def test_a_zip_is_packed_again_and_pictures_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    members = {
        "set/a.png": PICTURE,
        "set/b.webp": image_bytes(520, "WEBP"),
        "set/b.txt": b"fog",
        "__MACOSX/._a.png": b"x",
    }
    made = training_set(_zip(tmp_path / "a.zip", members))
    assert list(_packed(made.zipped)) == ["0000.png", "0001.webp", "0001.txt"]
    made = training_set(_zip(tmp_path / "a.zip", {"x/a.png": PICTURE, "y/a.png": PICTURE, "y/a.txt": b"fog"}))
    assert list(_packed(made.zipped)) == ["0000.png", "0001.png", "0001.txt"]


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "x/../../a.png", "..\\a.png", "C:\\a.png", "../a.sh"])
def test_a_zip_that_leads_out_of_itself_is_refused(tmp_path: Path, name: str) -> None:
    path = _zip(tmp_path / "a.zip", {"a.png": PICTURE, name: PICTURE})
    with pytest.raises(UsageError, match=r"leads out of it\. Nothing was sent"):
        training_set(path)


def test_a_zip_with_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("a.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.writestr(link, "/etc/passwd")
    with pytest.raises(UsageError, match="leads out of it"):
        training_set(tmp_path / "a.zip")


def test_a_zip_that_unpacks_to_gigabytes_or_thousands_of_files_is_not_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("a.png", b"\0" * (101 * 2**20))
    assert (tmp_path / "a.zip").stat().st_size < 2**20
    with pytest.raises(UsageError, match="holds 101 MB; Replicate takes less than 100"):
        training_set(tmp_path / "a.zip")
    path = _zip(tmp_path / "a.zip", {f"{i}.png": b"" for i in range(2_001)})
    with pytest.raises(UsageError, match="holds 2001 files"):
        training_set(path)


def test_a_zip_that_lies_about_a_size_is_refused(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", {"a.png": PICTURE, "b.png": PICTURE})
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02") + 24
    data[place : place + 4] = (7).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"damaged|can't be read"):
        training_set(path)


@pytest.mark.parametrize("data", [b"", b"PK", b"no zip at all"])
def test_what_is_no_zip_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(UsageError, match="can't be read as a zip"):
        training_set(tmp_path / "a.zip")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6))
# A file without a name.
@example(changes=[(874, 0)])
def test_a_damaged_zip_is_read_or_told(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    data = bytearray(DEFLATED)
    for place, value in changes:
        data[place % len(data)] = value
    (tmp_path / "a.zip").write_bytes(data)
    with suppress(UsageError):
        assert training_set(tmp_path / "a.zip").images >= 2


def _deflated() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name in ("a.png", "b.png", "c.jpg"):
            zipped.writestr(name, image_bytes(70, "JPEG" if name == "c.jpg" else "PNG"))
        zipped.writestr("a.txt", b"a pier in the fog")
    return packed.getvalue()


DEFLATED = _deflated()


def test_what_is_not_there_one_picture_alone_and_a_caption_that_is_no_text_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder or zip"):
        training_set(tmp_path / "none")
    with pytest.raises(UsageError, match="holds 1 images; at least 2"):
        training_set(_zip(tmp_path / "a.zip", {"a.png": PICTURE, "b.gif": b"GIF"}))
    with pytest.raises(UsageError, match="is no text in UTF-8"):
        training_set(_folder(tmp_path / "set", a__txt=b"\xff\xfe\x00"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x89PNG\r\n\x1a\nrest", "can't be read as an image"),
        (PICTURE[:-200], "can't be read as an image"),
        (image_bytes(20), "only 20 pixels"),
    ],
)
def test_a_picture_that_would_fail_there_is_told_here(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        training_set(_folder(tmp_path / "set", c__png=data))


def test_few_and_small_pictures_and_one_that_says_where_it_was_taken_are_warned_of(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    notes = training_set(_folder(tmp_path / "set", c__jpg=image_bytes(520, "JPEG", exif=exif))).notes
    assert notes[1].startswith("Images that say where they were taken: 1.")
    notes = training_set(_folder(tmp_path / "small", c__png=image_bytes(300))).notes
    assert notes == (
        "3 images are few: 10 or more train better.",
        "Images smaller than 512 pixels: 1. They train badly.",
    )
