"""One broken team is one broken team: named in one line, while everything of the others works."""

import json
from pathlib import Path

import pytest

from tests.project.repository import Repository

TEAM = "from feature_store import Team\n\nteam = Team('sea', slack_channel='#sea', email='sea@example.com')\n"
VIEW = '''
from feature_store import col, count, feature_view, sum_
from flights.sources import airport, departures


@feature_view(
    entity=airport, source=departures, namespace="flights", version=1, owner="sea", cadence="1d", freshness="27h"
)
class SeaDelays:
    """Delays at sea."""

    ships = {feature}
'''
VIEWS = "from flights.teams.sea.features.delays import SeaDelays\n\nviews = (SeaDelays,)\n"

BROKEN = [
    (
        "features/delays.py",
        VIEW.format(feature="sum_(over='7d')"),
        "flights/teams/sea/features/delays.py, line 12: SeaDelays.ships: sum is not given value=",
    ),
    (
        "features/delays.py",
        VIEW.format(feature="count(over='7 weeks', description='Ships')"),
        "flights/teams/sea/features/delays.py, line ",
    ),
    ("features/delays.py", "views = (1 / 0,)\n", "line 1: ZeroDivisionError: division by zero. Instead: mend"),
    ("features/delays.py", "def broken(:\n", "flights/teams/sea/features/delays.py, line 1: SyntaxError: "),
    ("features/delays.py", "import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
    ("features/delays.py", "raise SystemExit(3)\n", "SystemExit: 3"),
    ("features/__init__.py", "", "features/__init__.py: defines no 'views'. Instead: write views = (...)"),
    ("services.py", "", "flights/teams/sea/services.py: defines no 'services'. Instead: write services = (...)"),
    ("services.py", "services = (3,)\n", "flights/teams/sea/services.py: AttributeError: "),
    ("team.py", "team = Team('sea')\n", "flights/teams/sea/team.py, line 1: NameError: name 'Team' is not defined"),
    (
        "team.py",
        TEAM.replace("'sea',", "'lake',"),
        "its folder and its team are called differently, 'sea' and 'lake'. Instead: give both one name",
    ),
    ("team.py", None, "team sea: has no file flights/teams/sea/team.py. Instead: write one that says team = Team("),
]


@pytest.fixture
def broken(repository: Repository) -> Repository:
    """The repository with a second team, whose files are fine as yet."""
    for name, text in {
        "__init__.py": "",
        "team.py": TEAM,
        "features/__init__.py": VIEWS,
        "features/delays.py": VIEW.format(feature="count(over='7d', description='Ships')"),
        "services.py": "services = ()\n",
    }.items():
        repository.write(f"flights/teams/sea/{name}", text)
    return repository


@pytest.mark.parametrize(("file", "text", "problem"), BROKEN)
def test_a_team_file_that_raises_anything_is_one_line_and_the_others_go_on(
    broken: Repository, file: str, text: str | None, problem: str
) -> None:
    if text is None:
        (broken.folder / "flights/teams/sea" / file).unlink()
    else:
        broken.write(f"flights/teams/sea/{file}", text)
    done = broken.features("list", "--kind", "view", "--json")
    assert done.returncode == 0
    assert "flights/airport_delays/v1" in [record["name"] for record in json.loads(done.stdout)]
    assert done.stderr.startswith("features: team sea is broken, its ")
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_team_is_sound_before(broken: Repository) -> None:
    done = broken.features("list", "--kind", "view", "--json")
    assert (len(json.loads(done.stdout)), done.stderr) == (2, "")


def test_a_view_of_a_taken_name_costs_its_team_alone(broken: Repository) -> None:
    text = VIEW.format(feature="count(over='7d', description='Ships')").replace("SeaDelays", "AirportDelays")
    broken.write("flights/teams/sea/features/delays.py", text)
    broken.write("flights/teams/sea/features/__init__.py", VIEWS.replace("SeaDelays", "AirportDelays"))
    done = broken.features("list", "--kind", "view", "--team", "air")
    assert "flights/airport_delays/v1" in done.stdout
    assert "team sea is broken, its views left out" in done.stderr
    assert "flights/airport_delays/v1: is declared twice" in done.stderr


def test_apply_keeps_the_plans_of_a_broken_team_and_says_so(broken: Repository) -> None:
    service = (
        "from feature_store import FeatureService\nfrom flights.teams.sea.features import SeaDelays\n"
        "services = (FeatureService('ships', version=1, owner='sea', description='x', features=[SeaDelays.all()]),)\n"
    )
    broken.write("flights/teams/sea/services.py", service)
    assert broken.features("apply").returncode == 0
    broken.write("flights/teams/sea/features/delays.py", "raise TypeError('half-written')\n")
    done = broken.features("apply", "--json")
    assert done.returncode == 1
    applied = json.loads(done.stdout)
    assert (applied["revision"], applied["changes"], applied["undeclared"]) == (2, [], [])
    assert sorted(path.name for path in Path(applied["plans"]).iterdir()) == ["late.v1.json", "ships.v1.json"]


def test_what_is_served_is_read_by_its_plan_while_its_team_is_broken(broken: Repository) -> None:
    assert broken.features("apply").returncode == 0
    broken.write("flights/teams/air/features/delays.py", "raise TypeError('half-written')\n")
    done = broken.features("get", "late", "--key", "airport=JFK", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(json.loads(done.stdout)["features"]) == {
        "airport_delays__departures_1d",
        "airport_delays__delay_2d",
    }


def test_the_sensor_watches_the_other_teams(broken: Repository) -> None:
    broken.write("flights/teams/sea/features/delays.py", "raise TypeError('half-written')\n")
    code = "from sensors.definitions import _declared; print(list(_declared.views), len(_declared.broken))"
    done = broken.run("-c", code)
    assert done.stdout.strip() == "['flights/airport_delays/v1'] 1", done.stderr
