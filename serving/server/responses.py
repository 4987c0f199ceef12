"""The wire: bodies, headers and status codes."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson

from feature_store.errors import CarriedError, FeatureStoreError, FingerprintError
from feature_store.plans.service_plan import PlanInput, ServicePlan
from serving.read.requests import RequestError, RequestKeys, UnknownServiceError
from serving.server.batching import Answer
from serving.stores.errors import StoreError

JSON: Final = "application/json"
ARROW: Final = "application/vnd.apache.arrow.stream"


class Response(NamedTuple):
    """A whole HTTP response."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class HttpError(CarriedError):
    """A request that fails before it reaches a service.

    Attributes:
        status: HTTP status.
        field: what is wrong.
        message: why, and what to do instead.
        headers: of the response.
    """

    def __init__(self, status: int, field: str, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.field = field
        self.message = message
        self.headers = headers


def json_response(value: Any, status: int = 200) -> Response:
    """Return a value as JSON."""
    return Response(status, JSON, orjson.dumps(value))


def error_response(error: HttpError | FeatureStoreError) -> Response:
    """Return an error as JSON: 400 or 404 if the request is to blame, 503 if the store is, 500 if a feature is."""
    headers: tuple[tuple[str, str], ...] = ()
    match error:
        case HttpError():
            status, field, message, headers = error.status, error.field, error.message, error.headers
        case UnknownServiceError():
            status, field, message = 404, error.field, error.message
        case RequestError():
            status, field, message = 400, error.field, error.message
        case StoreError() | FingerprintError():
            status, field, message = 503, "store", str(error)
        case _:
            status, field = 500, "features"
            message = "they cannot be computed for these entities; see the server's log"
    return json_response({"error": {"field": field, "message": message}}, status)._replace(headers=headers)


def features_json(keys: RequestKeys, answer: Answer) -> Response:
    """Return one request's feature vectors as columnar JSON."""
    return Response(200, JSON, answer.batch.json.answer(keys.values, answer.start, answer.stop))


def features_arrow(answer: Answer) -> Response:
    """Return one request's feature vectors as an Arrow IPC stream."""
    from serving.read.arrow import to_ipc_stream  # noqa: PLC0415 - pyarrow is large, and JSON callers do without

    vectors = answer.batch.vectors.take(answer.start, answer.stop)
    return Response(200, ARROW, to_ipc_stream(vectors.to_arrow()))


def services_json(plans: list[ServicePlan]) -> Response:
    """Return what the server serves."""
    return json_response(
        {
            "services": [
                {
                    "service": plan.service,
                    "version": plan.version,
                    "owner": plan.owner,
                    "keys": {name: dtype.name for name, dtype in plan.keys.items()},
                    "inputs": {each.name: _input(each) for each in plan.inputs},
                    "features": {output.name: output.dtype for output in plan.outputs},
                    **({"deprecated": plan.deprecations} if plan.deprecations else {}),
                }
                for plan in plans
            ]
        }
    )


def _input(declared: PlanInput) -> dict[str, Any]:
    return {"type": declared.dtype, "required": declared.default is None}
