"""Ways in which people write what LoRA they mean, each with what is opened: copied from pages, prompts and messages."""

from pathlib import Path

from tests.corpus import rows_of

COMMIT, HASH = "a1" * 20, "b2" * 32
# A file of civitai:4128@41280 by all its hashes; it is called ink_lines.safetensors.
SHA256, BLAKE3, AUTOV3 = "c3" * 32, "d4" * 32, "e5f6a7b8c9d0"
AUTOV2 = SHA256[:10]

# As they are: nobody has to be asked. First refs and AIRs, then addresses of each hub, mirrors, and amid a text.
WRITTEN = tuple((row["written"], row["opened"]) for row in rows_of(Path(__file__).with_suffix(".tsv")))

# By what was seen before, or by a hub that is asked.
LOOKED_UP: tuple[tuple[str, str], ...] = (
    (SHA256, "civitai:4128@41280#9001"),
    (SHA256.upper(), "civitai:4128@41280#9001"),
    (AUTOV2, "civitai:4128@41280#9001"),
    (AUTOV3.upper(), "civitai:4128@41280#9001"),
    (BLAKE3, "civitai:4128@41280#9001"),
    (f"sha256:{SHA256}", "civitai:4128@41280#9001"),
    (f"Ink lines: {AUTOV2}", "civitai:4128@41280#9001"),
    ("<lora:ink_lines:0.8>", "civitai:4128@41280#9001"),
    ("<lora:ink_lines:1:0.6>", "civitai:4128@41280#9001"),
    ("ink_lines.safetensors", "civitai:4128@41280#9001"),
    (f"https://civitai.com/api/v1/model-versions/by-hash/{SHA256}", "civitai:4128@41280#9001"),
    (f"https://civarchive.com/sha256/{SHA256}", "civitai:4128@41280#9001"),
)

# Addresses of what is not a LoRA, each with what the refusal calls it.
OTHER_PAGES: tuple[tuple[str, str], ...] = (
    ("https://civitai.com/images/4128", "an image on CivitAI"),
    ("https://civitai.com/de/posts/4128", "a post on CivitAI"),
    ("https://civitai.com/articles/4128/how-to", "an article on CivitAI"),
    ("https://civitai.com/user/somebody/models", "a person's page on CivitAI"),
    ("https://huggingface.co/spaces/a/b", "a Space on Hugging Face"),
    ("https://huggingface.co/datasets/a/b/tree/main", "a data set on Hugging Face"),
    ("https://hf.co/a", "a person or an organisation on Hugging Face"),
    ("https://replicate.com/p/abcdef", "a prediction on Replicate"),
    ("https://replicate.com/collections/flux-fine-tunes", "a collection on Replicate"),
)

# Addresses of hubs without the name of a LoRA in them.
NAMELESS: tuple[str, ...] = (
    "https://civitai.com/search/models?query=ink",
    f"https://cas-bridge.xethub.hf.co/xet-bridge-us/{HASH}?X-Amz-Signature=1",
)
