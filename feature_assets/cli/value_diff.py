"""``diff``: how the stored values of two features differ, e.g. of a new version of a view and the former one."""

from __future__ import annotations

from dataclasses import asdict

from feature_assets.cli.known import known_definitions
from feature_assets.cli.output import print_fields, print_json, print_line, print_table
from feature_store.catalog.names import Named, find_named
from feature_store.errors import InputError
from resources.settings import Settings


def diff(one: str, other: str, partitions: int, *, as_json: bool) -> None:
    """Compare two features on the newest partitions that both have, and print how their values differ.

    Raises:
        InputError: one is no feature, or they are of different entities.
    """
    from feature_assets.parity.versions import StoredFeature, compare_stored  # noqa: PLC0415 - needs Polars and Delta
    from resources.branch import open_store  # noqa: PLC0415 - as above

    definitions, settings = known_definitions(), Settings.from_environment()
    former, new = find_named(definitions, one), find_named(definitions, other)
    if former.feature is None or new.feature is None:
        raise InputError("diff compares two features: write VIEW.FEATURE twice, e.g. spend/v1.spend spend/v2.spend")
    keys = _shared_keys(former, new)
    first = StoredFeature(former.definition.name, former.feature["name"])
    second = StoredFeature(new.definition.name, new.feature["name"])
    store = open_store(settings)
    told = compare_stored(store, first, second, keys, partitions=partitions)
    names = {"one": str(first), "other": str(second)}
    if as_json:
        print_json({**names, **asdict(told), "share_changed": told.share_changed})
        return
    numbers = asdict(told)
    examples, compared = numbers.pop("examples"), numbers.pop("partitions")
    as_ofs = f"{len(compared)}, as of {compared[0]} to {compared[-1]}"
    share = f"{told.changed} of {told.rows} rows ({told.share_changed:.1%})"
    print_fields({**names, "partitions": as_ofs, **numbers, "changed": share, "rows": None})
    if examples:
        print_line()
        print_table(list(examples[0]), [list(example.values()) for example in examples])


def _shared_keys(one: Named, other: Named) -> list[str]:
    entities = [named.definition.document["entity"] for named in (one, other)]
    if entities[0]["keys"] != entities[1]["keys"]:
        raise InputError(f"they describe different entities: {entities[0]['name']} and {entities[1]['name']}")
    return list(entities[0]["keys"])
