import ast
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.ref import Ref
from hub_ui.commands.import_export import snippet
from hub_ui.generate.base_models import PipelineSpec, choose_base
from hub_ui.library.lockfile import Entry
from tests.hub_ui.library.building import entry

HF = entry(ref=Ref.parse("huggingface:ada/ink@" + "1" * 40 + "#sub/ink.safetensors"), title="Ink", weight=0.5)
BASE = replace(choose_base("sdxl", None, "sdxl-1.0"), source="owner/base", revision=None, scheduler=None)


def written(*entries: Entry, base: PipelineSpec | None = BASE) -> str:
    return snippet(entries, lambda entry: Path("/loras") / entry.file, lambda entry: base)


def test_a_lora_of_hugging_face_is_loaded_at_its_commit() -> None:
    code = written(HF)
    assert f"        'ada/ink', revision='{'1' * 40}', weight_name='sub/ink.safetensors', adapter_name='ink'\n" in code
    assert "pipeline.set_adapters(['ink'], adapter_weights=[0.5])" in code


@pytest.mark.parametrize("fields", [{}, {"ref": Ref.parse("replicate:ada/ink@" + "b" * 64)}])
def test_a_lora_of_another_hub_is_loaded_from_the_library(fields: dict[str, Ref]) -> None:
    code = written(entry(**fields))
    assert "'/loras/sd1/ada', weight_name='Ink lines-2001.safetensors', adapter_name='ink_lines'" in code
    assert "# sha256 " + "a" * 64 in code


def test_titles_that_are_alike_get_names_of_their_own() -> None:
    assert "['ink', 'ink_2', 'lora_1_2']" in written(HF, entry(title="INK"), entry(title="1.2"))


def test_the_prompt_holds_a_word_of_each() -> None:
    code = written(entry(trigger_words=("ink", "b")), entry(trigger_words=("it's red",)))
    assert '"ink, it\'s red, a lighthouse by the sea"' in code


def test_what_has_no_base_is_named_in_a_comment() -> None:
    code = written(entry(title="Odd"), base=None)
    assert "# Left out, since no pipeline of this script runs its base model: Odd: civitai:1001@2001#3001\n" in code
    ast.parse(code)


@pytest.mark.parametrize("title", ["a\nimport os", "a\r\nimport os", 'a"""\nimport os', "a\x0cimport os", "", "'"])
def test_no_title_becomes_code(title: str) -> None:
    hostile = entry(title=title, file="a'b/c\".safetensors", trigger_words=('"""\nimport os',))
    tree = ast.parse(written(hostile))
    imports = [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    assert imports == ["sys", "diffusers", "torch"]


def test_a_scheduler_that_cannot_be_used_is_replaced() -> None:
    code = written(HF, base=replace(BASE, scheduler="EulerDiscreteScheduler"))
    assert "pipeline.scheduler = diffusers.EulerDiscreteScheduler.from_config(pipeline.scheduler.config)" in code


def test_a_base_is_pinned_where_its_commit_is_known() -> None:
    code = written(HF, base=replace(BASE, revision="3" * 40))
    assert f"from_pretrained('owner/base', revision='{'3' * 40}', torch_dtype=DTYPE)" in code
    assert "from_pretrained('owner/base', torch_dtype=DTYPE)" in written(HF)


def test_the_settings_are_the_base_s_own() -> None:
    code = written(HF, base=replace(BASE, steps=4, guidance=1.5, width=512, height=768))
    assert "{'num_inference_steps': 4, 'guidance_scale': 1.5, 'width': 512, 'height': 768}\n" in code
