"""What holds of every demo that ended well."""

from __future__ import annotations

from feature_store.plans.plan_revisions import read_plans
from tests.demo.end_state import content_hashes
from tests.demo.process import Demo, Printed

FIELDS = {"parity_compared", "parity_different", "auc", "rows_offline", "rows_online", "partitions", "seconds"}
"""Of the last line, which is an interface."""

STAGES = {"land", "tiles", "values", "online", "plans", "stream", "serve", "parity"}
MODEL_STAGES = {"training_set", "train", "score"}


def assert_summary(demo: Demo, printed: Printed, has_model: bool = False) -> None:
    """The last line has its fields, counts what lies in the stores, and found no difference between them."""
    summary = printed.summary
    assert set(summary) == FIELDS
    assert set(summary["seconds"]) == STAGES | (MODEL_STAGES if has_model else set())
    assert (summary["auc"] is not None) == has_model
    assert summary["parity_different"] == 0
    plans = read_plans(demo.plans)
    assert len(plans) >= 2
    assert summary["parity_compared"] == 1_000 * sum(len(plan.outputs) for plan in plans.values())
    for name, plan in plans.items():
        line = f"parity {name}: 1,000 entities, {1_000 * len(plan.outputs):,} values compared, 0 different"
        assert line in printed.text
    ledgers = content_hashes(demo)
    values = [each for name, each in ledgers.items() if name.endswith("/values")]
    assert summary["rows_offline"] == sum(rows for each in values for _start, rows, _hash in each) > 10_000
    counted = [
        each for name, each in ledgers.items() if not name.startswith("training/") and not name.endswith("/state")
    ]
    assert summary["partitions"] == sum(map(len, counted))
    assert 0 < summary["rows_online"] < summary["rows_offline"]
    assert "Warning" not in printed.text
    assert "Traceback" not in printed.text
