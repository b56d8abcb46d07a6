"""What ComfyUI, SwarmUI and InvokeAI write into their images, read as the infotext that A1111 would have written.

ComfyUI writes its whole graph, twice: as it ran ("prompt", nodes by number with their inputs), and as it looks on its
page ("workflow", nodes with the values of their widgets in order). Only what leads to the sampler counts.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from connectors.http.json_fields import Table, table, tables
from hub_ui.images.infotext import OTHER_PROGRAMS, Infotext, load_json, name_of, tag, weight_of

Node: TypeAlias = dict[str, Any]
Graph: TypeAlias = dict[str, Node]
_LONGEST = 4_000_000
_MOST_NODES = 2_000
_MOST_LORAS = 50
_MOST_SAMPLERS = 50
# The inputs of a sampler's helpers, whose numbers are the sampler's own.
_HELPERS = ("noise", "guider", "sampler", "sigmas")
# Texts, in the nodes of one or two text encoders and in those that hand a text on.
_TEXTS = ("text", "text_g", "t5xxl", "prompt", "string", "value", "populated_text", "text_l", "clip_l")
# A link of these leads to no text of the prompt.
_NO_TEXT = ("clip", "model", "vae", "control_net", "image", "pixels", "latent", "style_model", "clip_vision_output")
_MODELS = ("ckpt_name", "unet_name")
# What another node may hand in, and what that may call it.
_HANDED_IN = ("seed", "noise_seed", "steps", "cfg", "sampler_name", "scheduler", "guidance", "width", "height")
_HANDED_AS = ("value", "seed", "int", "float", "number")
# What loaders call a LoRA's file, its weights, and whether it is on. Those of several number them: "lora_name_1".
_LORA_NAME = re.compile(r"lora_name(_\d+)?")
_WEIGHTS = ("strength_model", "strength", "lora_strength", "model_weight", "model_str", "lora_wt")
_CLIP_WEIGHTS = ("strength_clip", "clip_weight", "clip_str", "strengthTwo", "clipStrength")
_SWITCHES = ("on", "active", "switch")


def read_graph(texts: Mapping[str, str]) -> Infotext | None:
    """Read the settings in the JSON of another program. Return None if no text can be read."""
    for key, read in _PROGRAMS:
        data = _load(texts.get(key, ""))
        found = read(data) if data is not None else None
        if found is not None:
            return found
    return None


def _load(text: str) -> Table | None:
    """Parse a JSON object. Return None for any other text, and for a text over _LONGEST."""
    if not text.lstrip().startswith("{") or len(text) > _LONGEST:
        return None
    return table(load_json(text)) or None


def _read_comfyui(data: Table) -> Infotext | None:
    nodes = {
        str(number): {"class": str(node.get("class_type", "")), "inputs": node["inputs"]}
        for number, node in list(data.items())[:_MOST_NODES]
        if isinstance(node, dict) and isinstance(node.get("inputs"), dict)
    }
    return _infotext_of(nodes)


def _read_workflow(data: Table) -> Infotext | None:
    """Read a workflow of ComfyUI's editor, without the nodes that are bypassed (4) or muted (2)."""
    listed = (link for link in _list(data.get("links")) if isinstance(link, list) and len(link) > 4)
    links = {link[0]: link[1] for link in listed if isinstance(link[0], int)}
    nodes: Graph = {}
    for node in tables(data.get("nodes"))[:_MOST_NODES]:
        name, is_off = str(node.get("type", "")), node.get("mode") in (2, 4)
        inputs = {
            str(each.get("name")): [str(links[each["link"]]), 0]
            for each in tables(node.get("inputs"))
            if isinstance(each.get("link"), int) and each["link"] in links
        }
        if not is_off:
            inputs |= dict(
                zip(OTHER_PROGRAMS["widgets"].get(name, ()), _list(node.get("widgets_values")), strict=False)
            )
        nodes[str(node.get("id"))] = {"class": name, "inputs": inputs}
    return _infotext_of(nodes)


