"""``make mutants``: plant each mistake of the catalogue in a copy of the product; the tests must notice all.

As many are tried at once as there are cores, each in a copy of its own.

``python -m tests.mutants TEXT ...`` plants those alone whose name, file or test contains one of the texts. The last
line printed is one JSON object: ``{"planted": ..., "caught": ...}``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from resources.settings import project_root
from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant

COPIED = ("feature_store", "serving", "resources", "sensors", "feature_assets", "tests")

_AT_ONCE = os.cpu_count() or 1

_FAILED = 1
"""Exit code of pytest: a test failed."""


def main() -> int:
    """Return 1 if a mistake is not noticed, or if what must notice it does not hold without one."""
    parser = argparse.ArgumentParser(prog="tests.mutants", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "texts", nargs="*", metavar="TEXT", help="of the name, the file or the test of a mistake; none: all"
    )
    texts = parser.parse_args().texts
    chosen = [each for each in MUTANTS if not texts or any(text in each.told for text in texts)]
    if not chosen:
        parser.error(f"no mistake is called {' or '.join(texts)}")
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(_AT_ONCE) as tries:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(_AT_ONCE):
            copies.put(_copied(Path(folder, str(number))))
        if not all([*tries.map(partial(_holds_unchanged, copies), _checks(chosen))]):
            return 1
        caught = [*tries.map(partial(_is_caught, copies), chosen)]
    print(json.dumps({"planted": len(caught), "caught": sum(caught)}))
    return 0 if all(caught) else 1


def _copied(copy: Path) -> Path:
    for package in COPIED:
        shutil.copytree(project_root() / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(project_root() / "pyproject.toml", copy)
    return copy


def _checks(mutants: Sequence[Mutant]) -> list[list[Mutant]]:
    """Return mutants of each check: a check that fails without any would be taken for one that catches.

    Tests are checked together, as starting them takes longer than they do.
    """
    each = {mutant.noticed_by: mutant for mutant in mutants}.values()
    tests = [mutant for mutant in each if mutant.test]
    return [tests, *([mutant] for mutant in each if not mutant.test)] if tests else [[mutant] for mutant in each]


def _holds_unchanged(copies: SimpleQueue[Path], mutants: Sequence[Mutant]) -> bool:
    names = ", ".join(mutant.noticed_by for mutant in mutants)
    with _one_of(copies) as copy:
        tests = [mutant.test for mutant in mutants if mutant.test]
        holds = _passes(copy, tests) if tests else _holds(copy, mutants[0])
    print(f"{'holds  ' if holds else 'It does not hold without any mistake:'} {names}", flush=True)
    return holds


@contextmanager
def _one_of(copies: SimpleQueue[Path]) -> Generator[Path]:
    copy = copies.get()
    try:
        yield copy
    finally:
        copies.put(copy)


def _is_caught(copies: SimpleQueue[Path], mutant: Mutant) -> bool:
    with _one_of(copies) as copy:
        file = copy / mutant.file
        text = file.read_text()
        if text.count(mutant.old) != 1:
            raise SystemExit(f"{mutant.file}: the text {mutant.old!r} of mutant {mutant.name!r} must stand there once")
        file.write_text(text.replace(mutant.old, mutant.new))
        caught = not _holds(copy, mutant)
        file.write_text(text)
    print(f"{'caught ' if caught else 'MISSED '} {mutant.name} ({mutant.noticed_by})", flush=True)
    return caught


def _holds(copy: Path, mutant: Mutant) -> bool:
    """Return whether what must notice a mistake holds in the copy.

    Raises:
        SystemExit: it could not be checked.
    """
    if mutant.test:
        return _passes(copy, [mutant.test])
    done = _run(copy, "tests.mutants.probe", mutant.path, mutant.view)
    if done.returncode:
        raise SystemExit(f"{mutant.noticed_by} cannot be checked:\n{done.stdout}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])["holds"]


def _passes(copy: Path, tests: Sequence[str]) -> bool:
    done = _run(copy, "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests)
    if done.returncode not in (0, _FAILED):
        raise SystemExit(f"{', '.join(tests)} cannot be run:\n{done.stdout}\n{done.stderr}")
    return done.returncode == 0


def _run(copy: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", "-m", module, *arguments]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
