"""Every morning: does the online store hold what was loaded? The same as ``features verify --online --sample N``.

What differs is listed in the ledger: from there it is told, and loaded again, by the sensors that do so.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Final

import dagster as dg

from feature_store import FeatureView
from feature_store.errors import FeatureStoreError
from resources.offline import OfflineStoreResource
from resources.online import OnlineStoreResource
from serving.load.verify import OnlineStores, verify_online
from serving.stores.open_store import open_inspector, open_loader

EVERY_MORNING: Final = "20 5 * * *"
"""UTC."""


def verification_schedule(
    views: Sequence[FeatureView], sample: int, cron: str = EVERY_MORNING
) -> dg.ScheduleDefinition:
    """Return the schedule that compares rows of each generation online with the partition it was loaded from.

    The job can be started by hand, too, with other numbers, or for some views alone. A run fails where something
    differs, or cannot be compared, once it has looked at all views.

    Args:
        views: of any number of teams.
        sample: so many rows of each generation are compared, about.
        cron: when, UTC.
    """
    job = verification_job(views, sample)
    return dg.ScheduleDefinition(
        name="verify_online_daily",
        job=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Compares about {sample:,} rows of each generation online with what they were loaded from.",
    )


def verification_job(views: Sequence[FeatureView], sample: int) -> dg.JobDefinition:
    """Return the job of ``verification_schedule``."""
    by_name = {view.full_name: view for view in views}

    @dg.op(
        name="verify_online",
        config_schema={
            "sample": dg.Field(dg.Int, default_value=sample, description="rows of each generation, about; 0: all"),
            "views": dg.Field([str], default_value=[], description="full names; none: all"),
        },
    )
    def verify(
        context: dg.OpExecutionContext, offline_store: OfflineStoreResource, online_store: OnlineStoreResource
    ) -> None:
        chosen = [by_name[name] for name in context.op_config["views"]] or list(views)
        rows, problems = 0, dict[str, list[str]]()
        url, size = online_store.running_url(), context.op_config["sample"] or None
        with closing(open_inspector(url)) as inspector, closing(open_loader(url)) as loader:
            counts = inspector.row_counts() if size is None else None
            online = OnlineStores(inspector, loader, counts, size)
            for view in chosen:
                try:
                    found = verify_online(offline_store.store, view, online, datetime.now(UTC))
                except FeatureStoreError as error:
                    problems[view.full_name] = [str(error)]
                    continue
                rows += found.rows
                context.log.info(
                    "%s: %s rows of %s generations compared", view.full_name, found.rows, found.generations
                )
                if found.damages:
                    problems[view.full_name] = [str(damage) for damage in found.damages]
        if problems:
            raise dg.Failure(
                f"{len(problems)} of {len(chosen)} views online are not as they were loaded, or cannot be compared",
                metadata={"problems": dg.MetadataValue.md(_table(problems)), "rows": rows},
                allow_retries=False,
            )
        context.add_output_metadata({"views": len(chosen), "rows": rows})

    @dg.job(name="verify_online_rows", description="Compares rows online with what they were loaded from.")
    def verify_online_rows() -> None:
        verify()

    return verify_online_rows


def _table(problems: Mapping[str, Sequence[str]]) -> str:
    return "\n".join(f"- {view}: {problem}" for view, listed in problems.items() for problem in listed)
