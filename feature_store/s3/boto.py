"""boto3, when it is needed: a client by storage options, and its errors as errors of ours."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any, Final

from feature_store.errors import InputError, StorageError

CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 20
_ATTEMPTS: Final = 3


def boto3_module() -> Any:
    """Return boto3.

    Raises:
        InputError: it is not installed.
    """
    try:
        return import_module("boto3")
    except ImportError as error:
        raise InputError("S3 needs boto3: install feature-store with its extra s3") from error


def s3_client(options: Mapping[str, str]) -> Any:
    """Return a client of S3, the same one for the same options; it may be used by several threads."""
    given = {name.upper(): value for name, value in dict(options).items()}
    return _client(tuple(sorted(given.items())))


@cache
def _client(given: tuple[tuple[str, str], ...]) -> Any:
    options = dict(given)
    config = import_module("botocore.config").Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        s3={"addressing_style": _addressing(options)},
        # Servers that only speak like S3 may not know the checksums that AWS added.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return (
        boto3_module()
        .Session()
        .client(
            "s3",
            endpoint_url=options.get("AWS_ENDPOINT_URL") or options.get("AWS_ENDPOINT"),
            region_name=options.get("AWS_REGION") or options.get("AWS_DEFAULT_REGION"),
            aws_access_key_id=options.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=options.get("AWS_SECRET_ACCESS_KEY"),
            aws_session_token=options.get("AWS_SESSION_TOKEN"),
            config=config,
        )
    )


def _addressing(options: Mapping[str, str]) -> str:
    said = options.get("AWS_VIRTUAL_HOSTED_STYLE_REQUEST")
    return "auto" if said is None else "virtual" if said.lower() == "true" else "path"


@contextmanager
def client_error(place: str, problem: str) -> Generator[None]:
    """Raise what boto3 raises within as an error of ours.

    Args:
        place: what is read or written.
        problem: what is wrong then, e.g. ``it cannot be read``.

    Raises:
        FileNotFoundError: the object or the bucket is not there.
        FileExistsError: a condition was not met: somebody else wrote it.
        StorageError: anything else.
    """
    errors: Any = import_module("botocore.exceptions")
    cut_off: Any = import_module("urllib3.exceptions").HTTPError  # in the middle of a body boto3 lets it through
    try:
        yield
    except errors.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _GONE:
            raise FileNotFoundError(place) from error
        if code in _LOST:
            raise FileExistsError(place) from error
        raise StorageError(f"{place}: {problem} ({error}). Instead: {_cure(code)}.") from error
    except (errors.BotoCoreError, cut_off) as error:
        raise StorageError(f"{place}: {problem} ({error}). Instead: see that S3 can be reached, with keys.") from error


_GONE: Final = frozenset({"404", "NoSuchKey", "NoSuchBucket"})
_LOST: Final = frozenset({"412", "PreconditionFailed", "409", "ConditionalRequestConflict"})
_DENIED: Final = frozenset({"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"})


def _cure(code: str) -> str:
    return "let this process read and write there, and run again" if code in _DENIED else "run again"
