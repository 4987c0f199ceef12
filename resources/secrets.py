"""Secrets from AWS Secrets Manager, by way of dagster-aws: they become variables of this process, and nothing else."""

from __future__ import annotations

import os
from functools import cache

from feature_store.errors import InputError, StorageError
from feature_store.s3.boto import client_error
from feature_store.s3.options import S3Settings


def bring_secrets() -> None:
    """Set the variables that the secrets named by ``FEATURES_SECRETS`` hold, but those that are set already.

    ``FEATURES_SECRETS`` lists names or ARNs, with commas between them. The variable is the last part of a
    secret's name: ``prod/FEATURES_ONLINE_URL`` is ``FEATURES_ONLINE_URL``. Processes that this one starts
    inherit them.

    Raises:
        InputError: a secret is not called like a variable, or dagster-aws is not installed.
        StorageError: Secrets Manager does not give one.
    """
    named = os.environ.get("FEATURES_SECRETS", "")
    for name, value in _fetched(named).items() if named else ():
        os.environ.setdefault(name, value)


@cache
def _fetched(named: str) -> dict[str, str]:
    try:
        from dagster_aws.secretsmanager import (  # noqa: PLC0415  # pyright: ignore[reportMissingImports]
            SecretsManagerSecretsResource,
        )
    except ImportError as error:
        raise InputError("FEATURES_SECRETS needs dagster-aws: install feature-store with dagster-s3") from error
    settings = S3Settings.from_environment()
    asked = [each.strip() for each in named.split(",") if each.strip()]
    resource = SecretsManagerSecretsResource(
        secrets=asked, region_name=settings.region or None, profile_name=settings.profile or None
    )
    try:
        with client_error(f"FEATURES_SECRETS={named}", "it cannot be read from AWS Secrets Manager"):
            found = resource.fetch_secrets()
    except FileNotFoundError as error:
        raise StorageError(f"FEATURES_SECRETS={named}: AWS Secrets Manager has no such secret") from error
    variables = {name.rpartition("/")[2]: value for name, value in found.items()}
    odd = [name for name in variables if not name.isidentifier()]
    if odd:
        raise InputError(f"FEATURES_SECRETS={named}: {', '.join(odd)} is no name of a variable: end it by one")
    return variables
