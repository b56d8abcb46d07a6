"""Runs every bench_*.py beside this file, each in a Python of its own. Names given choose: `... start federation`."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(chosen: list[str]) -> int:
    names = [path.stem for path in sorted(HERE.glob("bench_*.py"))]
    wanted = [name for name in names if not chosen or name.removeprefix("bench_") in chosen]
    codes = [
        subprocess.run([sys.executable, "-m", f"tests.tools.benchmarks.{name}"], check=False).returncode
        for name in wanted
    ]
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
