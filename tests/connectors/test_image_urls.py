from __future__ import annotations

import pytest

from connectors.image_urls import with_width

CDN = "https://image.civitai.com/account/uuid"


@pytest.mark.parametrize(
    ("url", "width", "asked"),
    [
        (f"{CDN}/original=true/139439234.jpeg", 450, f"{CDN}/width=450/139439234.jpeg"),
        (f"{CDN}/width=450/692411.jpeg", 900, f"{CDN}/width=900/692411.jpeg"),
        (f"{CDN}/width=450/692411.jpeg", None, f"{CDN}/original=true/692411.jpeg"),
        (f"{CDN}/anim=false,width=450/a b.jpeg", 96, f"{CDN}/width=96/a b.jpeg"),
        ("https://a.example/x.png", 450, "https://a.example/x.png"),
        ("https://a.example/x.png?a=1/b=2/c", 450, "https://a.example/x.png?a=1/b=2/c"),
    ],
)
def test_civitai_is_asked_for_the_width_of_the_place(url: str, width: int | None, asked: str) -> None:
    assert with_width(url, "civitai", width) == asked


def test_a_video_is_asked_for_in_one_form_and_its_first_frame_in_another() -> None:
    url = f"{CDN}/original=true/7.mp4"
    assert with_width(url, "civitai", 450, "video") == f"{CDN}/anim=true,transcode=true,width=450/7.mp4"
    assert with_width(url, "civitai", 450, "still") == f"{CDN}/anim=false,transcode=true,width=450/7.mp4"


@pytest.mark.parametrize("origin", ["huggingface", "replicate", "local", "nobody"])
def test_other_hubs_have_one_size(origin: str) -> None:
    assert with_width(f"{CDN}/original=true/1.jpeg", origin, 450) == f"{CDN}/original=true/1.jpeg"
