"""Error responses of Ozon: JSON with a gRPC code, or plain text and HTML of its proxy."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import JSONResponse, PlainTextResponse, Response

INVALID_ARGUMENT: Final = 3
NOT_FOUND: Final = 5
PERMISSION_DENIED: Final = 7
RESOURCE_EXHAUSTED: Final = 8
INTERNAL: Final = 13
UNAUTHENTICATED: Final = 16


class ApiError(Exception):
    """An error of the Seller API: an HTTP status, a gRPC code and a message."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        body = {"code": self.code, "message": self.message, "details": []}
        return JSONResponse(body, self.status, headers)


def invalid(message: str) -> ApiError:
    return ApiError(400, INVALID_ARGUMENT, message)


def not_found(what: str) -> ApiError:
    return ApiError(404, NOT_FOUND, f"{what} not found")


def no_credentials() -> ApiError:
    return ApiError(401, UNAUTHENTICATED, "Client-Id and Api-Key headers are required")


def bad_key() -> ApiError:
    return ApiError(403, PERMISSION_DENIED, "Invalid Api-Key, please check the key and try again")


def no_subscription() -> ApiError:
    """Has the status and code of `bad_key`; only the message differs."""
    return ApiError(
        403,
        PERMISSION_DENIED,
        "i.service.ReviewInfoV2: ReviewListV2 s.CheckSellerReviewAccess: rpc error: code = PermissionDenied "
        "desc = not available with existing subscription",
    )


def rate_limited(per_second: float, seconds: int) -> Response:
    message = f"rate limit exceeded for `seller-api` client, current max rate per sec.: {per_second:g}"
    return ApiError(429, RESOURCE_EXHAUSTED, message).response(
        {"ratelimit-remaining": "0", "retry-after": str(seconds)}
    )


def circuit_open() -> Response:
    return PlainTextResponse("Circle is open", 429)


def page_not_found() -> Response:
    return PlainTextResponse("404 page not found", 404)


def bad_gateway() -> Response:
    page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<h1>502 Bad Gateway</h1>\r\n</body>\r\n</html>"
    return Response(page, 502, media_type="text/html")


def internal_error() -> Response:
    return ApiError(500, INTERNAL, "Internal error").response()
