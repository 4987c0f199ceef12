import subprocess
import sys

import pytest

from feature_assets.project import load_declarations


def test_list_gives_every_feature(features):
    listed = features.json("list")
    declared = {f"{view.name}.{feature.name}" for view in load_declarations().views.values() for feature in view}
    assert {record["name"] for record in listed} == declared
    assert features.text("list").endswith(f"{len(declared)} found\n")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--kind", "view", "--team", "stores"], ["retail/store_traffic/v1", "retail/store_pulse/v1"]),
        (
            ["--kind", "service"],
            ["churn/v1", "live_offer/v1", "offer_value/v1", "department_affinity/v1", "store_demand/v1"],
        ),
        (["--kind", "on-read", "--entity", "store"], ["store_pulse.last_sale_hour", "store_pulse.hour"]),
        (["--kind", "field", "--entity", "store"], []),
        (
            ["--kind", "service", "--entity", "household"],
            ["churn/v1", "live_offer/v1", "offer_value/v1", "department_affinity/v1"],
        ),
        (["--kind", "service", "--entity", "household_department"], ["department_affinity/v1"]),
    ],
)
def test_list_filters(features, options, names):
    assert [record["name"] for record in features.json("list", *options)] == names


def test_a_list_of_nothing_says_so(features):
    assert features.text("list", "--kind", "field", "--entity", "store") == "0 found\n"


def test_views_are_listed_with_the_first_sentence_of_their_description(features):
    shown = features.text("list", "--kind", "view", "--team", "growth")
    assert "The running campaign that a household was added to last\n" in shown
    assert "dbt or Spark" not in shown


