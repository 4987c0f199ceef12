"""What a request feature adds to a request: the same view asked for without one and with one, in turns, by one client.

Processor time of the client, not that of a clock: what the store does meanwhile is the same for all.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.measure import OURS, Result, Sample, alternate
from benchmarks.online import load_ours, valkey, wide_view
from feature_store import FeatureService, Float64, ratio, request, request_feature
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.plans.service_plan import write_plan
from serving.client import FeatureClient

WITHOUT = "without a request feature"
WITH_INPUT = "with a request feature of an input"


def request_features(entities: int, features: int, calls: int, rounds: int) -> Result:
    """Measure requests per second of processor time, and what one more output adds to each.

    Args:
        entities: of a request, or of the requests that a server answers together.
        features: of the view, all of which are given.
        calls: requests of each measurement.
        rounds: of measurements.
    """
    ids, amounts = {"customer_id": list(range(entities))}, {"amount": [12.5] * entities}
    with TemporaryDirectory() as folder, valkey() as url:
        load_ours(url, max(1_000, entities), features)
        for service in _services(features):
            write_plan(Path(folder), compile_plan(service))
        with FeatureClient(folder, url) as client:
            asked = {
                WITHOUT: partial(client.get_features, "plain", ids),
                OURS: partial(client.get_features, "computed", ids),
                WITH_INPUT: partial(client.get_features, "asked", ids, inputs=amounts),
            }
            answer = asked[WITH_INPUT]()
            wanted = np.divide(12.5, answer.columns[f"wide{features}__f0"].values.astype(np.float64))
            if not np.array_equal(answer.columns["share"].values, wanted):
                raise RuntimeError("the request feature is not what it should be")

            def measure(name: str) -> Sample:
                began = time.process_time()
                for _ in range(calls):
                    asked[name]()
                seconds = time.process_time() - began
                return Sample(
                    calls / seconds, {"us": seconds / calls * 1e6, "us/entity": seconds / calls / entities * 1e6}
                )

            samples = alternate({name: partial(measure, name) for name in (OURS, WITHOUT, WITH_INPUT)}, rounds)
    return Result(
        f"Requests for {entities:,} entities x {features} Float32 features, with and without a ratio",
        "requests/s of the client's processor time",
        samples,
        [
            "ours: of two features; of an input: it is checked and made a column besides",
            "a server answers requests that come together as one: the figures per entity are those of its requests",
        ],
    )


def _services(features: int) -> list[FeatureService]:
    view = wide_view(features)
    of_features = ratio(view.f1, view.f0, description="A feature beside another")
    of_input = ratio(request("amount"), view.f0, description="An amount beside a feature")
    return [
        FeatureService("plain", 1, "benchmarks", "All of a wide view", [view.all()]),
        FeatureService("computed", 1, "benchmarks", "And a share", [view.all(), request_feature("share", of_features)]),
        FeatureService(
            "asked",
            1,
            "benchmarks",
            "And a share of an input",
            [view.all(), request_feature("share", of_input)],
            inputs={"amount": Float64},
        ),
    ]
