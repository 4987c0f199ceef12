"""``python -m tests.spec.mutants``: plant errors in a copy of the product, one by one, and see that each is caught.

Prints a line per error, and last ``{"planted": N, "caught": N}``; fails when one survives. Nothing outside the copy is
touched. Words among the arguments choose the errors whose names contain one of them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from tests.spec.mutations import MUTATIONS, Mutation

ROOT: Final = Path(__file__).parent.parent.parent
COPIED: Final = ("feature_store", "serving", "feature_assets", "resources", "sensors", "tests")
PASSED, FAILED = 0, 1


def main(words: Sequence[str]) -> int:
    """Plant the errors; return 1 if one survives."""
    chosen = [mutation for mutation in MUTATIONS if not words or any(word in mutation.name for word in words)]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder)
        _copy(copy)
        for mutation in chosen:
            _place(copy, mutation)
        tests = {test for mutation in chosen for test in mutation.tests}
        if _run(copy, sorted(tests)) != PASSED:
            sys.exit("the specification's tests fail before anything is planted: run them, and mend that first")
        caught = sum(_is_caught(copy, mutation) for mutation in chosen)
    print(json.dumps({"planted": len(chosen), "caught": caught}))
    return 0 if caught == len(chosen) else 1


def _copy(copy: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "node_modules")
    for name in COPIED:
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", copy)


def _place(copy: Path, mutation: Mutation) -> tuple[Path, str]:
    """Return the file of an error and its text, in which the old text stands exactly once."""
    path = copy / mutation.file
    text = path.read_text()
    if text.count(mutation.old) != 1:
        sys.exit(
            f"{mutation.name}: {mutation.old!r} stands {text.count(mutation.old)} times in {mutation.file}, not once: "
            "follow the change in tests/spec/mutations.py"
        )
    return path, text


def _is_caught(copy: Path, mutation: Mutation) -> bool:
    path, text = _place(copy, mutation)
    path.write_text(text.replace(mutation.old, mutation.new))
    started = time.perf_counter()
    # The first test alone, and the others only if it passes: most errors are caught by the first.
    code = next((code for test in mutation.tests if (code := _run(copy, [test])) != PASSED), PASSED)
    path.write_text(text)
    if code not in (PASSED, FAILED):
        sys.exit(f"{mutation.name}: pytest could not run {', '.join(mutation.tests)} (exit code {code})")
    verdict = "caught" if code == FAILED else "SURVIVES"
    print(f"{verdict}: {mutation.name} ({mutation.file}, {time.perf_counter() - started:.0f} s)", flush=True)
    return code == FAILED


def _run(copy: Path, tests: Iterable[str]) -> int:
    nodes = [f"tests/spec/{test}" for test in tests]
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "--tb=no"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "HYPOTHESIS_PROFILE": "fast"}
    command = [sys.executable, "-m", "pytest", *options, *nodes]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
