"""A store that evicts rows gives wrong answers without a sign: a row that is not there is an entity without events."""

from __future__ import annotations

from serving.stores.errors import StoreError
from serving.stores.redis.connection import place

POLICY = "maxmemory_policy"
"""How ``INFO memory`` names the policy."""


def policy_in(memory: bytes) -> str:
    r"""Return the ``maxmemory-policy`` from the reply to ``INFO memory``.

    >>> policy_in(b"# Memory\r\nused_memory:5\r\nmaxmemory_policy:noeviction\r\n")
    'noeviction'
    """
    return memory.partition(POLICY.encode() + b":")[2].partition(b"\r\n")[0].decode()


def refuse_eviction(url: str, policy: str) -> None:
    """Refuse a server that may evict keys which never expire, such as rows.

    Args:
        url: of the server.
        policy: its ``maxmemory-policy``.

    Raises:
        StoreError: it may evict them.
    """
    if policy.startswith("allkeys"):
        raise StoreError(
            f"online store {place(url)}: its maxmemory-policy is {policy}, which drops rows when memory runs short; "
            f"their entities would be taken for ones without events: set it to noeviction (or volatile-...)"
        )
