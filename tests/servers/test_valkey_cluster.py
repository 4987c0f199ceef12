from __future__ import annotations

import redis
from redis.cluster import RedisCluster


def test_a_key_of_each_primary_is_read_through_any_node(valkey_cluster: list[int]) -> None:
    keys = [f"row:{number}" for number in range(60)]
    with RedisCluster(host="127.0.0.1", port=valkey_cluster[-1], decode_responses=True) as cluster:
        for key in keys:
            cluster.set(key, key.upper())
        places = {cluster.get_node_from_key(key).port for key in keys}
        assert places == set(valkey_cluster[:3])
        assert cluster.mget_nonatomic(keys) == [key.upper() for key in keys]


def test_each_primary_has_a_replica_that_holds_its_rows(valkey_cluster: list[int]) -> None:
    for primary_port, replica_port in zip(valkey_cluster[:3], valkey_cluster[3:], strict=True):
        with redis.Redis(port=primary_port) as primary, redis.Redis(port=replica_port) as replica:
            assert primary.wait(1, 60_000) == 1
            assert replica.info("replication")["master_port"] == primary_port
            assert sorted(replica.keys()) == sorted(primary.keys())
