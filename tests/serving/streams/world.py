"""A stream view online: its batch tiles landed and loaded, its events appended, its values read at any T."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from feature_store import FeatureService, FeatureView
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.engines.polars.stream_tiles import build_stream_tiles
from feature_store.offline.delta.instants import INSTANT
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.tables.store import OfflineStore
from feature_store.oracle.snapshots import derived_value, float_scale, is_present, keys_of
from feature_store.oracle.streams import stream_as_of, stream_values
from feature_store.plans.service_plan import write_plan
from feature_store.status import Status
from feature_store.temporal.instants import to_microseconds
from serving.load.sync import sync_view
from serving.read.assembly import Assembly
from serving.read.requests import read_keys, select_features
from serving.read.vectors import FeatureVectors
from serving.stores.open_store import open_loader, open_reader
from serving.streams.writer import AppendReport, StreamWriter
from tests.fixtures.frames import assert_value, at, frame
from tests.fixtures.stream_views import Live
from tests.fixtures.views import COLUMNS

KEYS = [("1", "12"), ("11", "2"), ("", "é"), ("1", "1")]
"""The last of them never has an event."""

EVER = timedelta(days=3650)


def events(rows: Sequence[dict[str, Any]], columns: dict[str, Any] = COLUMNS) -> pl.DataFrame:
    return frame(list(rows), columns)


def event(time: datetime, keys: Sequence[Any] = KEYS[0], **values: Any) -> dict[str, Any]:
    plain = {"sequence": 0, "number": 1, "value": 1.0, "narrow": 0.5, "flag": True, "text": "a", "moment": at()}
    return {"time": time, **plain, "left": keys[0], "right": keys[-1], **values}


def random_events(rng: random.Random, count: int, days: float) -> list[dict[str, Any]]:
    times = [at(days=rng.uniform(0, days)).replace(microsecond=rng.choice([0, 0, 1, 999_999])) for _ in range(count)]
    return [
        event(
            time,
            rng.choice(KEYS[:3]),
            sequence=rng.choice([None, 0, 1, 2]),
            number=rng.choice([None, 1, 2, -3, 2**53 + 1]),
            value=rng.choice([None, 0.1, 1.5, -2.25, 1e15, -1e15, float("nan")]),
            narrow=rng.choice([None, 0.5, 3.0]),
            flag=rng.choice([None, True, False]),
            text=rng.choice([None, "a", "A", "é"]),
            moment=rng.choice([None, at(), at(days=1)]),
        )
        for time in times
    ]


@dataclass
class OnlineWorld:
    """A stream view and everything that is kept of it.

    Attributes:
        folder: of the offline store and the plan.
        url: of the online store.
        view: the view.
        columns: of its source.
        rows: every event that really happened and counts.
    """

    folder: Path
    url: str
    view: FeatureView = Live
    columns: dict[str, Any] = field(default_factory=lambda: dict(COLUMNS))
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.offline = OfflineStore(str(self.folder / "offline"))
        service = FeatureService("live_model", 1, "engine", "Everything live", [self.view.all()])
        self.plan = compile_plan(service)
        write_plan(self.folder / "plans", self.plan)

    def land(self, first: float, last: float, rows: Sequence[dict[str, Any]] | None = None) -> None:
        """Land the batch tiles of days (or hours) from their own events."""
        start, end = at(days=first), at(days=last)
        held = events(self.rows if rows is None else rows, self.columns)
        tiles = build_stream_tiles(self.view, held.lazy(), start, end)
        self.offline.tiles(self.view).write(tiles.frame, start, end, run_id="r")

    def sync(self, now: datetime) -> None:
        writer = open_loader(self.url)
        sync_view(self.offline, self.view, writer, now)
        writer.close()

    def writer(self, since: datetime, *, copy: bool = False, exact_for: timedelta = EVER) -> StreamWriter:
        offline = self.offline if copy else None
        return StreamWriter(self.url, self.view, since=since, offline=offline, exact_for=exact_for)

    def append(self, writer: StreamWriter, rows: Sequence[dict[str, Any]]) -> AppendReport:
        return writer.append(events(rows, self.columns))

    def read(self, keys: Sequence[Sequence[Any]], time: datetime, features: list[str] | None = None) -> FeatureVectors:
        columns = {key: [each[place] for each in keys] for place, key in enumerate(self.view.keys)}
        plan = self.plan if features is None else select_features(self.plan, features)
        assembly = Assembly(plan)
        question = assembly.ask(read_keys(plan, columns))
        # A reader of its own: what one knows of the store it looks at again about once a second only.
        reader = open_reader(self.url)
        read = reader.read(question.wanted, to_microseconds(time))
        reader.close()
        return assembly.answer(question, read, to_microseconds(time))

    def value(self, feature: str, time: datetime, keys: Sequence[Any] = KEYS[0]) -> tuple[Any, str]:
        """Return the value and the status of one feature of one entity."""
        name = f"{self.view.name}__{feature}"
        read = self.read([keys], time, [name])
        return read.to_dict()[name][0], read.status_names(name)[0]

    def joined(self, keys: Sequence[Sequence[Any]], time: datetime, *, allow_missing: bool = True) -> pl.DataFrame:
        dtypes = {key: polars_dtype(dtype) for key, dtype in self.view.entity.keys.items()}
        spine = pl.DataFrame(list(keys), schema=dtypes, orient="row").with_columns(pl.lit(time, INSTANT).alias("time"))
        return point_in_time_join(self.offline, self.plan, spine, "time", allow_missing=allow_missing, with_status=True)

    def check(
        self, keys: Sequence[Sequence[Any]], time: datetime, rows: Sequence[dict[str, Any]] | None = None
    ) -> None:
        """Assert that what is read at T is what counting the events gives."""
        read = self.read(keys, time)
        as_of = stream_as_of(self.view, time)
        assert read.as_of_text()[self.view.name] == as_of.isoformat(timespec="microseconds").replace("+00:00", "Z")
        found = read.to_dict()
        for place, key in enumerate(keys):
            own = [row for row in (self.rows if rows is None else rows) if keys_of(self.view, row) == tuple(key)]
            values = stream_values(self.view, own, time)
            present = Status.PRESENT if is_present(self.view, own, as_of) else Status.EMPTY
            mine = {f.name: found[f"{self.view.name}__{f.name}"][place] for f in self.view.stored_features}
            for feature in self.view.stored_features:
                name = f"{self.view.name}__{feature.name}"
                where = f"{name} of {key} at {time}"
                assert read.status[name][place] == present, where
                wanted = values[feature.name]
                if feature.kind == "derived":
                    wanted = derived_value(self.view, feature, {each: mine[each] for each in feature.reads})
                scale = float_scale(self.view, feature, own, as_of)
                assert_value(mine[feature.name], wanted, feature.dtype, scale, where)

    def check_equals_join(self, keys: Sequence[Sequence[Any]], time: datetime) -> None:
        """Assert that values, statuses and as-of are those of the point-in-time join, bit for bit."""
        served = self.read(keys, time).to_polars()
        trained = self.joined(keys, time)
        for name in served.columns:
            assert served[name].to_list() == trained[name].cast(served.schema[name]).to_list(), f"{name} at {time}"
        as_of = {str(each) for each in trained[f"{self.view.name}__as_of"].to_list()}
        assert as_of == {str(stream_as_of(self.view, time))}
