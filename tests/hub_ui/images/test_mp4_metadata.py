"""png_metadata.py on MP4s: ours, other programs' and damaged ones."""

import json
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image

from connectors.errors import UsageError
from hub_ui.generate import result
from hub_ui.generate.result import GeneratedImage, GenerationResult
from hub_ui.images import png_metadata
from hub_ui.images.infotext import Infotext
from tests.hub_ui.generate import making
from tests.hub_ui.images.test_graphs import GRAPH
from tests.hub_ui.images.test_png_metadata import kept


def clip(count: int = 4) -> GenerationResult:
    """Of a size that is odd."""
    frames = tuple(Image.new("RGB", (33, 17), (255 * i // count, 0, 0)) for i in range(count))
    return making.made(images=(GeneratedImage(image=frames[2], frames=frames, seconds=1.0),))


def test_an_mp4_says_the_same_as_a_png_and_shows_each_frame(tmp_path: Path) -> None:
    png_metadata.save(clip(), 0, tmp_path / "a.mp4", suffix=".mp4")
    assert png_metadata.read(tmp_path / "a.mp4") == kept(tmp_path, clip())
    with av.open(str(tmp_path / "a.mp4")) as film:
        assert json.loads(film.metadata["comment"])["parameters"] == png_metadata.infotext_of(clip(), 0)
        reds = [int(frame.to_ndarray(format="rgb24")[8, 16, 0]) for frame in film.decode(video=0)]
        stream = film.streams.video[0]
        assert (stream.average_rate, stream.width, stream.height) == (Fraction(16), 32, 16)
    assert all(abs(red - meant) < 12 for red, meant in zip(reds, (0, 63, 127, 191), strict=True))


@pytest.mark.parametrize(
    ("tags", "options"),
    [
        ({"comment": json.dumps({"prompt": json.dumps(GRAPH), "workflow": {"nodes": []}})}, {}),
        ({"comment": "a dog", "prompt": json.dumps(GRAPH)}, {"movflags": "use_metadata_tags"}),
        ({"comment": "a dog", "prompt": json.dumps(GRAPH)}, {"movflags": "use_metadata_tags+faststart"}),
        ({"comment": "a cat\nSteps: 12, Sampler: Euler, Seed: 5"}, {}),
    ],
    ids=["VideoHelperSuite", "SaveVideo", "SaveVideo, tags first", "infotext"],
)
def test_an_mp4_of_other_programs_is_read(tags: dict[str, str], options: dict[str, str], tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w", options=options) as film:
        film.metadata.update(tags)
        stream = film.add_stream("libx264", rate=8, options={"x264-params": "log-level=none"})
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        film.mux([*stream.encode(av.VideoFrame(32, 16, "yuv420p")), *stream.encode()])
    found = png_metadata.read_any(tmp_path / "a.mp4")
    assert isinstance(found, Infotext)
    assert (found.prompt.startswith("a cat"), found.fields["Steps"], found.fields["Seed"]) == (True, "12", "5")


def test_an_image_is_no_mp4_and_without_pyav_no_video_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"this is an image\. Name it \.png"):
        png_metadata.save(making.made(), 0, tmp_path / "a.mp4", suffix=".mp4")
    assert result.clip_suffixes() == (".webp", ".mp4")
    monkeypatch.setattr(result, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r"pip install '\.\[video\]'"):
        png_metadata.save(clip(), 0, tmp_path / "a.mp4", suffix=".mp4")
    assert (result.clip_suffixes(), [*tmp_path.iterdir()]) == ((".webp",), [])


def box(kind: bytes, data: bytes = b"") -> bytes:
    return (len(data) + 8).to_bytes(4) + kind + data


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "data",
    [
        b"", box(b"moov"), box(b"moov")[:7], box(b"free") * 100_000, b"\0\0\0\0moov", b"\0\0\0\1mdat" + b"\xff" * 8,
        box(b"moov", b"\0" * 99_999), box(b"moov", box(b"meta", b"\0" * 4 + box(b"ilst", box(b"\0\0\0\7")))),
    ],
)  # fmt: skip
def test_damaged_mp4s_say_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(box(b"ftyp", b"isom") + data)
    with pytest.raises(UsageError, match="does not say"):
        png_metadata.read(tmp_path / "a.mp4")
