import re
import subprocess
import tomllib
from collections.abc import Iterable

import pytest
import yaml

from resources.settings import project_root

OURS = ("requirements.txt", "requirements-dev.txt", "requirements-serving.txt", "requirements-engines.txt")
REQUIREMENTS = (*OURS, "requirements-flink.txt")


def pins_of(name: str) -> dict[str, str]:
    lines = (project_root() / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def extras_of(names: Iterable[str]) -> set[str]:
    """Return the packages of some extras, those that they include too."""
    extras = tomllib.loads((project_root() / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    found: set[str] = set()
    for requirement in (each for name in names for each in extras[name]):
        package, _, inner = re.split(r"[<>=]", requirement)[0].rstrip("]").partition("[")
        found |= extras_of(inner.split(",")) if package == "feature-store" else {package}
    return found


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_requirements_are_exact_pins_and_nothing_else(name: str) -> None:
    lines = (project_root() / name).read_text().splitlines()
    bad = [line for line in lines if not re.fullmatch(r"#.*|[a-z0-9-]+==[0-9][0-9a-z.]*", line)]
    assert bad == []


def test_all_files_pin_the_same_versions() -> None:
    everything = pins_of("requirements-engines.txt")
    for name in OURS:
        assert pins_of(name).items() <= everything.items()


def test_the_engines_environment_is_what_the_tests_have_and_more() -> None:
    # It is laid on top of .venv, so what it adds must not replace anything there.
    assert pins_of("requirements-dev.txt").items() < pins_of("requirements-engines.txt").items()


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        ("requirements.txt", ["demo"]),
        ("requirements-dev.txt", ["dev"]),
        ("requirements-serving.txt", ["serving", "offline", "s3"]),
        ("requirements-engines.txt", ["engines"]),
        ("requirements-flink.txt", ["flink"]),
    ],
)
def test_every_declared_package_is_pinned(name: str, extras: list[str]) -> None:
    assert extras_of(extras) <= set(pins_of(name))


def test_the_demo_needs_no_engine_and_no_emulator() -> None:
    unwanted = {"pyspark", "apache-flink", "confluent-kafka", "psycopg2-binary"}
    assert not unwanted & (set(pins_of("requirements.txt")) | set(pins_of("requirements-dev.txt")))
    # moto's server is of pip alone, so that `make demo S3=1` and `make test` have it.
    assert not {"boto3", "moto"} & set(pins_of("requirements.txt"))


def test_a_serving_host_needs_no_orchestrator_and_no_database() -> None:
    unwanted = {"dagster", "sqlalchemy", "pyspark", "pandas", "scikit-learn"}
    assert not unwanted & set(pins_of("requirements-serving.txt"))


def test_the_files_for_machines_name_no_index() -> None:
    named = (*REQUIREMENTS, "pyproject.toml", "Makefile", ".ci/run", "workspace.yaml", "resources/dagster.yaml")
    environment = [path for path in (project_root() / "tests" / "engines_env").rglob("*") if path.is_file()]
    assert {path.name for path in environment} == {"Makefile", "debian", "go-programs", "pom.xml"}
    for path in (*(project_root() / name for name in named), *environment):
        assert not re.search(r"https?://|--index|--find-links|<repositor|GOPROXY", path.read_text()), path


def test_make_says_what_it_can_do() -> None:
    makefile = (project_root() / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    targets = phony.split()
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=project_root(), capture_output=True, text=True, check=True
    ).stdout
    assert [line.split()[1] for line in shown.splitlines()] == targets
    assert len(targets) <= 20


def test_there_is_a_code_location_for_every_team() -> None:
    entries = yaml.safe_load((project_root() / "workspace.yaml").read_text())["load_from"]
    locations = {entry["python_module"]["location_name"]: entry["python_module"]["module_name"] for entry in entries}
    teams = [folder.parent.name for folder in (project_root() / "feature_assets/teams").glob("*/definitions.py")]
    expected = {"raw": "feature_assets.raw.definitions", "monitoring": "sensors.definitions"}
    assert locations == expected | {team: f"feature_assets.teams.{team}.definitions" for team in teams}


def test_dagster_reports_to_nobody() -> None:
    instance = yaml.safe_load((project_root() / "resources" / "dagster.yaml").read_text())
    assert instance["telemetry"] == {"enabled": False}
    assert instance["nux"] == {"enabled": False}
