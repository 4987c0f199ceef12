from __future__ import annotations

from tests.fixtures.servers.kafka import KafkaBroker

EVENTS = 1000


def test_every_produced_event_is_consumed_once_and_in_order_of_its_partition(kafka_broker: KafkaBroker) -> None:
    from confluent_kafka import Consumer, Producer

    kafka_broker.create_topic("purchases", partitions=2)
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap, "enable.idempotence": True})
    for number in range(EVENTS):
        producer.produce("purchases", value=str(number), partition=number % 2)
    assert producer.flush(60) == 0
    settings = {"bootstrap.servers": kafka_broker.bootstrap, "group.id": "readers", "auto.offset.reset": "earliest"}
    consumer = Consumer(settings)
    consumer.subscribe(["purchases"])
    seen: dict[int, list[int]] = {0: [], 1: []}
    while sum(map(len, seen.values())) < EVENTS:
        for message in consumer.consume(EVENTS, timeout=30):
            assert message.error() is None
            seen[message.partition()].append(int(message.value()))
    consumer.close()
    assert seen == {0: list(range(0, EVENTS, 2)), 1: list(range(1, EVENTS, 2))}
