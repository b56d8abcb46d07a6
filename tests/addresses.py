"""Ways in which people write what LoRA they mean, each with what is opened: copied from pages, prompts and messages."""

COMMIT, HASH = "a1" * 20, "b2" * 32
# A file of civitai:4128@41280 by all its hashes; it is called ink_lines.safetensors.
SHA256, BLAKE3, AUTOV3 = "c3" * 32, "d4" * 32, "e5f6a7b8c9d0"
AUTOV2 = SHA256[:10]

# As they are: nobody has to be asked.
WRITTEN: tuple[tuple[str, str], ...] = (
    # Refs, and the refs of the hubs' own tools.
    ("civitai:4128", "civitai:4128"),
    ("CivitAI:4128@41280", "civitai:4128@41280"),
    ("civitai: 4128 @ 41280", "civitai:4128@41280"),
    ("hf:a/b", "huggingface:a/b"),
    ("a/b", "huggingface:a/b"),
    ("a/b@refs/pr/3", "huggingface:a/b@refs/pr/3"),
    ("huggingface:a/b@feature/x#sub/f.safetensors", "huggingface:a/b@feature/x#sub/f.safetensors"),
    ("hf://a/b", "huggingface:a/b"),
    ("hf://models/a/b@main", "huggingface:a/b@main"),
    ("hf://Owner/Name@refs%2Fpr%2F3/sub/f.safetensors", "huggingface:Owner/Name@refs/pr/3#sub/f.safetensors"),
    ("git@hf.co:a/b.git", "huggingface:a/b"),
    (f"a/b:{HASH}", f"replicate:a/b@{HASH}"),
    (f"replicate:a/b:{HASH}", f"replicate:a/b@{HASH}"),
    (f"r8.im/a/b@sha256:{HASH}", f"replicate:a/b@{HASH}"),
    # AIRs.
    ("urn:air:sdxl:lora:civitai:4128@41280", "civitai:4128@41280"),
    ("air:flux1:lora:civitai:4128@41280+9001.safetensors", "civitai:4128@41280#9001"),
    ("urn:air:flux1:lora:huggingface:a/b@main", "huggingface:a/b@main"),
    ("urn:air:flux1:lora:huggingface:a/b@refs/pr/3", "huggingface:a/b@refs/pr/3"),
    ("urn:air:flux1:lora:hf:a/b@v1.0", "huggingface:a/b@v1.0"),
    # CivitAI's pages, downloads and answers.
    ("https://civitai.com/models/4128", "civitai:4128"),
    ("https://civitai.com/models/4128/some-slug?modelVersionId=41280", "civitai:4128@41280"),
    ("https://civitai.com/models/4128?foo=1&amp;modelVersionId=41280#gallery", "civitai:4128@41280"),
    ("civitai.com/models/4128", "civitai:4128"),
    ("//civitai.com/models/4128", "civitai:4128"),
    ("https://civitai.red/models/4128/x", "civitai:4128"),
    ("https://www.civitai.green/models/4128", "civitai:4128"),
    ("https://civitai.com/model-versions/41280/", "civitai:@41280"),
    (
        "https://civitai.com/api/download/models/41280?type=Model&format=SafeTensor&size=full&fp=fp16",
        "civitai:@41280",
    ),
    ("https://civitai.red/api/download/models/41280?fileId=9&token=x", "civitai:@41280#9"),
    ("https://civitai.com/api/v1/models/4128", "civitai:4128"),
    ("https://civitai.com/api/v1/model-versions/41280", "civitai:@41280"),
    # Hugging Face's.
    ("https://huggingface.co/a/b?library=diffusers", "huggingface:a/b"),
    ("https://hf.co/a/b.git", "huggingface:a/b"),
    ("https://huggingface.co/a/b/tree/refs%2Fpr%2F3", "huggingface:a/b@refs/pr/3"),
    ("https://huggingface.co/a/b/blob/main/sub/x%20y.safetensors", "huggingface:a/b@main#sub/x y.safetensors"),
    ("https://huggingface.co/a/b/resolve/main/f.safetensors?download=true", "huggingface:a/b@main#f.safetensors"),
    ("https://huggingface.co/a/b/edit/main/README.md", "huggingface:a/b@main#README.md"),
    ("https://huggingface.co/a/b/discussions/3#65f0", "huggingface:a/b"),
    ("https://huggingface.co/api/models/a/b/revision/feature%2Fx", "huggingface:a/b@feature/x"),
    (
        "https://huggingface.co/api/resolve-cache/models/a/b/" + COMMIT + "/f.safetensors",
        f"huggingface:a/b@{COMMIT}#f.safetensors",
    ),
    # Replicate's.
    ("https://replicate.com/a/b", "replicate:a/b"),
    ("https://replicate.com/a/b/examples?input=http", "replicate:a/b"),
    (f"https://replicate.com/a/b/versions/{HASH}/api", f"replicate:a/b@{HASH}"),
    (f"https://api.replicate.com/v1/models/a/b/versions/{HASH}", f"replicate:a/b@{HASH}"),
    # Mirrors and archives.
    ("https://hf-mirror.com/a/b/resolve/main/f.safetensors", "huggingface:a/b@main#f.safetensors"),
    ("https://civarchive.com/models/4128?modelVersionId=41280", "civitai:4128@41280"),
    ("https://web.archive.org/web/20240101000000/https://civitai.com/models/4128", "civitai:4128"),
    ("https://archive.ph/2024.01.01-000000/https://huggingface.co/a/b", "huggingface:a/b"),
    # In the middle of a text.
    ("<https://civitai.com/models/4128>", "civitai:4128"),
    ("<https://civitai.com/models/4128|Ink lines>", "civitai:4128"),
    ("[Ink (lines)](https://civitai.com/models/4128?modelVersionId=41280)", "civitai:4128@41280"),
    ("**[Ink](https://civitai.com/models/4128 'Ink lines')**,", "civitai:4128"),
    ("“https://huggingface.co/a/b”", "huggingface:a/b"),
    ("'civitai:4128@41280'", "civitai:4128@41280"),
    ("(see https://civitai.com/models/4128)", "civitai:4128"),
    ("https://civitai.com/models/4128.", "civitai:4128"),
    ("\u200bhttps://replicate.com/a/b\ufeff", "replicate:a/b"),
)

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
)

# Addresses of hubs without the name of a LoRA in them.
NAMELESS: tuple[str, ...] = (
    "https://civitai.com/images/4128",
    f"https://cas-bridge.xethub.hf.co/xet-bridge-us/{HASH}?X-Amz-Signature=1",
)
