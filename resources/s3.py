"""What Dagster keeps on S3 beside tables: what runs print, and values that pass between assets and are no tables.

Both ask S3 as the offline store does, by the settings of the process that asks: no key is part of any configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster._serdes import ConfigurableClassData
from dagster_aws.s3 import S3PickleIOManager, S3Resource  # pyright: ignore[reportMissingImports] - of an extra
from dagster_aws.s3.compute_log_manager import S3ComputeLogManager  # pyright: ignore[reportMissingImports]

from feature_store.s3.boto import s3_client
from resources.settings import Settings

COMPUTE_LOGS = """
compute_logs: {{module: resources.s3, class: ComputeLogsOnS3, config: {{bucket: "{bucket}", prefix: "{prefix}"}}}}
"""
"""The part of ``dagster.yaml`` for ``FEATURES_COMPUTE_LOGS``."""


class ComputeLogsOnS3(S3ComputeLogManager):
    """What runs print, on S3: uploaded when a step ends."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> ComputeLogsOnS3:
        """Make one of the part of ``dagster.yaml``."""
        settings = Settings.from_environment()
        options = dict(settings.storage_options)
        endpoint = options.get("AWS_ENDPOINT_URL")
        made = cls(inst_data=inst_data, **{**config_value, "skip_empty_files": True, "endpoint_url": endpoint})
        made._s3_session = s3_client(options)
        return made


class ProjectS3(S3Resource):
    """S3 as the settings say."""

    def get_client(self) -> Any:
        """Return a client of boto3."""
        return s3_client(Settings.from_environment().storage_options)


def pickles_on_s3(place: str) -> S3PickleIOManager:
    """Return the IO manager that keeps values at ``s3://bucket/prefix``."""
    bucket, prefix = bucket_and_prefix(place)
    return S3PickleIOManager(s3_resource=ProjectS3(), s3_bucket=bucket, s3_prefix=prefix)


def bucket_and_prefix(place: str) -> tuple[str, str]:
    """Return the two parts of ``s3://bucket/prefix``.

    >>> bucket_and_prefix("s3://lake/logs/runs/")
    ('lake', 'logs/runs')
    """
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    return bucket, prefix.strip("/") or "dagster"
