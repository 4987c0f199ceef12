"""``features backfill`` and ``features land`` in another repository: what is missing is made, and nothing else."""

import json
from typing import Any

import pytest

from tests.project.repository import Repository

DAYS = ("--from", "2013-03-03", "--to", "2013-03-06")


def before_rows(repository: Repository, line: str) -> None:
    """Let the asset of the source run a line before it makes its rows."""
    file = repository.folder / "flights/teams/air/definitions.py"
    file.write_text(file.read_text().replace("    rows = [\n", f"    {line}\n    rows = [\n"))


def printed(repository: Repository, *arguments: str) -> dict[str, Any]:
    done = repository.features(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_backfill_makes_all_that_its_values_need_and_is_done_once(repository: Repository) -> None:
    before_rows(repository, "open('asked', 'a').write(f'{start:%Y-%m-%d} {(end - start).days}\\n')")
    assert printed(repository, "land", "flights/departures", "--from", "2013-03-03", "--to", "2013-03-04") == {
        "asset": "flights/departures",
        "landed": 1,
        "warnings": [],
        "failed": [],
    }
    wanted = {"view": "flights/airport_delays/v1", "warnings": [], "failed": []}
    # A window of two days reaches one day back; the 3rd has landed, and is left alone.
    first = printed(repository, "backfill", "airport_delays", *DAYS)
    assert first == {**wanted, "landed": 3, "tiles": 4, "values": 3, "loaded": 1}
    again = printed(repository, "backfill", "airport_delays", *DAYS)
    assert again == {**wanted, "landed": 0, "tiles": 0, "values": 0, "loaded": 0}
    assert (repository.folder / "asked").read_text() == "2013-03-03 1\n2013-03-02 1\n2013-03-04 2\n"


def test_a_source_that_fails_is_named_with_its_line_and_its_view_is_not_computed(repository: Repository) -> None:
    file = repository.folder / "flights/teams/air/definitions.py"
    file.write_text(
        file.read_text().replace("    rows = [\n", "    raise ValueError('the airport is closed')\n    rows = [\n")
    )
    problem = "flights/departures: ValueError: the airport is closed (flights/teams/air/definitions.py, line 17)"
    done = repository.features("backfill", "airport_delays", *DAYS, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "view": "flights/airport_delays/v1",
        "landed": 0,
        "tiles": 0,
        "values": 0,
        "loaded": 0,
        "warnings": [],
        "failed": [problem],
    }
    assert done.stderr == f"features: {problem}\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "the project has no code location: write "),
        ("load_from: []\n", "makes flights/airport_delays/v1/_table: list there the module that defines it."),
        ("load_from: 3\n", "workspace.yaml lists no code locations: write load_from: [{python_module: "),
        ("load_from: [{python_module: flights.no_such}]\n", "is broken: flights.no_such"),
    ],
)
def test_a_view_that_no_code_location_makes_is_refused(repository: Repository, text: str | None, problem: str) -> None:
    file = repository.folder / "workspace.yaml"
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    done = repository.features("backfill", "airport_delays", *DAYS)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("features: ")
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1
