from __future__ import annotations

from tests.fixtures.servers.prometheus import StartPrometheus
from tests.servers.answering import answering

METRICS = '# TYPE reads_total counter\nreads_total{service="offers"} 41\n'


def test_what_a_server_states_is_scraped_and_can_be_asked_for(prometheus: StartPrometheus) -> None:
    with answering(METRICS, "text/plain; version=0.0.4") as port:
        server = prometheus(port)
        (series,) = server.wait_for('reads_total{service="offers"}')
    assert series["metric"]["instance"] == f"127.0.0.1:{port}"
    assert series["value"][1] == "41"
