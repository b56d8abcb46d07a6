from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import HubUiError
from connectors.record import Claim, Example, Lora, Version, WeightFile
from connectors.ref import Ref
from hub_ui.catalog import store
from hub_ui.catalog.row import row_of
from hub_ui.catalog.store import Store
from tests.hub_ui.catalog.builders import claim, file, lora, version


@pytest.fixture(name="opened")
def fresh_store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "catalog.sqlite")
    yield opened
    opened.close()


def put(opened: Store, number: int, then: Exception | None = None) -> None:
    one = lora(number, base="Pony")
    with opened.writing() as writing:
        writing.put(one, store.encode(one))
        if then:
            raise then


def test_a_blank_file_gets_the_whole_schema(opened: Store, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "catalog.sqlite") as connection:
        found = connection.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name")
        assert found.fetchall() == [
            ("table", "facts"),
            ("table", "files"),
            ("index", "files_sha256"),
            ("index", "files_version"),
            ("table", "loras"),
            ("index", "loras_change"),
            ("table", "meta"),
            ("table", "migrations"),
            ("table", "spellings"),
        ]
    connection.close()


def test_a_migration_runs_once_and_later_ones_follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(tmp_path / "catalog.sqlite").close()
    ran = []

    def _m002_later(connection: sqlite3.Connection) -> None:
        ran.append(connection.execute("SELECT name FROM migrations").fetchall())

    monkeypatch.setattr(store, "MIGRATIONS", [*store.MIGRATIONS, _m002_later])
    for _ in range(2):
        Store(tmp_path / "catalog.sqlite").close()
    assert ran == [[("_m001_initial",)]]


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def _m002_broken(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE half (a)")
        raise RuntimeError

    monkeypatch.setattr(store, "MIGRATIONS", [*store.MIGRATIONS, _m002_broken])
    with pytest.raises(RuntimeError):
        Store(tmp_path / "catalog.sqlite")
    connection = sqlite3.connect(tmp_path / "catalog.sqlite")
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchall() == [(0,)]
    connection.close()


def test_a_transaction_that_fails_changes_nothing(opened: Store) -> None:
    with pytest.raises(RuntimeError):
        put(opened, 1, RuntimeError())
    assert (opened.document(lora(1).ref), opened.change()) == (None, 0)


def test_changes_are_numbered_and_handed_out_from_any_of_them(opened: Store) -> None:
    for number in (1, 2, 1):
        put(opened, number)
    assert [(row_id, change) for row_id, change, _ in opened.rows()] == [(2, 2), (1, 3)]
    assert [row_id for row_id, _, _ in opened.rows(after=2)] == [1]


def test_a_row_comes_back_as_it_was_put(opened: Store) -> None:
    put(opened, 1)
    assert [row for _, _, row in opened.rows()] == [row_of(lora(1, base="Pony"))]


def test_more_documents_than_sqlite_takes_values_are_handed_out(opened: Store) -> None:
    put(opened, 1)
    assert list(opened.documents(range(2_000))) == [1]


REFS = st.builds(
    Ref,
    hub=st.sampled_from(("civitai", "huggingface", "replicate")),
    id=st.text(),
    version=st.none() | st.text(),
    file=st.none() | st.text(),
)
CLAIMS = st.builds(
    Claim,
    field=st.text(),
    value=st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.lists(st.text()).map(tuple),
    source=st.sampled_from(("header", "hub", "card", "tag", "size", "example")),
    where=st.text(),
)
CLAIM_TUPLES = st.lists(CLAIMS, max_size=3).map(tuple)
FILES = st.builds(WeightFile, ref=REFS, name=st.text(), size=st.none() | st.integers(), claims=CLAIM_TUPLES)
EXAMPLES = st.builds(Example, url=st.text(), prompt=st.none() | st.text(), params=st.dictionaries(st.text(), st.text()))
VERSIONS = st.builds(
    Version,
    ref=REFS,
    name=st.text(),
    files=st.lists(FILES, max_size=2).map(tuple),
    examples=st.lists(EXAMPLES, max_size=2).map(tuple),
    claims=CLAIM_TUPLES,
)
LORAS = st.builds(
    Lora,
    ref=REFS,
    title=st.text(),
    url=st.text(),
    creator=st.none() | st.text(),
    description=st.text(),
    downloads=st.none() | st.integers(),
    tags=st.lists(st.text()).map(tuple),
    versions=st.lists(VERSIONS, max_size=2).map(tuple),
    claims=CLAIM_TUPLES,
)


@settings(max_examples=60, deadline=None)
@given(LORAS)
def test_any_lora_comes_back_as_it_went_in(one: Lora) -> None:
    assert repr(store.decode(store.encode(one))) == repr(one)


def test_a_lone_surrogate_and_a_nul_come_back() -> None:
    odd = lora(title="a\ud800b\x00c")
    assert store.decode(store.encode(odd)).title == "a\ud800b\x00c"


def test_one_and_one_point_zero_stay_different() -> None:
    kept = store.decode(store.encode(lora(claims=(claim("rank", 1), claim("alpha", 1.0)))))
    assert [type(each.value) for each in kept.claims] == [int, float]


def test_trigger_words_come_back_as_a_tuple() -> None:
    kept = store.decode(store.encode(lora(claims=(claim("trigger_words", ("sks", "ink")),))))
    assert kept.claims[0].value == ("sks", "ink")


def test_generation_parameters_keep_their_nesting() -> None:
    params = {"seed": 7, "resources": [{"name": "ink", "weight": 0.8}], "hires": None}
    one = lora(versions=(version(examples=(Example(url="https://a/1.png", params=params),)),))
    assert store.decode(store.encode(one)).versions[0].examples[0].params == params


def test_what_is_at_its_default_takes_no_room() -> None:
    assert json.loads(store.encode(lora(versions=()))) == {
        "v": 1,
        "ref": ["civitai", "1", None, None],
        "title": "Ink 1",
        "url": "https://civitai.com/models/1",
    }


def test_a_size_of_zero_is_not_a_missing_size() -> None:
    one = lora(versions=(version(files=(file(size=0),)),))
    assert store.decode(store.encode(one)).versions[0].files[0].size == 0


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"v":1}', '{"v":2}', '{"v":1,"ref":["civitai"]}', '{"v":1,"x":0}']
)
def test_text_that_is_not_ours_raises_our_error(text: str) -> None:
    with pytest.raises(HubUiError):
        store.decode(text)
