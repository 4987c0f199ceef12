from __future__ import annotations

from urllib.request import urlopen

from tests.fixtures.servers.nginx import StartNginx
from tests.servers.answering import answering


def test_requests_reach_the_servers_behind_it_in_turn(nginx: StartNginx) -> None:
    with answering("one") as one, answering("two") as two:
        url = nginx(one, two)
        seen = []
        for _ in range(4):
            with urlopen(url, timeout=60) as response:
                assert response.headers["Server"].startswith("nginx")
                seen.append(response.read())
    assert sorted(seen) == [b"one", b"one", b"two", b"two"]
