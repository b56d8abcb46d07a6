"""The killed crawl of `make chaos` in short, and that it would see what must not be."""

from pathlib import Path
from random import Random

import pytest

from connectors.ref import Origin
from tests.recording import Request
from tests.tools.chaos.crawl import KilledCrawl
from tests.tools.chaos.home import Broken


def killed_crawl(home: Path) -> KilledCrawl:
    loras: dict[Origin, int] = {"civitai": 600, "huggingface": 400, "replicate": 250}
    return KilledCrawl(loras=loras, home=home / "home", random=Random(3))


def test_a_crawl_that_is_killed_again_and_again_ends_complete_with_no_page_fetched_in_vain(tmp_path: Path) -> None:
    told = killed_crawl(tmp_path).play(kills=2)
    assert told.kills > 0
    assert told.loras == 1_250
    assert told.fetched - told.again == 21


def request(page: int) -> Request:
    return Request(origin="civitai", method="GET", path="/api/v1/models", query=f"cursor={page}", headers=[])


@pytest.mark.parametrize(
    ("lives", "message"),
    [([[1, 2, 2]], "fetched twice by one process"), ([[1, 2, 3], [2, 3, 4]], "2 pages of civitai fetched again")],
)
def test_a_page_that_is_fetched_too_often_is_seen(tmp_path: Path, lives: list[list[int]], message: str) -> None:
    crawl = killed_crawl(tmp_path)
    *earlier, last = [[request(page) for page in pages] for pages in lives]
    for requests in earlier:
        crawl.check_requests(requests)
    with pytest.raises(Broken, match=message):
        crawl.check_requests(last)