def _infotext_of(nodes: Graph) -> Infotext | None:
    nodes = {number: {**node, "inputs": _with_values(nodes, node["inputs"])} for number, node in nodes.items()}
    samplers = [node for node in nodes.values() if _is_sampler(node)][:_MOST_SAMPLERS]
    # A second pass starts from the image of the first.
    first = [node for node in samplers if not any(_is_sampler(each) for each in _leading_to(nodes, node["inputs"]))]
    if not first:
        return None
    inputs = dict(first[0]["inputs"])
    for helper in _HELPERS:
        for node in _nodes_at(nodes, inputs.get(helper)):
            inputs = {**node["inputs"], **inputs}
    leading = [first[0], *_leading_to(nodes, inputs)]
    tags = [tag(*lora) for lora in _find_loras(leading)][:_MOST_LORAS]
    positive = _find_text(nodes, inputs.get("positive", inputs.get("conditioning")))
    size: dict[str, Any] = next((node["inputs"] for node in leading if _has_numbers(node, "width", "height")), {})
    guidance = next(
        (node["inputs"]["guidance"] for node in leading if _has_numbers(node, "guidance")), inputs.get("cfg")
    )
    model = next((node["inputs"][key] for node in leading for key in _MODELS if node["inputs"].get(key)), None)
    fields = {
        "Steps": inputs.get("steps"),
        "Sampler": inputs.get("sampler_name"),
        "Schedule type": inputs.get("scheduler"),
        "CFG scale": guidance,
        "Seed": inputs.get("seed", inputs.get("noise_seed")),
        "Size": f"{size['width']}x{size['height']}" if size else None,
        "Model": str(model).rpartition("/")[2].rpartition("\\")[2] if model else None,
        "Denoising strength": inputs.get("denoise") if inputs.get("denoise") not in (1, 1.0) else None,
        "ControlNet": next((node["class"] for node in leading if "ControlNet" in node["class"]), None),
        "Hires upscale": "by a second pass" if len(samplers) > len(first) else None,
        "Version": "ComfyUI",
    }
    return _infotext(positive, _find_text(nodes, inputs.get("negative")), tags, fields)


