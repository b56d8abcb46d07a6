"""LoRAs on models that they were not made for: what is refused, and what is said where they run."""

from pathlib import Path
from typing import Any

import diffusers
import pytest

from connectors.claims import base_models as taxonomy
from connectors.claims.base_models import BASE_MODELS
from connectors.errors import DoesNotFit, NoBase
from hub_ui.generate.base_models import BASES, choose_base, substitution_note
from hub_ui.generate.base_models.table import SUBSTITUTIONS

ARCHITECTURES = {base.architecture for base in BASES}


def outcome(base_model: str) -> str:
    """The base that LoRAs of a lineage run on and what is said, or why they are refused."""
    known = taxonomy.by_id(base_model)
    assert known is not None
    try:
        spec = choose_base(known.architecture, base_model, None)
    except DoesNotFit as error:
        return f"refused: {error.message}"
    return f"{spec.id}: {substitution_note(spec, 'Boats', base_model)}"


@pytest.mark.parametrize(
    ("base_model", "said"),
    [
        ("wan", "wan-2.1-t2v-14b: “Boats” was made for Wan Video, and runs on Wan 2.1 14B. Wan Video is a family "),
        ("flux.1-fill", "flux.1-dev: “Boats” was made for FLUX.1 Fill, and runs on FLUX.1 dev. FLUX.1 Fill fills "),
        ("flux.1-depth", "flux.1-dev: “Boats” was made for FLUX.1 Depth, and runs on FLUX.1 dev. FLUX.1 Depth "),
        ("qwen-image-layered", "qwen-image: “Boats” was made for Qwen-Image-Layered, and runs on Qwen-Image. Qwen"),
        ("flex.1", "refused: This LoRA does not run on FLUX.1 dev. Flex.1 has 8 of the 19 double blocks "),
        ("ltx-2.3", "ltx-2.3: "),
        ("ltx-2.5", "refused: This LoRA does not run on LTX-2. LTX-2.5 has latents of its own, "),
        ("kandinsky-5-pro", "refused: This LoRA does not run on Kandinsky 5 T2I Lite. Kandinsky 5 Pro has a "),
        ("zeta-chroma", "refused: This LoRA does not run on Z-Image Turbo. Zeta-Chroma works on pixels, "),
        ("sd-1.4", "sd-1.5: “Boats” was made for SD 1.4, and runs on SD 1.5. Images can differ from its examples."),
    ],
)
def test_a_lora_for_a_model_that_no_base_is(base_model: str, said: str) -> None:
    assert outcome(base_model).startswith(said)


@pytest.mark.parametrize(
    ("architecture", "base_model", "said"),
    [
        ("prx", "prx-pixel", "for prx. diffusers loads no LoRAs into the network of PRX Pixel. It can be downloaded "),
        ("cosmos", None, "for cosmos. diffusers runs Cosmos only with NVIDIA's guardrail models, which are not "),
        ("svd", None, "for svd. It can be downloaded and used in another program."),
    ],
)
def test_why_there_is_no_base_is_said_where_it_is_known(architecture: str, base_model: str | None, said: str) -> None:
    with pytest.raises(NoBase, match=said):
        choose_base(architecture, base_model, None)


def test_the_reasons_for_no_base_hold_in_diffusers() -> None:
    assert "transformer" not in diffusers.PRXPipeline._lora_loadable_modules
    kind: Any = diffusers.Cosmos2_5_PredictBasePipeline
    with pytest.raises(ImportError, match="cosmos_guardrail"):
        kind(**dict.fromkeys(("text_encoder", "tokenizer", "transformer", "vae", "scheduler")))


def test_no_lineage_of_the_taxonomy_runs_on_another_model_without_a_word() -> None:
    """What runs in silence runs on a base of that very lineage."""
    silent = [
        model.id for model in BASE_MODELS if model.architecture in ARCHITECTURES and outcome(model.id).endswith(": ")
    ]
    own = {name for base in BASES for name in (base.lineage, base.id)}
    assert [model_id for model_id in silent if model_id not in own] == []
    assert {"pony", "krea-2", "qwen-image-edit", "wan-2.2-t2v-a14b"} <= set(silent)


@pytest.mark.parametrize(
    ("base_model", "asked", "said"),
    [
        ("pony", "pony", ""),
        ("pony", "sdxl-1.0", "“Boats” was made for Pony, and runs on SDXL 1.0. Images can differ from its "),
        ("flux.1-dev", "flux.1-dev", ""),
        # The same lineage in another size or state.
        ("qwen-image", "qwen-image-2512", ""),
        ("chroma", "chroma-flash", ""),
        ("kolors", "sdxl-1.0", "“Boats” was made for Kolors, and runs on SDXL 1.0. Kolors reads prompts by another "),
        # As it is written on the hub, in a name that nobody has listed.
        ("Halcyon 2", "sdxl-1.0", "“Boats” was made for Halcyon 2, and runs on SDXL 1.0. Images can "),
        # The file proves another architecture than the hub says: that is a conflict of the record.
        ("sdxl-1.0", "flux.1-dev", ""),
        (None, "sdxl-1.0", ""),
        ("wan-2.2-i2v-a14b", "wan-2.2-t2v-a14b", "“Boats” was made for Wan 2.2 I2V A14B, and runs on Wan 2.2 "),
        # A user's own may be anything: a Pony, but also the model that has no base here.
        ("pony", "someone/her-model", ""),
        ("flux.1-fill", "someone/her-flux", "“Boats” was made for FLUX.1 Fill, and nothing says whether "),
        ("flex.1", "ostris/Flex.1-alpha", ""),
    ],
)
def test_what_is_said_of_a_lineage_on_a_base(base_model: str | None, asked: str, said: str) -> None:
    known = taxonomy.by_id(base_model or "")
    spec = choose_base(known.architecture if known and asked.startswith("someone") else None, None, asked)
    note = substitution_note(spec, "Boats", base_model)
    assert note.startswith(said) if said else note == ""


def test_a_refused_lineage_is_refused_on_a_base_that_was_chosen() -> None:
    with pytest.raises(DoesNotFit, match="has latents of its own, which mean nothing to LTX-2"):
        choose_base("ltx-video-2", "ltx-2.3", "ltx-2")
    assert choose_base("ltx-video-2", "ltx-2.3", "someone/ltx-2.3-in-bits").assumed


def test_the_table_names_lineages_that_exist() -> None:
    assert [name for row in SUBSTITUTIONS for name in row.made_for if taxonomy.by_id(name) is None] == []


def test_a_file_of_one_s_own_is_not_taken_for_the_base_that_it_is_like(tmp_path: Path) -> None:
    folder = tmp_path / "Flex.1-alpha"
    folder.mkdir()
    (folder / "model_index.json").write_text('{"_class_name": "FluxPipeline", "vae": ["diffusers", "AutoencoderKL"]}')
    assert substitution_note(choose_base("flux1", "flex.1", str(folder)), "Boats", "flex.1") == ""
