import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard

from connectors.errors import BadSnapshot, HubUiError, NotFound
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.catalog import snapshot
from hub_ui.catalog.changes import encode
from hub_ui.catalog.snapshot import Exported, Imported
from tests.hub_ui.catalog.builders import lora
from tests.programs import python

FIRST = {"format": "hub-ui catalog", "loras": 2, "version": 1}


@dataclass(kw_only=True)
class Received:
    loras: list[Lora] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)

    def add(self, loras: Sequence[Lora], at: datetime) -> int:
        self.loras += loras
        self.times.append(at)
        return len(loras)


def load(path: Path) -> tuple[Imported, Received]:
    received = Received()
    return snapshot.load(path, received.add, lambda _done, _total: None), received


def write(path: Path, *lines: object) -> Path:
    """`lines` are texts, or values to write as JSON."""
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_bytes(zstandard.compress("".join(f"{text}\n" for text in texts).encode()))
    return path


def written(path: Path, *loras: Lora) -> Path:
    snapshot.export([encode(each) for each in loras], path)
    return path


def test_what_is_exported_is_imported_again(tmp_path: Path) -> None:
    loras = [lora(number, base="SDXL 1.0", description="Ink\ud800 ünd µ", tags=("a",)) for number in (1, 2, 3)]
    path = tmp_path / "catalog.jsonl.zst"
    done = snapshot.export([encode(each) for each in loras], path)
    assert done == Exported(loras=3, bytes=path.stat().st_size, unreadable=0)
    told, received = load(path)
    assert (told, received.loras) == (Imported(loras=3, changed=3, foreign=0), loras)


def test_it_is_json_lines_that_any_program_reads(tmp_path: Path) -> None:
    path = written(tmp_path / "c.zst", lora(1), lora(2))
    with zstandard.open(path, "rt", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    assert lines[0] == FIRST
    assert [line["title"] for line in lines[1:]] == ["Ink 1", "Ink 2"]


def test_many_loras_come_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "BATCH", 50)
    told, received = load(written(tmp_path / "c.zst", *(lora(number) for number in range(60))))
    assert (told.loras, len(received.times)) == (60, 2)


def test_what_is_known_is_as_old_as_the_newest_lora(tmp_path: Path) -> None:
    times = ("2025-03-01T10:00:00Z", "2025-04-02T11:00:00Z", None)
    path = written(tmp_path / "c", *(lora(number, updated_at=time) for number, time in enumerate(times, 1)))
    assert load(path)[1].times == [datetime(2025, 4, 2, 11, tzinfo=UTC)]


def test_what_cannot_be_read_or_only_some_accounts_may_see_is_left_out(tmp_path: Path) -> None:
    done = snapshot.export([encode(lora(1)), "{broken", encode(lora(2, private=True)), encode(lora(3))], tmp_path / "c")
    assert (done.loras, done.unreadable, load(tmp_path / "c")[0].loras) == (2, 1, 2)


def test_a_failed_export_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    def documents() -> Iterator[str]:
        yield encode(lora(1))
        raise HubUiError("The catalog is closed.")

    path = tmp_path / "c.zst"
    path.write_bytes(b"old")
    with pytest.raises(HubUiError, match="closed"):
        snapshot.export(documents(), path)
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("c.zst", b"old")]


def test_a_place_that_cannot_be_written_is_named_as_it_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "c.zst"
    with pytest.raises(HubUiError) as told:
        written(path, lora())
    assert told.value.message.startswith(
        f"{path} can't be written: Not a directory. Make room, or choose another place"
    )


def test_a_file_that_is_cut_off_says_so_and_the_rest_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "BATCH", 500)
    path = tmp_path / "c.zst"
    snapshot.export((encode(lora(number, description=f"{number * 7919**9} " * 9)) for number in range(1_500)), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    received = Received()
    with pytest.raises(BadSnapshot, match=r"a part of it is missing\. The [\d,]+ LoRAs before that are in the catalog"):
        snapshot.load(path, received.add, lambda _done, _total: None)
    assert 500 < len(received.loras) < 1_500


def test_flipped_bits_are_seen(tmp_path: Path) -> None:
    path = written(tmp_path / "c.zst", *(lora(number) for number in range(500)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(BadSnapshot, match=r"c\.zst is damaged|c\.zst ends after"):
        load(path)


LORA = json.loads(encode(lora(1)))
OTHER = json.loads(encode(lora(2)))


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        {**LORA, "title": 5},
        {**LORA, "colour": "red"},
        {**LORA, "access": "stolen"},
        {**LORA, "ref": ["civitai", "../1", None, None]},
        {**LORA, "url": "javascript:alert(1)"},
        {**LORA, "versions": OTHER["versions"]},
    ],
)
def test_a_line_that_is_no_lora_is_damage(tmp_path: Path, line: object) -> None:
    path = write(tmp_path / "c.zst", FIRST, OTHER, line)
    received = Received()
    with pytest.raises(BadSnapshot, match=r"c\.zst is damaged: line 3 is no LoRA\. The 1 LoRAs before that"):
        snapshot.load(path, received.add, lambda _done, _total: None)
    assert [each.ref.id for each in received.loras] == ["2"]


NO_SNAPSHOT = r"is no snapshot of a catalog\. hub-ui catalog export writes one"


@pytest.mark.parametrize(
    ("lines", "error", "said"),
    [
        ((FIRST, LORA, OTHER, OTHER), BadSnapshot, "more than the 2 LoRAs"),
        (({"format": "shopping list", "version": 1, "loras": 0},), BadSnapshot, NO_SNAPSHOT),
        (([],), BadSnapshot, NO_SNAPSHOT),
        (("x",), BadSnapshot, NO_SNAPSHOT),
        (({"version": 1},), BadSnapshot, NO_SNAPSHOT),
        (({**FIRST, "version": 2},), HubUiError, r"newer hub-ui\. Update hub-ui to read it"),
        ((FIRST, {**LORA, "v": 99}), HubUiError, r"newer hub-ui\. Update hub-ui to read it"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, lines: tuple[object, ...], error: type, said: str) -> None:
    with pytest.raises(HubUiError, match=said) as caught:
        load(write(tmp_path / "c.zst", *lines))
    assert type(caught.value) is error


def test_a_file_that_is_not_compressed_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps(FIRST))
    for name, error, said in (("c.json", BadSnapshot, NO_SNAPSHOT), ("c.zst", NotFound, "There is no file")):
        with pytest.raises(error, match=said):
            load(tmp_path / name)


def test_loras_of_an_unknown_hub_are_left_out(tmp_path: Path) -> None:
    strange = replace(lora(1), ref=Ref(hub="newhub", id="a"), versions=())
    told, received = load(written(tmp_path / "c.zst", strange, lora(2)))
    assert (told.loras, told.foreign, len(received.loras)) == (1, 1, 1)


def test_a_large_snapshot_is_never_whole_in_memory(tmp_path: Path) -> None:
    """100 MB of text within a limit that such a text alone would break."""
    resource = pytest.importorskip("resource")
    program = f"""
import resource
from pathlib import Path
from hub_ui.catalog import snapshot
from hub_ui.catalog.changes import encode
from tests.hub_ui.catalog.builders import lora
path = Path({str(tmp_path / "c.zst")!r})
encode(lora(1))
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
text = encode(lora(1, description="ink " * 1000))
snapshot.export((text for _ in range(25_000)), path)
snapshot.load(path, lambda loras, at: len(loras), lambda done, total: None)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used) // 1024)
"""
    assert resource is not None
    assert int(python("-c", program).stdout) < 90