def test_list_as_a_table_has_a_line_per_feature(features):
    lines = features.text("list", "--team", "merchandising", "--kind", "derived").splitlines()
    assert [line.split()[0] for line in lines] == [
        "name", "product_demand.demand_trend", "category_demand.private_label_share", "2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "--team", "grwth"], "there is no team called 'grwth': did you mean growth? (there are growth, "),
        (["list", "--entity", "x"], "there is no entity called 'x': see `features list` (there are "),
        (["list", "--kind", "agregate"], "there is no kind called 'agregate': did you mean aggregate?"),
        (["list", "--kind", "zzz"], "(there are feature, aggregate, field, derived, on-read, view, service)"),
        (["list", "--no-such-option"], "No such option: --no-such-option"),
        (["lst"], "No such command 'lst'."),
        (["show", "houshold_spend"], "called 'houshold_spend': did you mean household_spend"),
        (["show", "household_spend.spend_8d"], "did you mean household_spend.spend_7d"),
        (["show", "spend_7d"], "called 'spend_7d': did you mean household_spend.spend_7d?"),
        (["show", "last_purchase"], "mean household_visits.last_purchase or household_department.last_purchase?"),
        (["show", "lifetime_spend"], "did you mean household_lifetime.spend"),
        (["show", "retail/houshold_spend/v1"], "did you mean retail/household_spend/v1"),
        (["show", "zzzzzz"], "see `features list`"),
        (["show", "unit_price_std"], "did you mean household_spend.unit_price_std_90d?"),
        (["show"], "Missing argument 'name'."),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_on_stderr_and_exit_code_2(features, arguments, message):
    assert message in features.refused(*arguments)


def test_help_names_the_commands(features):
    for arguments in ([], ["--help"]):
        assert all(
            name in features.text(*arguments) for name in ("list", "search", "show", "get", "training-set", "apply")
        )


def test_help_fits_a_narrow_terminal(features, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    commands = features.text("--help").partition("Commands:")[2].splitlines()[1:]
    assert len(commands) >= 9
    assert all(line.endswith(".") and "..." not in line for line in commands)


def test_search_ranks_names_over_descriptions_over_logic(features):
    names = [record["name"] for record in features.json("search", "coupon")]
    assert names[:4] == [
        "household_promotions.last_coupon",
        "household_promotions.coupon_lines_90d",
        "household_promotions.days_since_last_coupon",
        "retail/household_coupons/v1",
    ]
    assert {"household_promotions.discount_30d", "retail/household_promotions/v1"} <= set(names[4:])


def test_search_needs_every_word_and_reads_all_texts(features):
    def found(*words: str) -> set[str]:
        return {record["name"] for record in features.json("search", *words, "--limit", 100)}

    assert found("weekend baskets") == found("baskets", "weekend") == {"household_visits.weekend_baskets_90d"}
    assert found("raw", "stores", "hourly", "view") == {"retail/store_pulse/v1"}
    assert "household_profile.home" in found("one_hot")
    assert found("zeppelin") == set()


def test_search_without_a_result_says_what_to_try(features):
    assert features.text("search", "zeppelin").startswith("No match for: zeppelin.")


def test_search_limit(features):
    assert len(features.json("search", "household", "--limit", 3)) == 3
    found = len(features.json("search", "household", "--limit", 1000))
    assert features.text("search", "household", "--limit", 3).endswith(f"\n3 of {found} found\n")
    assert features.text("search", "household", "--limit", 1000).endswith(f"\n{found} found\n")
    assert "limit" in features.refused("search", "household", "--limit", 0)


def test_show_a_feature(features):
    shown = features.json("show", "household_spend.spend_7d")
    view = load_declarations().views["retail/household_spend/v1"]
    assert shown == {
        "name": "household_spend.spend_7d",
        "kind": "aggregate",
        "description": "Sales value, last 7 days, USD",
        "type": "Float32",
        "logic": "sum(sales_value) over 7d (hop 1h)",
        "window": "7d (hop 1h)",
        "reads": [],
        "default": None,
        "stored": True,
        "view": "retail/household_spend/v1",
        "entity": "household",
        "keys": {"household_id": "Int64"},
        "owner": "growth",
        "readers": ["merchandising", "stores"],
        "version": 1,
        "deprecated": None,
        "source": "purchases",
        "source_asset": "raw/transactions",
        "source_kind": "events",
        "view_kind": "cadence",
        "cadence": "1d",
        "batch_after": None,
        "available_after": "2h",
        "freshness": "26h",
        "ttl": "3d",
        "row_ttl": None,
        "fingerprint": view.feature("spend_7d").fingerprint,
        "renamed_from": None,
        "read_by_services": ["churn/v1"],
        "ledger": None,
    }


def test_show_a_view_and_a_service(features):
    view = features.json("show", "store_pulse")
    assert (view["name"], view["cadence"], view["read_by_services"]) == (
        "retail/store_pulse/v1",
        "1h",
        ["store_demand/v1"],
    )
    assert len(view["features"]) == 9
    stream = features.json("show", "household_activity")
    assert (stream["view_kind"], stream["batch_after"]) == ("stream", "2h")
    assert features.json("show", "household_campaign.campaign_id")["view_kind"] == "table"
    service = features.json("show", "department_affinity")
    assert service["keys"] == {"household_id": "Int64", "department": "String"}
    assert {"household_spend__spend_30d", "household_department__spend_28d"} <= {f["name"] for f in service["features"]}
    assert set(service["ledger"].values()) == {None}


@pytest.mark.parametrize("name", ["household_spend", "household_spend/v1", "retail/household_spend/v1"])
def test_names_can_be_shortened(features, name):
    assert features.json("show", name)["name"] == "retail/household_spend/v1"
    assert features.json("show", f"{name}.spend_7d")["name"] == "household_spend.spend_7d"


def test_show_for_people(features):
    shown = features.text("show", "household_visits.days_since_last_purchase")
    assert "days_since(last_purchase)" in shown
    assert "nothing computed yet" in shown
    assert "default" not in shown


def test_show_what_is_computed(filled):
    ledger = filled.json("show", "household_spend")["ledger"]
    assert (ledger["partitions"], ledger["out_of_date"]) == (4, 0)
    assert ledger["newest_as_of"] == "2018-01-02T00:00:00+00:00"
    assert ledger["newest_available_at"] == "2018-01-02T02:00:00+00:00"
    assert ledger["newest_rows"] > 50
    assert ledger["published_at"] is not None
    assert "4 partitions, newest as-of 2018-01-02T00:00:00+00:00" in filled.text("show", "store_pulse.hour")
    assert filled.json("show", "store_demand")["ledger"]["retail/store_pulse/v1"]["partitions"] == 4


def test_browsing_imports_no_engine_store_or_orchestrator(features, tmp_path):
    code = (
        "import sys; from feature_assets.cli.app import run\n"
        "codes = [run(['list']), run(['search', 'spend']), run(['show', 'churn']), run(['--help'])]\n"
        "slow = {'dagster', 'polars', 'deltalake', 'sklearn', 'redis', 'pyarrow'}\n"
        "print(codes, slow & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr.strip() == "[0, 0, 0, 0] set()"


def test_the_program_exits_with_the_code_of_the_command():
    program = [sys.executable, "-c", "from feature_assets.cli import main; main()"]
    refused = subprocess.run([*program, "show", "nothing"], check=False, capture_output=True, text=True)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert subprocess.run([*program, "show", "churn"], check=False, capture_output=True).returncode == 0
