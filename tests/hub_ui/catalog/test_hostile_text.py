"""Whatever is typed or listed: it is words or nothing, never syntax and never a crash."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.query import Query
from connectors.record import Lora, Value
from connectors.ref import Ref
from hub_ui.catalog.catalog import Catalog
from tests.hub_ui.catalog.builders import catalog, claim, lora, titles, version

HOSTILE = (
    '"', "'", '""', "a OR b", "NOT ink", "ink AND", "-ink", "+ink", "(ink", "ink)", "title:ink", "ink*", "ink?",
    "ink~2", "ink^9", "[a TO z]", "/ink.*/", "\\", "%", "_", "'; DROP TABLE loras; --", "ink\x00", "\x00", "\ud800",
    "ink\udfff", "\u202eknI", "\u200f", "a" * 10_000, "ink " * 2_500, '"' * 10_000, "(" * 10_000, "{}", "<script>",
    "\x1f", "=pony", "IN [", "🔥", "\u0301", "ﷺ" * 500, ".*", "i.k", "*", "ink:", "\n\t",
)  # fmt: skip

in_either = pytest.mark.usefixtures("either_database")


def hostile(number: int, text: str) -> Lora:
    fields = ("base_model", "architecture", "raw_base_model", "kind", "license")
    claims = (*(claim(name, text) for name in fields), claim("trigger_words", (text,)))
    return lora(number, title=text, creator=text, description=text, tags=(text,), claims=claims)


@pytest.fixture(name="opened", scope="module")
def one_catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    with catalog(tmp_path_factory.mktemp("catalog"), lora(1, title="Ink"), lora(2, title="Other", versions=())) as one:
        yield one


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_hostile_text_is_only_words(opened: Catalog, text: str) -> None:
    assert set(titles(opened, text)) <= {"Ink", "Other"}


@pytest.mark.parametrize("text", ['"ink"', "(ink)", "-ink", "ink*", "/ink/", "ink\x00", "+INK!"])
def test_operators_around_a_word_are_no_operators(opened: Catalog, text: str) -> None:
    assert titles(opened, text) == ["Ink"]


@in_either
def test_hostile_names_are_kept_and_filtered_by(tmp_path: Path) -> None:
    loras = [hostile(number, text) for number, text in enumerate(HOSTILE, 1)]
    with catalog(tmp_path, *loras) as opened:
        for one, text in zip(loras, HOSTILE, strict=True):
            opened.search(Query(bases=(text,), kinds=(text,)))  # type: ignore[arg-type]
            assert opened.lora(one.ref) == one


@in_either
def test_a_ref_of_any_text_is_kept(tmp_path: Path) -> None:
    ref = Ref(hub="huggingface", id="a\ud800/b\x00'\"", version="\udfff", file="\x00")
    with catalog(tmp_path, replace(lora(), ref=ref, versions=(version(),))) as opened:
        assert opened.lora(ref).ref == ref


@in_either
def test_numbers_beyond_any_column_are_kept(tmp_path: Path) -> None:
    one = lora(downloads=10**30, likes=-5, claims=(claim("rank", 10**30),), updated_at="9999-12-31T23:59:59Z")
    with catalog(tmp_path, one, lora(2)) as opened:
        assert opened.search(Query(sort="downloads")).records[0].downloads == 10**30


@in_either
@pytest.mark.parametrize("value", ["8", 8.5, True, ("a", "b"), 3])
def test_a_claim_of_another_type_costs_its_value_only(tmp_path: Path, value: Value) -> None:
    fields = ("rank", "kind", "license", "base_model", "raw_base_model", "architecture", "trigger_words", "alpha")
    with catalog(tmp_path, lora(claims=tuple(claim(name, value) for name in fields))) as opened:
        assert titles(opened, "ink") == ["Ink 1"]
