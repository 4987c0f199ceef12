from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from tests.fixtures.servers.redis_tls import RedisTls, write_certificates


def test_values_travel_encrypted(redis_tls: RedisTls) -> None:
    with redis.Redis.from_url(redis_tls.url, ssl_ca_certs=str(redis_tls.authority)) as client:
        client.set("row", b"\x00\xff")
        assert client.get("row") == b"\x00\xff"


def test_an_unknown_authority_is_not_believed(redis_tls: RedisTls, tmp_path: Path) -> None:
    unknown, _, _ = write_certificates(tmp_path)
    with (
        redis.Redis.from_url(redis_tls.url, ssl_ca_certs=str(unknown)) as client,
        pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.ping()


def test_plain_text_is_refused(redis_tls: RedisTls) -> None:
    with redis.Redis(port=urlsplit(redis_tls.url).port) as client, pytest.raises(redis.ConnectionError):
        client.ping()
