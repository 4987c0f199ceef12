"""Where S3 is and who asks there: the storage options of delta-rs and Polars, with keys that are fetched when needed.

Without a profile or a role nothing is said of keys: delta-rs, Polars and boto3 find those of the environment, of a web
identity or of the machine by themselves.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, Final

from feature_store.errors import InputError, StorageError
from feature_store.s3.boto import boto3_module, client_error

SECRETS: Final = frozenset(
    {
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_TOKEN"),
        *("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "TOKEN"),
    }
)
"""The options that are keys, as delta-rs and Polars spell them, in capitals."""

_ADDRESSING: Final = ("path", "virtual")
_ROLE: Final = re.compile(r"arn:[\w-]+:iam::\d{12}:role/.+")


@dataclass(frozen=True)
class S3Settings:
    """Where S3 is, and as whom one asks there.

    Attributes:
        endpoint: URL of a server that speaks S3; empty: that of AWS, or of the environment's ``AWS_ENDPOINT_URL``.
        region: e.g. ``eu-central-1``; empty: the environment's ``AWS_REGION``.
        addressing: ``path`` (``endpoint/bucket/key``) or ``virtual`` (``bucket.endpoint/key``); empty: ``path`` with an
            endpoint, ``virtual`` without.
        profile: of ``~/.aws``; empty: none.
        role: ARN of a role that is assumed, by the profile if there is one; empty: none.
    """

    endpoint: str = ""
    region: str = ""
    addressing: str = ""
    profile: str = ""
    role: str = ""

    def __post_init__(self) -> None:
        if self.endpoint and not self.endpoint.startswith(("http://", "https://")):
            raise InputError(f"the S3 endpoint {self.endpoint!r} is no URL: write e.g. https://s3.example.com")
        if self.addressing not in ("", *_ADDRESSING):
            raise InputError(f"S3 addressing {self.addressing!r} is none of {', '.join(_ADDRESSING)}")
        if self.role and not _ROLE.fullmatch(self.role):
            raise InputError(f"{self.role!r} is no ARN of a role: write arn:aws:iam::123456789012:role/name")

    @staticmethod
    def from_environment(environment: Mapping[str, str] | None = None) -> S3Settings:
        """Return what ``FEATURES_S3_ENDPOINT``, ``_REGION``, ``_ADDRESSING``, ``_PROFILE`` and ``_ROLE`` say.

        Raises:
            InputError: one of them has a value that cannot be.
        """
        given = os.environ if environment is None else environment
        names = ("endpoint", "region", "addressing", "profile", "role")
        try:
            return S3Settings(**{name: given.get(f"FEATURES_S3_{name.upper()}", "") for name in names})
        except InputError as error:
            raise InputError(f"FEATURES_S3_...: {error}") from error


@dataclass(frozen=True, eq=False)
class S3Options(Mapping[str, str]):
    """Storage options, as delta-rs and Polars take them; keys of a profile or a role are those of now.

    Pickled, it is its settings, without any key: those of a profile or a role are fetched where it is used.

    Attributes:
        settings: where and as whom.
        given: options that are given as they are, and win.

    Raises:
        StorageError: when it is read: no keys could be had.
    """

    settings: S3Settings
    given: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def __iter__(self) -> Iterator[str]:
        # Whoever copies it asks for names first, and then for each value: keys must be of one moment.
        _now.options = self._resolved()
        return iter(_now.options)

    def __len__(self) -> int:
        return len(self._resolved())

    def __getitem__(self, name: str) -> str:
        seen: dict[str, str] = getattr(_now, "options", {})
        return seen[name] if name in seen and name in SECRETS else self._resolved()[name]

    def __reduce__(self) -> tuple[type[S3Options], tuple[S3Settings, dict[str, str]]]:
        """Leave out keys: plans and tasks travel to other processes, which have keys of their own."""
        return S3Options, (self.settings, {name: of for name, of in self.given.items() if name.upper() not in SECRETS})

    def _resolved(self) -> dict[str, str]:
        return {**_place(self.settings), **_keys(self.settings), **self.given}


def options_of(uri: str, options: Mapping[str, str]) -> Mapping[str, str]:
    """Return the storage options of a place; those of one on S3 leave their keys behind when they are pickled."""
    if not uri.startswith("s3://") or isinstance(options, S3Options):
        return options
    return S3Options(S3Settings(), options)


_now: Final = threading.local()


def _place(settings: S3Settings) -> dict[str, str]:
    options: dict[str, str] = {}
    if settings.endpoint:
        options["AWS_ENDPOINT_URL"] = settings.endpoint
    if settings.endpoint.startswith("http://"):
        options["AWS_ALLOW_HTTP"] = "true"
    if settings.region:
        options["AWS_REGION"] = settings.region
    if settings.addressing:
        options["AWS_VIRTUAL_HOSTED_STYLE_REQUEST"] = "true" if settings.addressing == "virtual" else "false"
    return options


def _keys(settings: S3Settings) -> dict[str, str]:
    if not settings.profile and not settings.role:
        return {}
    whose = settings.role or f"profile {settings.profile}"
    with client_error(whose, "no keys can be had"):
        credentials = _credentials(settings.profile, settings.role, settings.region)
        found = None if credentials is None else credentials.get_frozen_credentials()
    if found is None:
        raise StorageError(f"{whose}: no keys can be had. Instead: give the profile keys, a role or a single sign-on.")
    keys = {"AWS_ACCESS_KEY_ID": found.access_key, "AWS_SECRET_ACCESS_KEY": found.secret_key}
    return keys if found.token is None else {**keys, "AWS_SESSION_TOKEN": found.token}


@cache
def _credentials(profile: str, role: str, region: str) -> Any:
    """Return credentials that renew themselves before they end."""
    session = boto3_module().Session(profile_name=profile or None, region_name=region or None)
    if not role:
        return session.get_credentials()
    botocore: Any = import_module("botocore.credentials")
    base: Any = session._session  # noqa: SLF001 - boto3 has no other way to renew an assumed role
    fetcher = botocore.AssumeRoleCredentialFetcher(
        client_creator=base.create_client,
        source_credentials=session.get_credentials(),
        role_arn=role,
        extra_args={"RoleSessionName": "feature-store"},
    )
    return botocore.DeferredRefreshableCredentials(method="assume-role", refresh_using=fetcher.fetch_credentials)
