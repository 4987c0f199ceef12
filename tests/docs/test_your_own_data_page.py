"""docs/your_own_data.md followed to the letter, from an empty folder on: its commands print what the page shows.

``UPDATE_DOCS=1`` writes what they print into the page.
"""

import os
import re
from pathlib import Path

import pytest

from resources.settings import project_root
from tests.fixtures.valkey import valkey, valkey_server
from tests.project.repository import Repository

__all__ = ["valkey", "valkey_server"]

PAGE = project_root() / "docs" / "your_own_data.md"
BLOCK = re.compile(r"(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```\n", re.DOTALL)
INSTALLING = "sh"


@pytest.mark.timeout(600)
def test_the_page_leads_from_an_empty_folder_to_served_and_trained_features(tmp_path: Path, valkey: str) -> None:
    repository = Repository(tmp_path / "my_flights", valkey, {})
    repository.environment["COLUMNS"] = "1000"  # whatever the terminal is that the tests run in

    def followed(block: re.Match[str]) -> str:
        if block["kind"] == "console":
            return f"```console\n{printed(repository, block['text'])}```\n"
        if block["kind"] == "diff":
            change(repository, block["text"])
        elif block["kind"] != INSTALLING:
            repository.write(name_of(block), block["text"])
        return block[0]

    page = PAGE.read_text()
    found = BLOCK.sub(followed, page)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(found)
    assert found == PAGE.read_text()
    kinds = [block["kind"] for block in BLOCK.finditer(page)]
    assert (kinds.count("diff"), kinds.count("console"), kinds.count(INSTALLING)) == (2, 8, 1)
    served = re.search(r"^airport_delays__delay_6h +(\S+)", page, re.MULTILINE)
    counted = re.search(r"^\d+ \d+ (\S+)$", page, re.MULTILINE)
    assert served is not None
    assert counted is not None
    assert float(served[1]) == float(counted[1])


def name_of(block: re.Match[str]) -> str:
    """A file is named by the comment before it, or by the first one in it."""
    return block["file"] or block["text"].splitlines()[0].removeprefix("# ")


def change(repository: Repository, diff: str) -> None:
    name, *lines = diff.splitlines()
    file = repository.folder / name.removeprefix("--- ")
    before, after = ("".join(f"{line[1:]}\n" for line in lines if line[0] in f" {sign}") for sign in "-+")
    assert file.read_text().count(before) == 1, diff
    file.write_text(file.read_text().replace(before, after))


def printed(repository: Repository, block: str) -> str:
    """Run the commands of a block; return it with what they print, paths from the repository's folder."""
    shown = ""
    for command in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
        done = repository.start(["bash", "-c", command])
        assert done.returncode == 0, done.stderr
        lines = (done.stdout + done.stderr).replace(f"{repository.folder}/", "").splitlines()
        shown += "".join(f"{line}\n" for line in [f"$ {command}", *lines])
    return shown
