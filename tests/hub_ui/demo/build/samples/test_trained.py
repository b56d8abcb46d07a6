from pathlib import Path

from hub_ui.demo.build.samples.trained import trained_loras


def test_nothing_was_trained_where_there_is_no_list(tmp_path: Path) -> None:
    assert trained_loras(tmp_path) == {}


def test_names_every_version_that_has_a_file(weights: Path) -> None:
    loras = trained_loras(weights)
    assert len(loras) == 9
    assert loras["sks-robot-v1"].words == ("sks-robot word",)


def test_only_the_newest_version_has_pictures(weights: Path) -> None:
    loras = trained_loras(weights)
    assert [picture.file for picture in loras["sks-robot"].pictures] == ["sks-robot-1.webp"]
    assert loras["sks-robot-v1"].pictures == ()


def test_a_picture_remembers_its_weight_and_seed(weights: Path) -> None:
    (picture,) = trained_loras(weights)["snowfall"].pictures
    assert picture.weight == 0.9
    assert picture.settings == {"seed": 7}
