"""Stream views that are refused, and what becomes of those that are not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from feature_store import (
    FeatureView,
    KafkaTopic,
    approx_n_unique,
    approx_percentile,
    col,
    count,
    days_since,
    derive,
    first_k,
    last,
    n_unique,
    stream_view,
    sum_,
    top_k,
)
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.plans.service_plan import ServicePlan
from feature_store.temporal.durations import DAY, HOUR, MINUTE, SECOND
from tests.model.declare import HOUSEHOLD, Cases, check, event_source, service, table_source, view_of

LIVE = event_source(stream=KafkaTopic("purchases"))
OPTIONS = {
    "entity": HOUSEHOLD,
    "source": LIVE,
    "namespace": "retail",
    "version": 1,
    "owner": "growth",
    "cadence": "1d",
    "batch_after": "2h",
    "available_after": "5s",
    "freshness": "1m",
}
SPEND = {"spend": sum_(col("sales_value"), over="1h", description="Spend")}


def stream_of(features: dict[str, Any] | None = None, **options: Any) -> FeatureView:
    body = type("Activity", (), {"__doc__": "What households do.", **(SPEND if features is None else features)})
    return stream_view(**{**OPTIONS, **options})(body)


def with_feature(draft: Any, **options: Any) -> FeatureView:
    return stream_of({"spend": draft}, **options)


WRONG: Cases = {
    "table source": (
        lambda: stream_of(source=table_source()),
        (
            "retail/activity/v1: is a stream view of demographics, which is a table source. Instead: use "
            "@feature_view, or a source of events."
        ),
    ),
    "source without a stream": (
        lambda: stream_of(source=event_source()),
        (
            "retail/activity/v1: is a stream view of purchases, whose events do not come live. Instead: give the "
            "source stream=KafkaTopic('...'), or use @feature_view."
        ),
    ),
    "batch_after of None": (
        lambda: stream_of(batch_after=None),
        (
            "retail/activity/v1: batch_after=None is not a duration. Instead: write a whole number and a unit, e.g. "
            "'90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "lag that is no duration": (
        lambda: stream_of(available_after="500ms"),
        (
            "retail/activity/v1: available_after='500ms' is not a duration. Instead: write a whole number and a unit, "
            "e.g. '90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "batch_after that is no duration": (
        lambda: stream_of(batch_after="soon"),
        (
            "retail/activity/v1: batch_after='soon' is not a duration. Instead: write a whole number and a unit, e.g. "
            "'90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "freshness below the lag": (
        lambda: stream_of(freshness="5s"),
        (
            "retail/activity/v1: freshness='5s' cannot be kept: values are 6s old when the next ones become available. "
            "Instead: use at least 1s + available_after, '6s'."
        ),
    ),
    "freshness of a feature below the lag": (
        lambda: with_feature(count(over="1h", description="d", freshness="2s")),
        (
            "retail/activity/v1.spend: freshness='2s' cannot be kept: values are 6s old when the next ones become "
            "available. Instead: use at least 1s + available_after, '6s'."
        ),
    ),
    "no window": (
        lambda: with_feature(sum_(col("sales_value"), description="d")),
        (
            "retail/activity/v1.spend: sum in a stream view has no window: every value is merged from tiles when it is "
            "read. Instead: give over=, or use @feature_view."
        ),
    ),
    "hop longer than the cadence": (
        lambda: with_feature(count(over="12d", hop="4d", description="d")),
        (
            "retail/activity/v1.spend: hop 4d does not divide the cadence, 1d, as the hops of a stream view must. "
            "Instead: give a shorter hop=, or the view a longer cadence."
        ),
    ),
    "hops that are no chain": (
        lambda: stream_of(
            {
                "often": count(over="10m", hop="2m", description="d"),
                "spend": count(over="15m", hop="3m", description="d"),
            }
        ),
        (
            "retail/activity/v1.spend: hop 3m is not a multiple of hop 2m of often: in a stream view the larger tiles "
            "are made of whole smaller ones. Instead: give hop= so that each hop divides the next."
        ),
    ),
    "n_unique": (
        lambda: with_feature(n_unique(col("basket_id"), over="1h", description="d")),
        (
            "retail/activity/v1.spend: n_unique is exact, which stream views cannot afford. Instead: use "
            "approx_n_unique(...), or @feature_view."
        ),
    ),
    **{
        f"{name} in a stream": (
            lambda draft=draft: with_feature(draft),
            f"retail/activity/v1.spend: {name} is not available in stream views. Instead: use @feature_view.",
        )
        for name, draft in {
            "first_k": first_k(col("basket_id"), 2, over="1h", description="d"),
            "top_k": top_k(col("basket_id"), 2, over="1h", description="d"),
            "approx_percentile": approx_percentile(col("sales_value"), 0.5, over="1h", description="d"),
        }.items()
    },
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_streams(name: str) -> None:
    check(WRONG, name)


def rich() -> FeatureView:
    spend = sum_(col("sales_value"), over="24h", default=-1, description="d")
    seen = last(col("purchased_at"), over="12d", description="d")
    return stream_of(
        {
            "baskets": count(over="15m", description="d"),
            "spend": spend,
            "distinct": approx_n_unique(col("basket_id"), over="1h", description="d"),
            "half": derive(spend / 2, description="d"),
            "quarter": derive(col("half") / 2, description="d"),
            "seen": seen,
            "days": days_since(seen, description="d"),
        }
    )


def test_a_stream_view_is_one_and_knows_its_levels() -> None:
    view = rich()
    assert view.is_stream
    assert not view_of({"spend": sum_(col("sales_value"), over="7d", description="d")}).is_stream
    assert view.levels == (SECOND, MINUTE, 5 * MINUTE, HOUR, DAY)
    assert (view.available_after, view.batch_after, view.freshness) == (5 * SECOND, 2 * HOUR, MINUTE)


def test_fingerprints_tell_the_kind_and_the_lag_but_not_the_delay_of_the_batch() -> None:
    stream = stream_of()
    same_cadence = view_of({"spend": sum_(col("sales_value"), over="1h", hop="5m", description="d")}, source=LIVE)
    assert stream.fingerprints != same_cadence.fingerprints
    assert stream.fingerprints != stream_of(available_after="6s").fingerprints
    assert stream.fingerprints == stream_of(batch_after="3h").fingerprints
    assert stream.tiles_fingerprint != same_cadence.tiles_fingerprint
    assert stream.tiles_fingerprint == stream_of(available_after="6s").tiles_fingerprint


def test_a_plan_holds_what_is_read_and_the_layout_of_whole_tiles() -> None:
    view = rich()
    plan = compile_plan(service(view["quarter", "days"]))
    stream = plan.views[0].stream
    assert stream is not None
    assert [each.name for each in stream.aggregates] == ["spend", "seen"]
    assert [each.name for each in stream.derived] == ["half", "quarter"]
    whole = compile_plan(service(view.all())).views[0].stream
    assert whole is not None
    assert stream.states == whole.states
    assert stream.row_counts == whole.row_counts  # an event of any feature makes an entity one that is not EMPTY
    assert (stream.lag, stream.cadence, stream.levels) == (5 * SECOND, DAY, view.levels)
    assert ServicePlan.from_json(plan.to_json()) == plan


def test_plans_of_other_views_have_no_stream() -> None:
    view = view_of({"spend": sum_(col("sales_value"), over="7d", description="d")})
    plan = compile_plan(service(view.all()))
    assert plan.views[0].stream is None
    assert ServicePlan.from_json(plan.to_json()) == plan
    record = json.loads(plan.to_json())
    del record["views"][0]["stream"], record["digest"]
    assert ServicePlan.from_json(json.dumps(record)) == plan, "as plans were written before there were streams"
