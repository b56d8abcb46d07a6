"""The words of the page that not everybody knows, each with what it means. `docs/glossary.md` is printed from here."""

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import fill

from hub_ui.i18n import N_

DOCS_INTRO = """[Documentation](index.md)

# Glossary

The words of the page and of the other pages here, in alphabetical order. In the app a word with a dotted line under it
says its meaning when you point at it, tap it, or reach it by keyboard. This page is printed by
`python -m hub_ui.web.glossary.glossary` from the same table.
"""


@dataclass(frozen=True, kw_only=True)
class Term:
    """`text` is shown beside the word, in one or two sentences; `more` stands in the glossary only."""

    title: str
    text: str
    more: str = ""


# By the anchor of its heading. In the order of their titles.
TERMS: Mapping[str, Term] = {
    "algorithm": Term(
        title=N_("Algorithm"),
        text=N_(
            "How a file writes down its change: LoRA, LoCon, LoHa, LoKr, DoRA and others. All are used the same way."
        ),
        more=N_(
            "LoCon also changes the convolution layers. LoHa multiplies two pairs of matrices with each other, LoKr "
            "takes a Kronecker product and makes very small files. DoRA splits the change into a direction and a "
            "size."
        ),
    ),
    "alpha": Term(
        title=N_("Alpha"),
        text=N_(
            "The strength that a LoRA was trained with. Alpha divided by rank is what its change is multiplied by; "
            "equal numbers make a factor of 1."
        ),
    ),
    "architecture": Term(
        title=N_("Architecture"),
        text=N_(
            "How a model's network is built: its layers and their widths. A LoRA loads on its own architecture and on"
            " no other."
        ),
    ),
    "artifacts": Term(
        title=N_("Artifacts"),
        text=N_(
            "Faults in an image: harsh edges, burnt colours, limbs too many. They often mean that a weight is too high."
        ),
    ),
    "base-model": Term(
        title=N_("Base model"),
        text=N_(
            "The large model that a LoRA was trained on, such as SDXL 1.0 or FLUX.1 dev. Its relatives of the same "
            "architecture often work too."
        ),
    ),
    "block-weights": Term(
        title=N_("Block weights"),
        text=N_(
            "A weight for each group of a LoRA's layers, such as 1,0,0.5. They leave out a part of what it changes."
        ),
    ),
    "character": Term(
        title=N_("Character"),
        text=N_("A LoRA of one person or figure. It nearly always needs its trigger word."),
    ),
    "checkpoint": Term(
        title=N_("Checkpoint"),
        text=N_("A whole model in one file, several gigabytes in size. A LoRA is used on top of one."),
    ),
    "clip-weight": Term(
        title=N_("Clip weight"),
        text=N_(
            "The weight of the part of a LoRA that changes the text encoder. Without one, the LoRA's weight counts."
        ),
    ),
    "concept": Term(
        title=N_("Concept"),
        text=N_("A LoRA of a thing: an object, clothes, a pose, a place."),
    ),
    "conflict": Term(
        title=N_("Conflict"),
        text=N_(
            "Two sources that contradict each other: the hub says SDXL 1.0, and the file is FLUX.1. What the file "
            "itself says counts most."
        ),
    ),
    "control": Term(
        title=N_("Control"),
        text=N_("A LoRA that takes the structure of a new image from another image: its edges, its depth or a pose."),
    ),
    "early-access": Term(
        title=N_("Early access"),
        text=N_("A version that its author sells at first. After some days or weeks it is free."),
    ),
    "format": Term(
        title=N_("Format"),
        text=N_(
            "The names that a file gives to its layers. They differ from one training program to another, and hub-ui "
            "reads all the usual ones."
        ),
    ),
    "full-fine-tune": Term(
        title=N_("Full fine-tune"),
        text=N_(
            "A whole model that was trained further, several gigabytes in size. A LoRA is far smaller, goes on top of"
            " a model that you already have, and works together with others."
        ),
    ),
    "gated": Term(
        title=N_("Gated"),
        text=N_("The author grants access to each person, on the hub's page. After that your key opens the file."),
    ),
    "guidance": Term(
        title=N_("Guidance"),
        text=N_("How closely the image follows the prompt; also called CFG scale. Too much makes harsh, burnt images."),
    ),
    "header": Term(
        title=N_("Header"),
        text=N_(
            "The beginning of a .safetensors file, which lists its tensors. It shows what a LoRA is without a "
            "download of the rest."
        ),
    ),
    "hub": Term(
        title=N_("Hub"),
        text=N_("A site where people publish models: Hugging Face, CivitAI, Replicate."),
    ),
    "kind": Term(
        title=N_("Kind"),
        text=N_("What a LoRA is made for: a character, a style, a concept, control over structure, or a tool."),
    ),
    "licence": Term(
        title=N_("Licence"),
        text=N_(
            "What its author permits. The licence of the base model binds its LoRAs too, and its own text decides."
        ),
    ),
    "lock-file": Term(
        title=N_("Lock file"),
        text=N_(
            "The list of the library's files, `loras.lock`: each with its pinned ref, its size and its SHA-256. From "
            "it another computer gets exactly the same files."
        ),
    ),
    "lora": Term(
        title=N_("LoRA"),
        text=N_(
            "A small file that changes what a large model draws: it adds a person, a style or a thing. It fits one "
            "architecture."
        ),
        more=N_(
            "The weights of the model stay as they are; pairs of small matrices are added to them. So a LoRA has 2 to"
            " 200 MB, is exchanged without loading the model again, and several act at once."
        ),
    ),
    "negative-prompt": Term(
        title=N_("Negative prompt"),
        text=N_("What the image should not show. Some base models take none, FLUX.1 among them."),
    ),
    "pickle": Term(
        title=N_("Pickle"),
        text=N_(
            "The old format of .ckpt, .pt and .bin files, which can run code when they are loaded. hub-ui never loads"
            " one."
        ),
    ),
    "pinned-ref": Term(
        title=N_("Pinned ref"),
        text=N_(
            "The exact name of a file in one version, such as civitai:1234@5678. It means the same bytes for ever."
        ),
    ),
    "quantised": Term(
        title=N_("Quantised"),
        text=N_("Stored with fewer bits for each number, so that a model needs less memory. Images change a bit."),
    ),
    "rank": Term(
        title=N_("Rank"),
        text=N_(
            "How much a LoRA can hold, from 4 to 128; most have 8 to 32. The file grows with it: for a typical model "
            "about 3 MB at rank 4 and 150 MB at rank 64."
        ),
    ),
    "real-person": Term(
        title=N_("Real person"),
        text=N_("CivitAI marks what is made to show somebody who lives or lived."),
    ),
    "safetensors": Term(
        title=N_("Safetensors"),
        text=N_("The safe format of weight files: a header and numbers, no code."),
    ),
    "sampler": Term(
        title=N_("Sampler"),
        text=N_(
            "The method that makes an image of noise, such as Euler or DPM++ 2M. With another one, the same seed "
            "gives another image."
        ),
    ),
    "scale": Term(
        title=N_("Scale"),
        text=N_(
            "The factor that a file brings along: alpha divided by rank. At a scale of 0.5, weight 1 has half the "
            "strength."
        ),
    ),
    "scan": Term(
        title=N_("Scan"),
        text=N_("CivitAI looks through files for viruses and for code that would run when they are loaded."),
    ),
    "seed": Term(
        title=N_("Seed"),
        text=N_(
            "The number that the first noise comes from. The same seed with the same settings gives the same image."
        ),
    ),
    "steps": Term(
        title=N_("Steps"),
        text=N_(
            "How many times the model improves the image on its way out of the noise. More take longer, and above "
            "some number they change little."
        ),
    ),
    "style": Term(
        title=N_("Style"),
        text=N_("A LoRA of a way to draw, paint or photograph. Weights of 0.3 to 0.6 are often enough."),
    ),
    "tensors": Term(
        title=N_("Tensors"),
        text=N_("The blocks of numbers that a weight file consists of."),
    ),
    "text-encoder": Term(
        title=N_("Text encoder"),
        text=N_("The part of a model that reads the prompt. Some LoRAs change it too, most only the part that draws."),
    ),
    "tool": Term(
        title=N_("Tool"),
        text=N_("A LoRA that changes how images are made: in fewer steps, along a slider, with a fault mended."),
    ),
    "training-tags": Term(
        title=N_("Training tags"),
        text=N_("The words that describe the images a LoRA was trained on. They often work well in a prompt."),
    ),
    "trigger-word": Term(
        title=N_("Trigger word"),
        text=N_(
            "A word that a LoRA was trained to react to, such as “sks person”. Without it in the prompt, a LoRA may "
            "do little or nothing."
        ),
    ),
    "version": Term(
        title=N_("Version"),
        text=N_("One published state of a LoRA: a version on CivitAI and Replicate, a commit on Hugging Face."),
    ),
    "weight": Term(
        title=N_("Weight"),
        text=N_(
            "How strongly a LoRA acts: 0 is the base model alone, 1 the full effect. Above 1 artifacts are likely; "
            "for styles 0.3 to 0.6 is often best."
        ),
    ),
}


def docs_page() -> str:
    """`docs/glossary.md`."""
    texts = ((term.title, " ".join(filter(None, (term.text, term.more)))) for term in TERMS.values())
    return DOCS_INTRO + "".join(f"\n## {title}\n\n{fill(text, 120, break_on_hyphens=False)}\n" for title, text in texts)


if __name__ == "__main__":
    print(docs_page(), end="")
