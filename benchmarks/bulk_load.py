"""Loading rows into the online store."""

from __future__ import annotations

import redis

from benchmarks.measure import OURS, Result, Sample, alternate, stopwatch
from benchmarks.online import drop_ours, load_ours, numbers, valkey
from benchmarks.redis_bytes import key_bytes, load, rows_of

_PIPELINE = 10_000


def bulk_load(entities: int, features: int, rounds: int) -> Result:
    """Measure rows per second, from columns in memory to the last reply.

    Args:
        entities: rows that are loaded.
        features: per row.
        rounds: of measurements.
    """
    values = numbers(entities, features)
    with valkey() as url, redis.Redis.from_url(url) as client:

        def ours() -> Sample:
            # Dropping what an earlier round loaded is no part of a load.
            drop_ours(url, features)
            client.flushall()
            report = load_ours(url, entities, features)
            return Sample(report.rows / report.seconds, {"bytes/row": client.info("memory")["used_memory"] / entities})

        def steady() -> Sample:
            drop_ours(url, features)
            client.flushall()
            for _ in range(2):
                load_ours(url, entities, features)
            report = load_ours(url, entities, features)
            return Sample(report.rows / report.seconds, {"bytes/row": client.info("memory")["used_memory"] / entities})

        def pipeline() -> Sample:
            client.flushall()
            count = entities // 5
            with stopwatch() as seconds:
                keys, rows = key_bytes(range(count)), rows_of(values[:count])
                for start in range(0, count, _PIPELINE):
                    with client.pipeline(transaction=False) as pipe:
                        for key, row in zip(
                            keys[start : start + _PIPELINE], rows[start : start + _PIPELINE], strict=True
                        ):
                            pipe.set(key, row)
                        pipe.execute()
                rate = count / seconds()
            return Sample(rate, {"bytes/row": client.info("memory")["used_memory"] / count})

        def raw() -> Sample:
            client.flushall()
            with stopwatch() as seconds:
                load(url, values)
                rate = entities / seconds()
            return Sample(rate, {"bytes/row": client.info("memory")["used_memory"] / entities})

        contenders = {
            OURS: ours,
            "ours, day by day": steady,
            "redis-py pipeline of SET": pipeline,
            "limit: RESP from numpy, plain socket": raw,
        }
        samples = alternate(contenders, rounds)
    return Result(
        f"Bulk load, {entities:,} entities x {features} Float32 features",
        "rows/s",
        samples,
        [
            "ours: fenced transactions, an index to drop the rows by, then published; the others: rows alone",
            "day by day: a generation is dropped first, as in every load but the first two; two stay in memory",
        ],
    )
