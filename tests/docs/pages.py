"""README.md and the pages of docs/, and the blocks of code in them.

The words after a fence's language say how a block of shell lines is run:

- nothing: in bash, and it must end with 0
- `exit=N`: it must end with N
- `serves`: it runs until the page ends
- `example: REASON`: it is not run
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
PAGES = {str(path.relative_to(ROOT)): path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
_EXAMPLE = "example: "


@dataclass(frozen=True, kw_only=True)
class Block:
    page: str
    line: int
    language: str
    how: str
    code: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def reason(self) -> str | None:
        """Why it is not run, of one that is not."""
        if self.language == "powershell":
            return "it is for PowerShell, and the line above it for bash does the same"
        return self.how.removeprefix(_EXAMPLE) if self.how.startswith(_EXAMPLE) else None

    @property
    def exit_code(self) -> int:
        return int(self.how.removeprefix("exit=")) if self.how.startswith("exit=") else 0


def blocks(page: str) -> Iterator[Block]:
    for token in MarkdownIt().parse(PAGES[page].read_text(encoding="utf-8")):
        if token.type == "fence":
            language, _, how = token.info.strip().partition(" ")
            line = token.map[0] + 1 if token.map else 0
            yield Block(page=page, line=line, language=language, how=how, code=token.content)


def shell_blocks(page: str) -> list[Block]:
    return [block for block in blocks(page) if block.language in ("sh", "powershell")]
