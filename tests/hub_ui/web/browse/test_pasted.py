"""What names one LoRA in the search box opens it: by HTTP, as the browser asks with and without JavaScript."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from connectors.errors import NotFound
from connectors.record import Lora, WeightFile
from connectors.ref import Ref
from tests.addresses import AUTOV3, BLAKE3, LOOKED_UP, SHA256, WRITTEN
from tests.hub_ui.catalog.builders import lora, version
from tests.hub_ui.stand_ins import Hub, services_on
from tests.hub_ui.web.conftest import PART, open_client, read

SUBMIT = {**PART, "HX-Target": "main#main", "HX-Source": "form#view"}
INK = Ref.parse("civitai:4128@41280#9001")


def ink() -> Lora:
    file = WeightFile(ref=INK, name="ink_lines.safetensors", size=9, sha256=SHA256, autov3=AUTOV3, primary=True)
    return lora(4128, title="Ink", versions=(replace(version("civitai:4128@41280"), files=(file,)),))


class Knows(Hub):
    """A hub that knows every LoRA, and one file by its BLAKE3."""

    def get(self, ref: Ref) -> Lora:
        return replace(ink(), ref=ref.lora, versions=())

    def by_hash(self, value: str) -> tuple[Lora, Ref]:
        if value != BLAKE3:
            raise NotFound("No hub has a file with this hash.", hub="civitai")
        return ink(), INK


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    home = tmp_path_factory.mktemp("home")
    hubs = [Knows(name=name) for name in ("civitai", "huggingface", "replicate")]
    with services_on(home, *hubs) as services, open_client(services, home / "files") as client:
        services.catalog.add([ink()])
        yield client


@pytest.mark.parametrize(("text", "ref"), [*WRITTEN, *LOOKED_UP])
def test_enter_on_browse_opens_the_lora_over_the_list(client: TestClient, text: str, ref: str) -> None:
    answer = client.get(f"/?{urlencode({'q': text, 'base': 'sdxl'})}", headers=SUBMIT)
    page = read(answer.text)
    assert answer.headers["HX-Push-Url"] == f"./?{urlencode({'base': 'sdxl', 'open': ref})}"
    assert page.select_one("hx-partial[hx-target='#panel'] .lora")
    assert page.select_one("#line")["data-text"] == ""


@pytest.mark.parametrize(("text", "ref"), [*WRITTEN, *LOOKED_UP])
def test_form_of_another_page_redirects_to_the_lora(client: TestClient, text: str, ref: str) -> None:
    answer = client.get(f"/?{urlencode({'q': text})}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"./?{urlencode({'open': ref})}")


def test_back_leaves_out_what_was_pasted(client: TestClient) -> None:
    """Otherwise a step back would open the LoRA again."""
    pasted = {**SUBMIT, "HX-Current-URL": "http://testserver/?q=civitai%3A4128"}
    answer = client.get("/?q=civitai:4128", headers=pasted)
    assert (answer.headers["HX-Replace-Url"], "HX-Push-Url" in answer.headers) == ("./?open=civitai%3A4128", False)


@pytest.mark.parametrize("text", ["<lora:nobodys_hat:1>", "nobodys_hat.safetensors"])
def test_a_name_that_nobody_has_seen_is_searched_for(client: TestClient, text: str) -> None:
    answer = client.get(f"/?{urlencode({'q': text})}")
    assert answer.headers["location"] == "./?q=nobodys+hat"
    answer = client.get(f"/?{urlencode({'q': text})}", headers=SUBMIT)
    assert answer.headers["HX-Push-Url"] == "./?q=nobodys+hat"
    assert read(answer.text).select_one("#line")["data-text"] == "nobodys hat"


def test_another_list_closes_the_panel(client: TestClient) -> None:
    answer = client.get("/?q=ink&open=civitai:4128", headers=SUBMIT)
    assert answer.headers["HX-Push-Url"] == "./?q=ink"
    assert not read(answer.text).select(".lora")
