"""What a request feature adds to an answer: the same view read without one and with one, in turns, in one process.

Processor time, not that of a clock: nothing is asked of the store between the measurements, which read the same rows.
"""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial

import numpy as np

from benchmarks.measure import OURS, Result, Sample, alternate
from benchmarks.online import load_ours, valkey, wide_view
from feature_store import FeatureService, Float64, ratio, request, request_feature
from feature_store.engines.numpy.compile_service import compile_plan
from serving.read.assembly import Assembly
from serving.read.requests import read_keys
from serving.stores.open_store import open_reader

WITHOUT = "without a request feature"


def request_features(entities: int, features: int, calls: int, rounds: int) -> Result:
    """Measure answers per second of processor time, and what one more output, with its input, adds to each.

    Args:
        entities: of a request, or of the requests of one batch.
        features: of the view, all of which are given.
        calls: answers of each measurement.
        rounds: of measurements.
    """
    view = wide_view(features)
    share = ratio(request("amount"), view.f0, description="An amount beside a feature")
    plain = FeatureService("plain", 1, "benchmarks", "All of a wide view", [view.all()])
    more = FeatureService(
        "more",
        1,
        "benchmarks",
        "And a share",
        [view.all(), request_feature("share", share)],
        inputs={"amount": Float64},
    )
    keys, amounts = {"customer_id": list(range(entities))}, {"amount": [12.5] * entities}
    with valkey() as url, closing(open_reader(url)) as reader:
        load_ours(url, max(1_000, entities), features)
        assemblies = {WITHOUT: (Assembly(compile_plan(plain)), None), OURS: (Assembly(compile_plan(more)), amounts)}
        now = time.time_ns() // 1000
        asked = assemblies[WITHOUT][0]
        reads = reader.read(asked.ask(read_keys(asked.plan, keys)).wanted, now)

        def measure(name: str) -> Sample:
            assembly, inputs = assemblies[name]
            began = time.process_time()
            for _ in range(calls):
                assembly.answer(assembly.ask(read_keys(assembly.plan, keys, inputs)), reads, now)
            seconds = time.process_time() - began
            return Sample(
                calls / seconds, {"us": seconds / calls * 1e6, "us per entity": seconds / calls / entities * 1e6}
            )

        first = assemblies[OURS][0]
        answer = first.answer(first.ask(read_keys(first.plan, keys, amounts)), reads, now)
        wanted = np.divide(12.5, answer.columns[f"wide{features}__f0"].values.astype(np.float64))
        if not np.array_equal(answer.columns["share"].values, wanted):
            raise RuntimeError("the request feature is not what it should be")
        samples = alternate({name: partial(measure, name) for name in (OURS, WITHOUT)}, rounds)
    return Result(
        f"Answers for {entities:,} entities x {features} Float32 features, with and without a ratio over an input",
        "answers/s of processor time",
        samples,
        ["without the way to the store and back; the input is checked and made a column besides"],
    )
