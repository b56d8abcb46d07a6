"""Tokenizers of the real classes that know letters only. Nothing is downloaded, every vocabulary fits on a page."""

import string
from collections.abc import Sequence
from typing import Any

import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    CLIPTokenizer,
    GemmaTokenizer,
    LlamaTokenizer,
    PreTrainedTokenizerFast,
    Qwen2Tokenizer,
    T5Tokenizer,
)

LETTERS = string.ascii_letters + string.digits + ",.!?'-:"
# Enough for any of them: what a tiny text encoder takes as vocab_size.
VOCABULARY = 320
TURNS = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{{ m['content'][0]['text'] }}{% endif %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|image_pad|>", "<|vision_end|>")


def clip(length: int = 77) -> Any:
    tokens = ["<|startoftext|>", "<|endoftext|>", *string.printable[:94], *(f"{mark}</w>" for mark in LETTERS)]
    return CLIPTokenizer(vocab=_numbered(tokens), merges=[], model_max_length=length)


def t5(length: int = 64) -> Any:
    """Also for UMT5: it differs in the size of its vocabulary only."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((mark, -3.0) for mark in LETTERS)]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=length)


def qwen2(length: int = 512) -> Any:
    tokens = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *SPECIAL]
    made = Qwen2Tokenizer(vocab=_numbered(tokens), merges=[], model_max_length=length)
    made.add_special_tokens({"additional_special_tokens": list(SPECIAL[1:])})
    made.chat_template = TURNS
    return made


def with_pictures(kind: str, marks: Sequence[str] = (), **readers: str) -> Any:
    """A processor of that class: of words as Qwen2's, with more marks, and of pictures by the readers' classes."""
    words = qwen2()
    words.add_special_tokens({"additional_special_tokens": list(marks)})
    made = {name: getattr(transformers, reader)() for name, reader in readers.items()}
    return getattr(transformers, kind)(**made, tokenizer=words, chat_template=TURNS)


def llama(length: int = 256) -> Any:
    tokens = ["<unk>", "<s>", "</s>", "▁", *LETTERS]
    made = LlamaTokenizer(vocab=_numbered(tokens), merges=[], model_max_length=length)
    made.pad_token = "</s>"
    return made


def gemma(length: int = 256) -> Any:
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *LETTERS]
    return GemmaTokenizer(vocab=_numbered(tokens), merges=[], model_max_length=length)


def letters(length: int = 256, padding_side: str = "right", **special: str) -> Any:
    """For text encoders that bring no class of their own, such as GLM: one token a byte."""
    marks = {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", **special}
    tokens = [*dict.fromkeys(marks.values()), *sorted(pre_tokenizers.ByteLevel.alphabet())]
    inside: Any = Tokenizer(models.BPE(vocab=_numbered(tokens), merges=[]))
    inside.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inside.decoder = decoders.ByteLevel()
    # As GLM's own: an empty text is not nothing.
    first = marks["eos_token"]
    inside.post_processor = processors.TemplateProcessing(single=f"{first} $A", special_tokens=[(first, 0)])
    kind: Any = PreTrainedTokenizerFast
    return kind(tokenizer_object=inside, model_max_length=length, padding_side=padding_side, **marks)


def _numbered(tokens: list[str]) -> dict[str, int]:
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}
