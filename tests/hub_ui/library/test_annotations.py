import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import HubUiError, UsageError
from connectors.ref import Ref
from hub_ui.library.annotations import Annotation, Annotations

INK = Ref.parse("civitai:1001@2001#3001")
BOATS = Ref.parse("huggingface:ada/boats")
HOSTILE = "<img src=x onerror=alert(1)> '; DROP TABLE annotations; -- {{ 7 * 7 }} \u202e \U0001f600"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "annotations.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Annotations]:
    opened = Annotations(path)
    yield opened
    opened.close()


def test_reading_makes_no_file(store: Annotations, path: Path) -> None:
    assert store.get(INK) == Annotation(ref=INK.lora)
    assert store.all() == {}
    assert not path.exists()


def test_what_is_said_of_a_lora_is_there_after_opening_again(store: Annotations, path: Path) -> None:
    store.change(INK, favorite=True, note=f"For covers.\n{HOSTILE}", tags=("comic", HOSTILE[:40]))
    store.change(INK, trigger_words=(HOSTILE,), weight=0.65, base_model="<b>base</b>")
    store.change(BOATS, trigger_words=())
    store.close()
    with closing(Annotations(path)) as again:
        assert again.get(INK) == Annotation(
            ref=Ref.parse("civitai:1001"), favorite=True, note=f"For covers.\n{HOSTILE}", tags=("comic", HOSTILE[:40]),
            trigger_words=(HOSTILE,), weight=0.65, base_model="<b>base</b>",
        )  # fmt: skip
        assert again.get(BOATS).trigger_words == ()
        assert again.change(BOATS, note="a\x00b\ud800c", trigger_words=None) == Annotation(ref=BOATS, note="ab?c")


def test_when_all_is_taken_back_nothing_is_left(store: Annotations, path: Path) -> None:
    store.change(INK, favorite=True)
    store.change(INK, favorite=False)
    assert store.all() == {}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM annotations").fetchone() == (0,)


def test_many_are_changed_at_once_and_returned_as_they_were(store: Annotations) -> None:
    store.change(INK, tags=("comic",))
    before = store.edit([INK, BOATS], lambda one: replace(one, tags=(*one.tags, "new")))
    assert {str(ref): one.tags for ref, one in store.all().items()} == {
        "civitai:1001": ("comic", "new"),
        "huggingface:ada/boats": ("new",),
    }
    assert [(str(one.ref), one.tags) for one in before] == [("civitai:1001", ("comic",)), ("huggingface:ada/boats", ())]


def test_tags_are_on_one_line_and_each_there_once(store: Annotations) -> None:
    assert store.change(INK, tags=(" client \n A ", "Client A", "", "ink")).tags == ("client A", "ink")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"note": "x" * 4001}, "A note has at most 4,000 characters, and this one 4,001. Shorten it."),
        ({"tags": ("x" * 61,)}, "A tag has at most 60 characters, and this one 61. Shorten it."),
        ({"tags": tuple(map(str, range(21)))}, "A LoRA has at most 20 tags of your own. Take one away first."),
        ({"trigger_words": ("x" * 301,)}, "A trigger word has at most 300 characters"),
        ({"weight": 2.5}, "A weight is a number from -1 to 2. Write one such as 0.8."),
        ({"weight": float("nan")}, "A weight is a number from -1 to 2."),
        ({"base_model": "x" * 101}, "at most 100 characters"),
    ],
)
def test_what_is_too_much_is_refused(store: Annotations, change: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        store.change(INK, **change)
    assert said in raised.value.message
    assert store.all() == {}


def test_the_same_object_is_returned_until_something_changes(store: Annotations) -> None:
    store.change(INK, note="a")
    first = store.all()
    assert store.all() is first
    store.change(INK, note="b")
    assert (first[INK.lora].note, store.all()[INK.lora].note) == ("a", "b")


def test_two_that_write_lose_nothing(store: Annotations, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As two processes do, each with a connection of its own."""
    monkeypatch.setattr("hub_ui.base.database._BUSY_SECONDS", 0.05)
    with closing(Annotations(path)) as other:

        def change(one: Annotation) -> Annotation:
            with pytest.raises(HubUiError, match="locked"):
                other.change(INK, note="theirs")
            return replace(one, tags=(*one.tags, "mine"))

        for writer, tag in ((store, "a"), (other, "b"), (store, "c")):
            writer.change(INK, tags=(*writer.get(INK).tags, tag))
        store.edit([INK], change)
        assert other.get(INK) == Annotation(ref=INK.lora, tags=("a", "b", "c", "mine"))


def test_a_row_that_nobody_can_read_counts_as_damage(store: Annotations, path: Path) -> None:
    store.change(INK, tags=("a",))
    store.close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE annotations SET tags = '[1'")
    connection.close()
    assert store.all() == {}
    assert len(list(path.parent.glob("annotations.sqlite.damaged-*"))) >= 1
