from __future__ import annotations

from collections.abc import Iterable

from tests.fixtures.servers.kafka import KafkaBroker

EVENTS = 1000


def produce(broker: KafkaBroker, topic: str, numbers: Iterable[int]) -> None:
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": broker.bootstrap, "enable.idempotence": True})
    for number in numbers:
        producer.produce(topic, value=str(number), partition=number % 2)
    assert producer.flush(60) == 0


def consume(broker: KafkaBroker, topic: str, events: int) -> dict[int, list[int]]:
    """Return the next events of each partition, in the order in which they came."""
    from confluent_kafka import Consumer

    settings = {"bootstrap.servers": broker.bootstrap, "group.id": topic, "auto.offset.reset": "earliest"}
    consumer = Consumer(settings)
    consumer.subscribe([topic])
    seen: dict[int, list[int]] = {0: [], 1: []}
    while sum(map(len, seen.values())) < events:
        for message in consumer.consume(events, timeout=30):
            assert message.error() is None
            seen[message.partition()].append(int(message.value()))
    consumer.close()
    return seen


def test_every_produced_event_is_consumed_once_and_in_order_of_its_partition(kafka_broker: KafkaBroker) -> None:
    kafka_broker.create_topic("purchases", partitions=2)
    produce(kafka_broker, "purchases", range(EVENTS))
    seen = consume(kafka_broker, "purchases", EVENTS)
    assert seen == {0: list(range(0, EVENTS, 2)), 1: list(range(1, EVENTS, 2))}


def test_acknowledged_events_outlive_a_crash_of_the_broker(kafka_broker: KafkaBroker) -> None:
    kafka_broker.create_topic("crashed", partitions=2)
    produce(kafka_broker, "crashed", range(10))
    kafka_broker.kill()
    kafka_broker.start()
    produce(kafka_broker, "crashed", range(10, 20))
    assert consume(kafka_broker, "crashed", 20) == {0: list(range(0, 20, 2)), 1: list(range(1, 20, 2))}
