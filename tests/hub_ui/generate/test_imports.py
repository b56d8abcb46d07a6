import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_importing_generation_loads_neither_torch_nor_diffusers() -> None:
    modules = sorted(path.stem for path in (ROOT / "hub_ui" / "generate").glob("*.py"))
    imports = "; ".join(f"import hub_ui.generate.{name}" for name in modules if name != "__init__")
    code = (
        f"import sys; {imports}; print([m for m in ('torch', 'diffusers', 'peft', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
