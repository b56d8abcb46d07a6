from datetime import date
from typing import Any

from hub_ui.demo.build.samples.civitai_wire import Drawn, Known, model_object
from hub_ui.demo.build.samples.sample import PG, PG13, File, Json, Picture, R, Text
from hub_ui.demo.hubs.content import Digest
from tests.hub_ui.demo.build.samples.builders import release, sample

DIGEST = Digest(
    size=2048, sha256="ab" * 32, header="0" * 64, tensors="cd" * 32, crc32="0a" * 4, blake3="ef" * 32, auto_v1="12" * 4
)
DRAWN = Drawn(width=448, height=488, blurhash="U0" + "0" * 34)


def wire(**said: Any) -> Json:
    told = sample("civitai", **said)
    digests = {file.name: DIGEST for each in told.releases for file in each.files}
    pictures = {picture.file: DRAWN for each in told.releases for picture in each.pictures}
    return model_object(told, Known(digests=digests, pictures=pictures, today=date(2026, 9, 1)))


def test_tells_who_made_what() -> None:
    data = wire()
    assert (data["id"], data["name"], data["type"], data["creator"]["username"]) == (4200, "Dunes", "LORA", "somebody")
    assert data["baseModels"] == ["SDXL 1.0"]
    assert data["stats"] == {
        "downloadCount": 1000,
        "thumbsUpCount": 100,
        "thumbsDownCount": 0,
        "commentCount": 4,
        "tippedAmountCount": 0,
    }


def test_newer_versions_come_first_and_have_higher_numbers() -> None:
    data = wire(releases=(release(name="v2", days=1), release(name="v1", days=9)))
    assert [(version["name"], version["id"]) for version in data["modelVersions"]] == [("v2", 42002), ("v1", 42001)]


def test_a_file_carries_its_size_and_hashes() -> None:
    (file,) = wire()["modelVersions"][0]["files"]
    assert file["sizeKB"] == 2.0
    assert file["hashes"] == {
        "AutoV1": "12121212",
        "AutoV2": "ABABABABAB",
        "SHA256": "AB" * 32,
        "CRC32": "0A0A0A0A",
        "BLAKE3": "EF" * 32,
        "AutoV3": "CDCDCDCDCDCD",
    }
    assert file["downloadUrl"] == "{CIVITAI_ENDPOINT}/api/download/models/42001?fileId=420010"
    assert file["primary"] is True


def test_a_second_file_is_not_primary() -> None:
    files = (File(name="a.safetensors", content=Text(text="")), File(name="b.zip", content=Text(text=""), main=False))
    _, second = wire(releases=(release(files=files),))["modelVersions"][0]["files"]
    assert "primary" not in second
    assert second["metadata"]["format"] == "Other"


def test_a_pickle_is_known_as_one_and_has_no_hashes() -> None:
    files = (File(name="a.pt", content=Text(text="")),)
    (file,) = wire(releases=(release(files=files),))["modelVersions"][0]["files"]
    assert (file["metadata"]["format"], file["pickleScanResult"], file["hashes"]) == ("PickleTensor", "Danger", {})


def test_a_picture_carries_its_size_and_blurhash() -> None:
    (image,) = wire(releases=(release(pictures=(Picture(name="a", prompt=""),)),))["modelVersions"][0]["images"]
    assert (image["width"], image["height"], image["hash"]) == (448, 488, "U0" + "0" * 34)


def test_levels_of_pictures_add_up() -> None:
    shown = (Picture(name="a", prompt="", level=PG), Picture(name="b", prompt="", level=R))
    data = wire(releases=(release(pictures=shown), release(pictures=(Picture(name="c", prompt="", level=PG13),))))
    assert [version["nsfwLevel"] for version in data["modelVersions"]] == [5, 2]
    assert data["nsfwLevel"] == 7


def test_a_picture_says_how_it_was_made() -> None:
    (image,) = wire()["modelVersions"][0]["images"]
    assert image["url"] == "{CIVITAI_ENDPOINT}/pictures/original=true/dunes-dusk-1.webp"
    assert image["meta"]["prompt"] == "dunes at dusk"
    assert image["meta"]["resources"] == [{"name": "lora", "type": "lora", "weight": 0.8}]
    assert image["meta"]["sampler"] == "DPM++ 2M Karras"


def test_early_access_ends_after_today() -> None:
    (version,) = wire(releases=(release(early=12),))["modelVersions"]
    assert version["paidAccess"]["permanent"] is False
    assert version["paidAccess"]["endsAt"].startswith("2026-09-13T")


def test_an_archived_model_has_no_files_and_no_download() -> None:
    (version,) = wire(quirks={"mode": "Archived"})["modelVersions"]
    assert version["files"] == []
    assert "downloadUrl" not in version


def test_a_deleted_user_is_left_out() -> None:
    assert "creator" not in wire(creator=None)


def test_hidden_counters_are_null() -> None:
    assert wire(downloads=None, likes=None)["stats"]["downloadCount"] is None


def test_trained_words_may_be_missing() -> None:
    (version,) = wire(releases=(release(quirks={"trainedWords": None}),))["modelVersions"]
    assert "trainedWords" not in version


def test_a_licence_without_permissions_permits_nothing() -> None:
    data = wire(licence=())
    assert data["allowCommercialUse"] == []
    assert data["allowDerivatives"] is False
