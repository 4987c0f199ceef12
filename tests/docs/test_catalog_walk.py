"""The walk of docs/catalog_walk.md, step by step in a repository of its own: files are written, commands are run.

A block of Python begins with the name of its file. Below a command stand parts of what it prints, in any layout, and
its exit code where it is not 0; before it stand variables of its environment.
"""

import re
import shlex
from pathlib import Path

import pytest

from resources.settings import project_root
from tests.fixtures.valkey import valkey, valkey_server
from tests.project.repository import Repository

__all__ = ["valkey", "valkey_server"]

PAGE = (project_root() / "docs" / "catalog_walk.md").read_text()
CREW = {
    "__init__.py": "",
    "team.py": "from feature_store import Team\nteam = Team('crew', slack_channel='#crew', email='crew@example.com')\n",
    "features/__init__.py": "views = ()\n",
    "services.py": "services = ()\n",
}


def squeezed(text: str) -> str:
    return " ".join(text.split())


def run(repository: Repository, command: str, told: list[str]) -> None:
    code = next((int(line.split()[-1].rstrip("]")) for line in told if line.startswith("[exit code")), 0)
    variables, _, words = command.partition("features ")
    given = dict(each.split("=") for each in variables.split())
    repository.environment.update(given)
    done = repository.features(*shlex.split(words))
    for name in given:
        del repository.environment[name]
    printed = squeezed(done.stdout + done.stderr)
    assert done.returncode == code, printed
    for line in told:
        if not line.startswith("[exit code"):
            assert squeezed(line) in printed, f"$ {command}\n{done.stdout}{done.stderr}"


@pytest.mark.timeout(600)
def test_the_walk_goes_as_the_page_says(tmp_path: Path, valkey: str) -> None:
    repository = Repository(tmp_path / "flights", valkey)
    repository.environment["COLUMNS"] = "1000"  # whatever the terminal is that the tests run in
    for name, text in CREW.items():
        repository.write(f"flights/teams/crew/{name}", text)
    steps = re.findall(r"```(python|console)\n(.*?)```", PAGE, re.DOTALL)
    assert {kind for kind, _ in steps} == {"python", "console"}
    for kind, block in steps:
        if kind == "python":
            first, _, text = block.partition("\n")
            repository.write(first.removeprefix("# "), text)
            continue
        for part in block.split("$ ")[1:]:
            command, *told = part.strip().split("\n")
            run(repository, command, told)
