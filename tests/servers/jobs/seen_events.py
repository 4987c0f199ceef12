"""A job for Flink: writes the ids of a topic's events into Valkey, a set per user, by a vectorised function.

Arguments: settings of the cluster (a JSON file), broker, topic, URL of the store.
"""

import json
import sys
from pathlib import Path

import pandas as pd
import redis
from pyflink.common import Configuration
from pyflink.table import DataTypes, EnvironmentSettings, TableEnvironment
from pyflink.table.udf import ScalarFunction, udf


class Seen(ScalarFunction):
    """Adds each event's id to its user's set; adding one again changes nothing, so a replay is harmless."""

    def __init__(self, store: str) -> None:
        self.store = store

    def open(self, _context: object) -> None:
        self.client = redis.Redis.from_url(self.store)

    def eval(self, user: pd.Series, event: pd.Series) -> pd.Series:
        with self.client.pipeline(transaction=False) as pipeline:
            for name, events in event.groupby(user):
                pipeline.sadd(f"seen:{name}", *events.tolist())
            pipeline.rpush("batches", len(event))
            pipeline.execute()
        return event


def main(settings: str, broker: str, topic: str, store: str) -> None:
    configuration = Configuration()
    for name, value in json.loads(Path(settings).read_text()).items():
        configuration.set_string(name, value)
    environment = EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(configuration).build()
    tables = TableEnvironment.create(environment)
    tables.execute_sql(f"""
        CREATE TABLE events (user_id INT, event_id BIGINT) WITH (
            'connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{broker}',
            'properties.group.id' = 'seen', 'scan.startup.mode' = 'earliest-offset',
            'scan.bounded.mode' = 'latest-offset', 'format' = 'json')
    """)
    tables.execute_sql("CREATE TABLE nowhere (event_id BIGINT) WITH ('connector' = 'blackhole')")
    seen = udf(Seen(store), result_type=DataTypes.BIGINT(), func_type="pandas")
    tables.create_temporary_function("seen", seen)
    tables.execute_sql("INSERT INTO nowhere SELECT seen(user_id, event_id) FROM events").wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
