"""``history``, ``show --at``, ``lineage``, ``impact``, ``similar`` and backups: what the catalog tells."""

from dataclasses import replace
from pathlib import Path

import pytest

from feature_assets.project import load_declarations
from feature_assets.project.recorded import ApplyOptions, apply_declarations
from resources.settings import Settings

DECLARED = load_declarations()
SPEND = DECLARED.views["retail/household_spend/v1"]


@pytest.fixture
def three_days(features, monkeypatch):
    """The command line on a catalog that was applied to on three days: as declared, reworded, and without services."""
    worded = replace(SPEND.feature("spend_7d"), description="Money of a week")
    reworded = replace(SPEND, features=(worded, *SPEND.features[1:]))
    states = [
        DECLARED,
        replace(DECLARED, views={**DECLARED.views, SPEND.full_name: reworded}),
        replace(DECLARED, services={n: s for n, s in DECLARED.services.items() if n != "live_offer/v1"}),
    ]
    for day, state in enumerate(states, start=1):
        monkeypatch.setenv("FEATURES_NOW", f"2026-11-0{day}T12:00:00+00:00")
        monkeypatch.setenv("FEATURES_USER", ["ada", "bob", "cyd"][day - 1])
        retire = ("live_offer/v1",) if day == 3 else ()
        apply_declarations(Settings.from_environment(), state, ApplyOptions(retire=retire))
    return features


def test_the_history_of_a_feature_is_what_changed_it(three_days) -> None:
    told = three_days.json("history", "household_spend.spend_7d")
    assert [(event["by"], event["at"][:10], event["changes"][0]["what"]) for event in told] == [
        ("cyd", "2026-11-03", ["description: Money of a week -> Sales value, last 7 days, USD"]),
        ("bob", "2026-11-02", ["description: Sales value, last 7 days, USD -> Money of a week"]),
        ("ada", "2026-11-01", ["sum(sales_value) over 7d (hop 1h) as Float32"]),
    ]
    assert "Money of a week" in three_days.text("history", "household_spend.spend_7d")
    assert len(three_days.json("history", "household_spend.spend_30d")) == 1


def test_the_history_of_what_is_gone_stays(three_days) -> None:
    told = three_days.json("history", "live_offer")
    assert [event["changes"][0]["change"] for event in told] == ["removed", "added"]
    assert [event["by"] for event in told] == ["cyd", "ada"]


@pytest.mark.parametrize(
    ("at", "description"),
    [
        ("2026-11-02", "Sales value, last 7 days, USD"),
        ("2026-11-02T12:00:00Z", "Money of a week"),
        ("4", "Money of a week"),
        ("2026-12-01", "Sales value, last 7 days, USD"),
    ],
)
def test_a_former_version_is_shown(three_days, at: str, description: str) -> None:
    shown = three_days.json("show", "household_spend.spend_7d", "--at", at)
    assert (shown["description"], "ledger" in shown) == (description, False)


def test_a_time_before_the_first_apply_knows_nothing(three_days) -> None:
    assert "there is no view, feature or service" in three_days.refused("show", "churn", "--at", "2026-10-01")
    assert "has no revision 99" in three_days.refused("show", "churn", "--at", "99")
    assert "--at 'yesterday' is not a time" in three_days.refused("show", "churn", "--at", "yesterday")


def test_the_impact_of_a_column_is_everything_downstream_with_its_owners(features) -> None:
    features.text("apply")
    told = features.json("impact", "raw/transactions.sales_value")
    assert {"churn/v1", "live_offer/v1"} <= set(told["services"])
    assert {"growth", "merchandising"} <= set(told["owners"])
    assert "retail/household_spend/v1.spend_trend" in {node["name"] for node in told["downstream"]}
    assert {node["name"] for node in features.json("impact", "raw/transactions")["downstream"]} >= {
        node["name"] for node in told["downstream"]
    }
    assert "retail/household_spend/v1.spend_trend" in features.text("impact", "household_spend.spend_7d")
    assert "did you mean raw/transactions.sales_value" in features.refused("impact", "raw/transactions.sales_valeu")


def test_the_lineage_of_a_feature_goes_both_ways_before_anything_was_applied(features) -> None:
    told = features.json("lineage", "household_spend.spend_trend")
    assert [node["name"] for node in told["above"]][-1] == "raw/transactions.sales_value"
    assert [node["name"] for node in told["below"]] == ["service churn/v1"]
    assert "raw/transactions.sales_value" in features.text("lineage", "churn")


def test_similar_features_are_found_and_derived_ones_refused(features) -> None:
    found = features.json("similar", "household_spend.spend_7d")
    assert {each["likeness"] for each in found} == {"same logic, other window"}
    assert "retail/household_lifetime/v1.spend" in {each["name"] for each in found}
    assert "is computed from spend_7d, spend_90d" in features.refused("similar", "household_spend.spend_trend")
    assert "is not a feature" in features.refused("similar", "household_spend")


def test_a_backup_restores_every_version_into_an_empty_catalog(three_days, tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "catalog.jsonl"
    three_days.text("catalog", "backup", file)
    assert "cannot be written" in three_days.refused("catalog", "backup", file)
    assert "the catalog is not empty" in three_days.refused("catalog", "restore", file)
    told = three_days.json("history", "household_spend.spend_7d")
    monkeypatch.setenv("FEATURES_CATALOG", f"sqlite:///{tmp_path}/other.db")
    three_days.text("catalog", "restore", file)
    assert three_days.json("history", "household_spend.spend_7d") == told
    assert [change["name"] for change in three_days.json("plan")["changes"]] == ["live_offer/v1"]


def test_a_damaged_backup_restores_nothing(three_days, tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "catalog.jsonl"
    three_days.text("catalog", "backup", file)
    monkeypatch.setenv("FEATURES_CATALOG", f"sqlite:///{tmp_path}/other.db")
    whole = file.read_text()
    for text in (whole.replace("Money", "Honey"), whole[: len(whole) // 2], ""):
        file.write_text(text)
        assert str(file) in three_days.refused("catalog", "restore", file)
    file.write_text(whole)
    three_days.text("catalog", "restore", file)


def test_values_of_two_features_are_compared(filled) -> None:
    told = filled.json("diff", "household_spend.spend_7d", "household_spend.spend_30d", "--partitions", "2")
    assert (len(told["partitions"]), told["one"]) == (2, "retail/household_spend/v1.spend_7d")
    assert 0 < told["changed"] <= told["rows"]
    assert told["difference"]["min"] >= 0, "thirty days hold the seven"
    assert "changed" in filled.text("diff", "household_spend.spend_7d", "household_spend.spend_7d")
    assert "write VIEW.FEATURE twice" in filled.refused("diff", "household_spend", "household_spend.spend_7d")
    different = filled.refused("diff", "store_traffic.sales_28d", "household_spend.spend_7d")
    assert "they describe different entities: store and household" in different
