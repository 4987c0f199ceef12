"""Which partition T sees, offline and online: the microsecond before, at and after every bound, by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest

from feature_store import FeatureService, col, count, feature_view, sum_
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.offline.delta.instants import INSTANT
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore
from feature_store.oracle.expressions import microseconds
from feature_store.plans.service_plan import ServicePlan, write_plan
from feature_store.status import Status
from serving.client import FeatureClient
from serving.load.sync import sync_view
from serving.stores.open_store import open_loader
from tests.spec.declarations import EVENTS, OPTIONS, START, at
from tests.spec.examples import SUBJECT, row
from tests.spec.stores import RUN, folder, land
from tests.spec.worlds import MICROSECOND, Range

PRESENT, EMPTY, NOT_COMPUTED, EXPIRED, _ = Status
TTL = timedelta(days=2)
DELAY = timedelta(hours=2)


def view_with(**later: object):
    body = {"rows": count(over="7d", hop="1d", description="d"), **later}
    options = {"source": EVENTS, "cadence": "1d", "available_after": "2h", "freshness": "2d", "ttl": "2d", **OPTIONS}
    return feature_view(**options)(type("Read", (), {"__doc__": "Read at many T.", **body}))


AT_FIRST = view_with()
VIEW = view_with(numbers=sum_(col("number"), over="7d", hop="1d", description="Added later."))
SERVICE = FeatureService("read", 1, "spec", "Read at many T", [VIEW.all()])
SPAN = Range(VIEW, START, START, at(8))

WRITTEN = {1: AT_FIRST, 2: VIEW, 5: VIEW}
"""By as-of in days, the view as it was then: there is a hole from 3 to 4."""

ASKED = [
    (at(1) + DELAY, (NOT_COMPUTED, None), (NOT_COMPUTED, None)),
    (at(1) + DELAY + MICROSECOND, (PRESENT, 1), (NOT_COMPUTED, None)),
    (at(2) + DELAY, (PRESENT, 1), (NOT_COMPUTED, None)),
    (at(2) + DELAY + MICROSECOND, (PRESENT, 2), (PRESENT, 30)),
    (at(2) + TTL, (PRESENT, 2), (PRESENT, 30)),
    (at(2) + TTL + MICROSECOND, (EXPIRED, None), (EXPIRED, None)),
    (at(5) + DELAY, (EXPIRED, None), (EXPIRED, None)),
    (at(5) + DELAY + MICROSECOND, (PRESENT, 3), (PRESENT, 70)),
    (at(7), (PRESENT, 3), (PRESENT, 70)),
    (at(7) + MICROSECOND, (EXPIRED, None), (EXPIRED, None)),
]
"""T, and the status and value of each feature of a subject with an event of 10, 20 and 40 on the days 0, 1 and 4."""


@pytest.fixture(scope="module")
def store() -> Iterator[OfflineStore]:
    with folder() as root:
        store = OfflineStore(str(root))
        rows = [row(at(day, hours=1), world=1, number=number) for day, number in ((0, 10), (1, 20), (4, 40))]
        land(store, SPAN, rows)
        compute_tiles(store, VIEW, START, at(8), RUN)
        for as_of, view in WRITTEN.items():
            start, end = at(as_of - 1), at(as_of)
            compute_values(store, view, start, end, RUN)
        yield store


def plan() -> ServicePlan:
    return compile_plan(SERVICE)


@pytest.mark.spec("point-in-time join", "read.partition", "status.not_computed", "status.expired")
def test_the_join_at_every_bound(store: OfflineStore) -> None:
    spine = pl.DataFrame({"world": [1] * len(ASKED), **{name: [key] * len(ASKED) for name, key in SUBJECT.items()}})
    spine = spine.with_columns(pl.Series("time", [time for time, *_ in ASKED], INSTANT))
    joined = point_in_time_join(store, plan(), spine, "time", allow_missing=True, with_status=True)
    assert [answer_of(row) for row in joined.to_dicts()] == [tuple(answers) for _time, *answers in ASKED]


@pytest.mark.spec("online read", "read.partition", "status.not_computed", "status.expired")
@pytest.mark.parametrize(("time", "rows", "numbers"), ASKED, ids=[str(time) for time, *_ in ASKED])
def test_the_online_read_at_every_bound(
    store: OfflineStore, valkey: str, tmp_path: Path, time: datetime, rows: tuple, numbers: tuple
) -> None:
    writer = open_loader(valkey)
    with patch(
        "serving.stores.redis.write.publication.store_time", lambda _: microseconds(at(1) + DELAY + MICROSECOND)
    ):
        sync_view(store, VIEW, writer, at(1) + DELAY + MICROSECOND)
    writer.close()
    write_plan(tmp_path, plan())
    with FeatureClient(tmp_path, valkey) as client:
        answer = client.get_features(
            "read", {"world": [1], **{name: [key] for name, key in SUBJECT.items()}}, time=time
        )
    assert answer_of(answer.to_polars().to_dicts()[0]) == (rows, numbers)


def answer_of(row: dict) -> tuple:
    return tuple((row[f"read__{name}__status"], row[f"read__{name}"]) for name in ("rows", "numbers"))


@pytest.mark.spec("point-in-time join", "read.rows", "status.empty", "keys.typed")
def test_rows_are_neither_lost_nor_multiplied_nor_changed(store: OfflineStore) -> None:
    keys = [("a", "b"), (None, "b"), ("a", "b"), ("ab", ""), ("a", "b"), ("no", "one")]
    spine = pl.DataFrame(
        {"label": ["x", "y", "x", None, "z", "x"], "left": [left for left, _ in keys], "right": [r for _, r in keys]}
    ).with_columns(pl.lit(1, pl.Int64).alias("world"), pl.lit(at(6), INSTANT).alias("time"))
    joined = point_in_time_join(store, plan(), spine, "time", with_status=True)
    assert joined.select(spine.columns).equals(spine)
    assert joined["read__numbers"].to_list() == [70, 0, 70, 0, 70, 0]
    assert joined["read__numbers__status"].to_list() == [PRESENT, EMPTY, PRESENT, EMPTY, PRESENT, EMPTY]
