"""A page of another web site, open in the same browser as a shared page that somebody has signed in to."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from tests.connectors.serving import Answer, hub
from tests.hub_ui.web.test_visitors import LORA, gated_space

pytestmark = pytest.mark.browser
SCRIPT = Path(__file__).with_name("other_sites.js")
NOTHING = dict.fromkeys(
    ("config", "search", "favorite", "lock", "page", "logout", "leave", "simple", "stream"), "nothing"
)


@pytest.fixture(scope="module")
def port() -> Iterator[int | None]:
    """Of the other web site, which answers to every name."""
    with hub() as site:
        site.answers["/"] = Answer(body=b"<title>elsewhere</title>", headers={"Content-Type": "text/html"})
        yield urlsplit(site.url).port


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gated_space(tmp_path_factory.mktemp("other-sites")) as visitor:
        yield visitor.url


@pytest.fixture
def visitor(open_page: Callable[..., Page]) -> Page:
    page = open_page()
    page.context.add_init_script(path=SCRIPT)
    return page


def sign_in(page: Page, url: str, account: str) -> None:
    page.goto(url)
    page.goto(f"{url}login/huggingface")
    page.get_by_label("Account").fill(account)
    page.get_by_role("button", name="Authorize").click()
    page.wait_for_url(url)


# Another name is another site. Another port is the same one, so that requests bring the cookies, whatever is blocked.
@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_page_elsewhere_gets_nothing_with_a_visitors_sign_in(visitor: Page, space: str, port: int, name: str) -> None:
    sign_in(visitor, space, "ada")
    elsewhere = visitor.context.new_page()
    elsewhere.goto(f"http://{name}:{port}/")
    assert elsewhere.evaluate("(asked) => sites.ask(asked)", [space, LORA]) == NOTHING
    assert '"is_lora": true' in visitor.evaluate("(lora) => sites.answer(lora)", LORA)


def test_a_page_elsewhere_reads_nothing_of_a_page_on_the_internet(visitor: Page, space: str, port: int) -> None:
    visitor.goto(f"http://evil.example:{port}/")
    url = f"http://ada-loras.example:{urlsplit(space).port}/"
    assert visitor.evaluate("(asked) => sites.ask(asked)", [url, LORA]) == NOTHING


def test_a_link_elsewhere_leads_to_the_page(visitor: Page, space: str, port: int) -> None:
    visitor.goto(f"http://localhost:{port}/")
    visitor.evaluate(f"location.href = '{space}?q=hat'")
    visitor.get_by_role("searchbox").wait_for()
