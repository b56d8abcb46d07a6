"""Sixty texts that somebody may write into any field of a hub, and a data folder whose LoRAs have them in every one.

What runs sets `window.hacked`. `write_hub(folder)` adds one LoRA for each text, and one that has all of them at once.
"""

import json
from pathlib import Path
from typing import Any

from hub_ui.demo.hubs.folder import SAMPLES

RUN = "window.hacked=1"
# Of what marks up pages, templates and scripts.
MARKUP = (
    f"<script>{RUN}</script>", f"</script><script>{RUN}</script>", f"<img src=x onerror={RUN}>",
    f'"><img src=x onerror="{RUN}">', f"'><svg onload='{RUN}'>", f"<svg><script>{RUN}</script></svg>",
    f"<iframe src=\"javascript:parent.{RUN}\"></iframe>", f"<iframe srcdoc='<script>parent.{RUN}</script>'>",
    f"<body onload={RUN}>", f"<details open ontoggle={RUN}>", f"<input autofocus onfocus={RUN}>",
    f"<video><source onerror={RUN}></video>", f"<math><mtext><img src=x onerror={RUN}></mtext></math>",
    f"<a href=\"javascript:{RUN}\">open</a>", f"</textarea><script>{RUN}</script>", f"</title><script>{RUN}</script>",
    f"</style><script>{RUN}</script>", f"<!--><script>{RUN}</script>-->", f"]]><script>{RUN}</script>",
    f"<template><script>{RUN}</script></template>", f"<object data=\"javascript:{RUN}\"></object>",
    f"<meta http-equiv=refresh content='0;url=javascript:{RUN}'>", "<base href='https://example.invalid/'>",
    f"<form action=\"javascript:{RUN}\"><button>go</button></form>", f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"&#60;img src=x onerror={RUN}&#62;", f"\\x3cscript\\x3e{RUN}\\x3c/script\\x3e", f"<x/onpointerenter={RUN}>hover",
    f"${{{RUN}}}", f"`${{{RUN}}}`", f"{{{{{RUN}}}}}", f"{{{{{{{RUN}}}}}}}", "{% for x in y %}", "{{ config.items() }}",
    "{{#each this}}{{/each}}", "<%= 7*7 %>", "#{7*7}", f"\";{RUN};//", f"';{RUN};//", f"\\\";{RUN};//",
)  # fmt: skip
# Of links, styles, terminals, paths and tables.
SYNTAX = (
    f"[open](javascript:{RUN})", f"![](x\"onerror=\"{RUN})", f"data:text/html,<script>{RUN}</script>",
    "<style>*{display:none}</style>", "background:url(https://example.invalid/x);position:fixed",
    "\x1b[31mred\x1b]0;title\x07", "../../../../etc/passwd", "C:\\con\\nul\\..\\x.exe", "=HYPERLINK(\"x\",\"y\")",
    "'; DROP TABLE loras; --", "%00%0d%0aSet-Cookie: a=b", "javascript:" + RUN,
)  # fmt: skip
# Of what is hard to draw.
SHAPES = (
    "nul\x00 bell\x07 tab\t line\nbreak", "\u202egpj.evil\u202c \u2066x", "\u200b\u200d\ufeff\u00ad" * 50,
    "Z\u0351\u0363\u0357\u0304\u0307\u034f\u0324" * 40, "👩‍👩‍👧‍👦" * 60, "half \ud800 and \udfff a character",
    "w" * 5_000, "x" * 100_000,
)  # fmt: skip
TEXTS = MARKUP + SYNTAX + SHAPES
assert len(TEXTS) == 60


FIRST = 8_000_001
EVERYTHING = FIRST + len(TEXTS)
_PICTURE = "{CIVITAI_ENDPOINT}/pictures/original=true/sks-robot-3.webp"


def write_hub(folder: Path) -> None:
    """Adds the LoRAs to a data folder of the local hubs, with files that say the same in their headers."""
    files = json.loads((folder / "files.json").read_text(encoding="utf-8"))
    for number, texts in enumerate([*([text] for text in TEXTS), list(TEXTS)], FIRST):
        model = _model(number, texts)
        (folder / f"civitai_model_{number}.json").write_text(json.dumps(model), encoding="utf-8")
        files["civitai"][str(number)] = {"safetensors": _file(number, texts[0])}
    (folder / "files.json").write_text(json.dumps(files), encoding="utf-8")


def _model(number: int, texts: list[str]) -> dict[str, Any]:
    """A sample's, with these texts in every field that its author can write."""
    model = json.loads((SAMPLES / "civitai_model_900103.json").read_text(encoding="utf-8"))
    first, whole = texts[0], " ".join(texts)
    version = model["modelVersions"][0]
    image = version["images"][0]
    version |= {"baseModel": first, "trainedWords": texts, "description": whole, "name": first}
    # The local hub serves no file whose name leads out of its folder, or can't stand in an address.
    name = "".join(filter(str.isprintable, first[:200].replace("..", "")))
    version["files"][0] |= {"id": number, "name": f"{name}.safetensors", "sizeKB": None, "hashes": {}}
    version["images"] = [
        {**image, "id": number * 100 + place, "url": _PICTURE, "meta": {"prompt": text, "negativePrompt": text,
         "sampler": text, "Model": text, "steps": text, "resources": [{"name": text, "type": "lora", "weight": text}]}}
        for place, text in enumerate(texts)
    ]  # fmt: skip
    versions = [{**version, "id": number}]
    for place, text in enumerate(texts[1:], 1):
        versions.append({**version, "id": number * 100 + place, "name": text, "files": [], "images": []})
    return {
        **model, "id": number, "name": first, "description": f"<p>{whole}</p>{whole}", "tags": texts,
        "creator": {"username": first, "image": first}, "baseModels": [first], "allowCommercialUse": first,
        "modelVersions": versions,
    }  # fmt: skip


def _file(number: int, text: str) -> dict[str, Any]:
    """A small LoRA of Stable Diffusion. Half a character would be refused with the whole header."""
    clean = text.encode("utf-8", "replace").decode()
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    tensors = {f"{name}.lora_down.weight": ["F16", [4, 320]], f"{name}.lora_up.weight": ["F16", [320, 4]]}
    words = {key: clean[:9_000] for key in ("ss_output_name", "modelspec.title", "modelspec.trigger_phrase",
             "ss_base_model_version", "ss_network_module", "modelspec.author", "modelspec.license")}  # fmt: skip
    return {"tensors": tensors, "metadata": words, "seed": number}
