from hub_ui.demo.build.samples.sample import Trained
from hub_ui.demo.build.samples.tables.tiny import SAMPLES
from hub_ui.demo.build.samples.trained import trained_loras
from hub_ui.demo.build.train.recipes import RECIPES


def offered() -> set[str]:
    files = (file for sample in SAMPLES for release in sample.releases for file in release.files)
    return {file.content.name for file in files if isinstance(file.content, Trained)}


def test_offers_every_lora_that_is_trained() -> None:
    early = {f"{recipe.name}-v1" for recipe in RECIPES if recipe.early}
    assert offered() == {recipe.name for recipe in RECIPES} | early


def test_shipped_files_are_all_offered() -> None:
    assert set(trained_loras()) <= offered()


def test_shipped_loras_have_pictures_of_their_newest_state() -> None:
    assert all(lora.pictures for name, lora in trained_loras().items() if not name.endswith("-v1"))


def test_kinds_are_those_of_the_training() -> None:
    kinds = {recipe.name: recipe.kind for recipe in RECIPES}
    newest = {sample.releases[0].files[0].content: sample.kind for sample in SAMPLES}
    assert all(kinds[lora.name] == kind for lora, kind in newest.items() if isinstance(lora, Trained))
