"""tests/people/leaks.py finds what it is there to find."""

import base64
import gzip
import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import zstandard
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.people.leaks import Colours, Scan, Secret

KEY = "civ_ada_5f2c9e"
ADA = Colours(of="Ada", three=((213, 34, 181), (17, 203, 94), (242, 167, 8)))
SCAN = Scan(
    secrets=(
        Secret(text=KEY, what="a key of Ada", kind="key"),
        Secret(text="quillfern", what="words of Ada", of="Ada"),
        Secret(text="/srv/page", what="a folder of the server", kind="folder"),
    ),
    colours=(ADA,),
)


def png(text: str = "", image: Image.Image | None = None) -> bytes:
    info, file = PngInfo(), io.BytesIO()
    if text:
        info.add_itxt("parameters", text, zip=True)
    (image or Image.new("RGB", (8, 8))).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def whats(data: bytes, **more: str) -> list[str]:
    return [finding.what for finding in SCAN.find("here", data, **more)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [
        f'{{"key": "{KEY}"}}'.encode(),
        KEY.upper().encode(),
        gzip.compress(KEY.encode()),
        zstandard.compress(KEY.encode()),
        *(base64.b64encode(b"x" * before + KEY.encode() + b"yz") for before in range(3)),
        png(f"a key: {KEY}"),
        b'<img src="data:image/png;base64,' + base64.b64encode(png(KEY)) + b'">',
    ],
    ids=["text", "capitals", "gzip", "zstd", "base64-0", "base64-1", "base64-2", "png", "data-url"],
)
def test_a_key_is_found_in_whatever_it_is_packed(data: bytes) -> None:
    assert whats(data) == ["a key of Ada"]
    assert whats(data, reader="Ada") == ["a key of Ada"]


def test_a_persons_own_words_are_a_finding_for_everybody_else() -> None:
    assert whats(b"a Quillfern boat", reader="Ada") == []
    assert whats(b"a Quillfern boat", reader="Ben") == ["words of Ada"]
    assert whats(b"at /srv/page/home", reader="Ada") == ["a folder of the server"]


def test_an_image_is_known_by_its_colours_in_another_size_and_format() -> None:
    file = io.BytesIO()
    ADA.image().resize((150, 70)).save(file, "JPEG", quality=80)
    assert whats(file.getvalue(), reader="Ben") == ["an image of Ada"]
    assert whats(png(image=ADA.image()), reader="Ada") == []
    assert whats(png(), reader="Ben") == []


def test_names_and_rows_of_files_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "quillfern.txt").write_text("nothing")
    with closing(sqlite3.connect(tmp_path / "notes.sqlite")) as database, database:
        database.execute("CREATE TABLE notes (text BLOB)")
        database.execute("INSERT INTO notes VALUES (?)", (gzip.compress(KEY.encode()),))
    assert [str(finding) for finding in SCAN.find_in_files(tmp_path)] == [
        "a key of Ada in notes.sqlite, table notes, unpacked: …civ_ada_5f2c9e…",
        "words of Ada in the name of quillfern.txt: …quillfern.txt…",
    ]
    assert [finding.what for finding in SCAN.find_in_files(tmp_path, kinds=["key"])] == ["a key of Ada"]
