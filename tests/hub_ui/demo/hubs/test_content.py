from pathlib import Path

from hub_ui.demo.hubs.content import InMemory, Joined, OnDisk, chunks, git_blob_id

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_joined_parts_read_as_one() -> None:
    joined = Joined(parts=(InMemory(data=b"abc"), InMemory(data=b""), InMemory(data=b"defg")))
    assert joined.size == 7
    assert joined.read(0, 7) == b"abcdefg"
    assert joined.read(2, 5) == b"cde"


def test_a_file_on_disk_reads_from_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert OnDisk(path=path).read(3, 6) == b"345"


def test_the_hash_of_nothing_is_the_known_one() -> None:
    assert InMemory(data=b"").sha256 == Joined(parts=()).sha256 == EMPTY_SHA256


def test_chunks_cover_exactly_the_part_asked_for() -> None:
    content = InMemory(data=bytes(600_000))
    assert [len(chunk) for chunk in chunks(content)] == [262144, 262144, 75712]
    assert [len(chunk) for chunk in chunks(content, 10, 20)] == [10]


def test_a_blob_has_the_name_that_git_gives_it() -> None:
    assert git_blob_id(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
