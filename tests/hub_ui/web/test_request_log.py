from __future__ import annotations

import pytest

from hub_ui.web.request_log import shown_path


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/", "/"),
        ("/gradio_api/queue/join", "/gradio_api/queue/join"),
        ("/gradio_api/file=/tmp/me/picture.png", "/gradio_api/file"),
        ("/gradio_api/call/generate/8f0a9c", "/gradio_api/call/generate"),
        ("/hub-images/aB3xyz", "/hub-images"),
        ("/assets/index-9x.js", "/assets"),
    ],
)
def test_a_path_is_shown_as_far_as_it_is_the_programs_own(path: str, shown: str) -> None:
    assert shown_path(path) == shown
