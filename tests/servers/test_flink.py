from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import redis

from tests.fixtures.servers.flink import Flink
from tests.fixtures.servers.kafka import KafkaBroker

EVENTS = 20_000
JOB = Path(__file__).parent / "jobs" / "seen_events.py"


def test_a_job_writes_every_event_of_a_topic_into_the_store(
    flink_env: Flink, kafka_broker: KafkaBroker, valkey: str
) -> None:
    from confluent_kafka import Producer

    kafka_broker.create_topic("seen-events", partitions=2)
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap, "linger.ms": 50})
    users = [number * 7919 % 50 for number in range(EVENTS)]
    for number, user in enumerate(users):
        event = json.dumps({"user_id": user, "event_id": number})
        producer.produce("seen-events", value=event, partition=user % 2)
        producer.poll(0)
    assert producer.flush(60) == 0

    job = flink_env.start(JOB, kafka_broker.bootstrap, "seen-events", valkey)
    try:
        assert job.wait(300) == 0, job.printed()
    finally:
        job.stop()
    with redis.Redis.from_url(valkey) as client:
        assert {user: client.scard(f"seen:{user}") for user in range(50)} == Counter(users)
        # Events came as batches, not one by one.
        assert int(client.llen("batches")) < EVENTS / 100
