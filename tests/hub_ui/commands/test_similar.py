from pathlib import Path

import pytest

from tests.hub_ui.catalog.builders import catalog as opened
from tests.hub_ui.catalog.builders import lora
from tests.hub_ui.library.shared_hubs import Line

pytestmark = pytest.mark.usefixtures("hubs")


def fill(home: Path) -> None:
    """Four alike, one of them for another architecture, among forty others: what everyone has makes no one similar."""
    bases = ("SDXL 1.0", "SDXL 1.0", "SDXL 1.0", "Flux.1 D")
    alike = [lora(number, title=f"Ink wash {number}", base=base) for number, base in enumerate(bases, 11)]
    with opened(home, *alike, *(lora(number, title=f"Other {number}", base="Pony") for number in range(100, 200))):
        pass


def test_similar_loras_of_the_catalog_are_records_or_a_table(line: Line, home: Path) -> None:
    fill(home)
    code, document = line("similar", "civitai:11")
    assert code == 0
    found = {(record["title"], record["score"], record["reason"]) for record in document["results"]}
    assert found == {("Ink wash 12", 1.0, "same subject"), ("Ink wash 13", 1.0, "same subject")}
    code, text = line.words("similar", "civitai:11")
    assert (code, text.split()[0], "Ink wash 13" in text) == (0, "TITLE", True)


def test_a_lora_that_was_never_seen_is_asked_of_its_hub_and_a_crawl_is_advised_until_there_was_one(line: Line) -> None:
    advised = "The catalog has nothing similar yet. hub-ui crawl reads the hubs' lists into it.\n"
    assert line("similar", "civitai:1001") == (0, {"results": []})
    assert line.err == advised
    line("crawl", "--hub", "civitai")
    line("similar", "civitai:1001")
    assert line.err == "The catalog has nothing similar.\n"


@pytest.mark.parametrize(("words", "code"), [(("civitai:987654",), 4), (("civitai:11", "--nsfw", "wild"), 2)])
def test_what_cannot_be_answered_has_its_exit_code(line: Line, words: tuple[str, ...], code: int) -> None:
    assert line("similar", *words)[0] == code
