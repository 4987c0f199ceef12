"""A process with a Dagster instance and runs of its own, by the settings of its environment. Started by the tests."""

import json

import dagster as dg

from resources.dagster_home import use_project_home
from resources.offline import OfflineStoreResource
from resources.online import OnlineStoreResource
from resources.project import project_resources
from resources.settings import Settings
from tests.offline.definitions import day, purchase_rows, purchases


@dg.asset
def hello_value(offline_store: OfflineStoreResource, online_store: OnlineStoreResource) -> int:
    """Land a row, and hand on a value that is no table."""
    print("hello from the run")
    rows = purchase_rows([(1, day(0, 1), "b", 1.0, 1)])
    offline_store.store.source(purchases.asset).write(rows, day(0), day(1), time_column="bought_at", run_id="run")
    assert "planted" in online_store.url
    return 41


@dg.asset
def next_value(hello_value: int) -> int:
    """Read the value again."""
    return hello_value + 1


def main() -> None:
    settings = Settings.from_environment()
    use_project_home(settings)
    resources = project_resources("storekeepers")
    definitions = dg.Definitions(assets=[hello_value, next_value], resources=resources)
    job = definitions.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(instance=instance)
        assert result.success
        value = result.output_for_node("next_value")
    rows = OfflineStoreResource(root=settings.offline_root, storage_options=dict(settings.storage_options))
    url = "from the secret" if settings.online_url.startswith("redis://:") else settings.online_url
    print(json.dumps({"value": value, "rows": rows.store.source(purchases.asset).scan().collect().height, "url": url}))


if __name__ == "__main__":
    main()