def _with_values(nodes: Graph, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """With the numbers and names that other nodes hand in."""
    handed = {name: node["inputs"] for name in _HANDED_IN for node in _nodes_at(nodes, inputs.get(name))}
    return {**inputs, **{name: _first(given, (name, *_HANDED_AS)) for name, given in handed.items()}}


def _first(inputs: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((inputs[name] for name in names if name in inputs), None)


def _is_sampler(node: Node) -> bool:
    inputs = node["inputs"]
    return ("positive" in inputs and ("seed" in inputs or "noise_seed" in inputs)) or (
        "guider" in inputs and "sampler" in inputs
    )


def _nodes_at(nodes: Graph, value: object) -> list[Node]:
    """Return the node that an input's value links to, or nothing."""
    is_link = isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int)
    node = nodes.get(str(value[0])) if is_link and isinstance(value, list) else None
    return [node] if node is not None else []


def _leading_to(nodes: Graph, inputs: Mapping[str, Any], *, without: tuple[str, ...] = ()) -> Iterator[Node]:
    """Yield all nodes that lead to these inputs, nearest first, without repetition."""
    seen: set[int] = set()
    waiting = deque([inputs])
    while waiting:
        for name, value in waiting.popleft().items():
            for node in _nodes_at(nodes, value) if name not in without else ():
                if id(node) not in seen:
                    seen.add(id(node))
                    waiting.append(node["inputs"])
                    yield node


def _find_text(nodes: Graph, value: object) -> str:
    """Return the text nearest to an input of the sampler."""
    for node in _leading_to(nodes, {"": value}, without=_NO_TEXT):
        for name in _TEXTS:
            text = node["inputs"].get(name)
            if isinstance(text, str) and text.strip():
                return text
    return ""


def _find_loras(nodes: list[Node]) -> Iterator[tuple[str, float, float]]:
    """Yield the name, the weight and the text encoder's weight of each LoRA in the order of application.

    `nodes` begin at the sampler, next to which is the LoRA that was applied last.
    """
    for row in (row for node in reversed(nodes) for row in _loras_of(node["inputs"])):
        # The loader of pysssss stores a table with a picture and the name.
        said, given = _first(row, ("lora_name", "lora", "name")), _first(row, _WEIGHTS)
        file, weight = table(said).get("content", said), _number(given)
        is_lora = isinstance(file, str) and file != "None" and ("lora_name" in row or given is not None)
        if is_lora and _first(row, _SWITCHES) not in (False, "Off"):
            yield _lora_name(file), weight, _number(_first(row, _CLIP_WEIGHTS), weight)


def _loras_of(inputs: Node) -> Iterator[Table]:
    """Yield the inputs for each LoRA of a node: numbered inputs, or a list as in the loaders of rgthree and others."""
    for name, value in inputs.items():
        if numbered := _LORA_NAME.fullmatch(name):
            end = numbered[1] or ""
            yield {key.removesuffix(end): each for key, each in inputs.items() if key.endswith(end)}
        yield from tables(table(value).get("__value__", [value]))


def _lora_name(file: str) -> str:
    return name_of(file.replace("\\", "/").rpartition("/")[2].removesuffix(".safetensors"))[:300]


def _read_swarmui(data: Table) -> Infotext | None:
    said = data.get("sui_image_params")
    if not isinstance(said, dict):
        return None
    weights = _list(said.get("loraweights"))
    loras = [(name, weights[i] if i < len(weights) else None) for i, name in enumerate(_list(said.get("loras")))]
    # SwarmUI hashes the tensors alone, like A1111.
    hashes = [
        f"{_lora_name(str(each.get('name')))}: {str(each.get('hash')).removeprefix('0x')[:12]}"
        for each in tables(data.get("sui_models"))
        if each.get("param") == "loras" and each.get("hash")
    ]
    return _infotext_by_names("SwarmUI", {**said, "hashes": ", ".join(hashes[:_MOST_LORAS])}, loras)


def _read_invokeai(data: Table) -> Infotext | None:
    if "positive_prompt" not in data:
        return None
    listed = [(table(each.get("model") or each.get("lora")), each.get("weight")) for each in tables(data.get("loras"))]
    loras = [(model.get("name") or "lora", weight) for model, weight in listed]
    return _infotext_by_names("InvokeAI", {**data, "model": table(data.get("model")).get("name")}, loras)


def _infotext_by_names(program: str, said: Table, loras: Sequence[tuple[object, object]]) -> Infotext:
    """`said` names settings as the program does, `loras` are names and weights."""
    fields = {name: said.get(key) for name, key in OTHER_PROGRAMS["names"][program].items()}
    size = f"{said.get('width')}x{said.get('height')}" if said.get("width") else None
    weights = [(_lora_name(str(name)), _number(weight)) for name, weight in loras[:_MOST_LORAS]]
    tags = [tag(name, weight, weight) for name, weight in weights]
    prompt, negative = fields.pop("Prompt"), fields.pop("Negative prompt")
    return _infotext(prompt, negative, tags, {**fields, "Size": size, "Version": program})


_PROGRAMS: tuple[tuple[str, Callable[[Table], Infotext | None]], ...] = (
    ("prompt", _read_comfyui),
    ("workflow", _read_workflow),
    ("parameters", _read_swarmui),
    ("invokeai_metadata", _read_invokeai),
)


def _infotext(prompt: object, negative: object, tags: list[str], fields: Mapping[str, Any]) -> Infotext:
    # A link in place of a number says nothing.
    plain = {name: str(value) for name, value in fields.items() if isinstance(value, str | int | float) and value != ""}
    return Infotext(
        prompt=" ".join([_text(prompt), *tags]).strip(),
        negative=_text(negative),
        fields={name: value[:2_000] for name, value in plain.items()},
    )


def _has_numbers(node: Node, *names: str) -> bool:
    return all(isinstance(node["inputs"].get(name), int | float) for name in names)


def _text(value: object) -> str:
    return value[:100_000].strip() if isinstance(value, str) else ""


def _number(value: object, otherwise: float = 1.0) -> float:
    found = weight_of(value)
    return otherwise if found is None else found


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
