"""The OpenAPI document: FastAPI's, with a summary for each operation, examples, and errors in the form that they have.

The first paragraph of a route's docstring is its summary, the others are its description. The example of a body is made of
the examples of its fields.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import FastAPI

from service.api.schemas.parameters import expected
from service.api.schemas.problem_schemas import PROBLEM_JSON, title_of

Json = dict[str, Any]
_DESCRIPTION: Final = """Read the stored reviews and orders, draft and publish answers, and watch jobs, sources and alerts.

**Authentication.** If the service has `OPS_TOKEN`, all endpoints but the probes and the lists of reviews and orders need the
header `Authorization: Bearer` with it. Publishing an answer always needs it.

**Errors** are `application/problem+json` (RFC 9457). `detail` is a sentence for people, `trace_id` finds the log lines.

**Pages.** Lists are newest first. The header `Link` has the URL of the next page (`rel="next"`) if there may be one.

**Values.** Times are RFC 3339 in UTC. Durations are in seconds. Amounts of money are strings with decimals."""
TAGS: Final[list[dict[str, Any]]] = [
    {"name": "reviews", "description": "Stored reviews, and drafts of answers. An answer can be published here."},
    {"name": "orders", "description": "Stored orders. The service only reads them."},
    {"name": "jobs", "description": "The schedule, the runs of jobs and their statistics."},
    {"name": "monitoring", "description": "Metrics for Prometheus, alerts, and the freshness of each source."},
    {
        "name": "health",
        "description": "Probes for load balancers and Kubernetes. They need no token, and answer HEAD, too.",
    },
]
ABOUT: Final[Mapping[str, Any]] = {
    "title": "sovani",
    "summary": "Reviews, orders and drafted answers for sellers on Wildberries and Ozon, with full telemetry.",
    "description": _DESCRIPTION,
    "openapi_tags": TAGS,
}
_FASTAPIS_OWN: Final = ("HTTPValidationError", "ValidationError")
_FORMATS: Final = {"date-time": "2025-10-02T12:00:00Z", "date": "2025-10-02"}
_KINDS: Final[Mapping[str, Any]] = {"boolean": False, "object": {}, "integer": 1, "number": 1.0, "string": ""}


def install_openapi(app: FastAPI) -> None:
    """Make `app.openapi()` return the completed document. It is made once."""
    make = app.openapi

    def openapi() -> Json:
        if app.openapi_schema is None:
            _complete(make())
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(document: Json) -> None:
    schemas = document["components"]["schemas"]
    for name in _FASTAPIS_OWN:
        schemas.pop(name, None)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _summarize(operation)
            _add_problems(operation, _example_path(path, operation), schemas)
            _add_examples(operation, schemas)


def _summarize(operation: Json) -> None:
    summary, _, description = operation.get("description", "").partition("\n\n")
    operation["summary"] = " ".join(summary.split()).removesuffix(".")
    operation["description"] = description.strip()


def _add_examples(operation: Json, schemas: Json) -> None:
    for status, response in operation["responses"].items():
        for kind, media in response.get("content", {}).items():
            if kind == "application/json" and (schema := media.get("schema")):
                media.setdefault("example", example_of(schema, schemas))
                response["description"] = _meaning(status, response["description"], schema, schemas)
    for media in operation.get("requestBody", {}).get("content", {}).values():
        media["example"] = example_of(media["schema"], schemas)


def _meaning(status: str, description: str, schema: Json, schemas: Json) -> str:
    """What the response is: the description of its object, unless the route says more."""
    is_default = status == "200" and description == "Successful Response"
    return str(_resolved(schema, schemas).get("description", description)) if is_default else description


def _add_problems(operation: Json, path: str, schemas: Json) -> None:
    """FastAPI declares errors as `application/json`, and a 422 with a body of its own wherever there is a parameter."""
    for status, response in list(operation["responses"].items()):
        if problem := response.get("content", {}).get(PROBLEM_JSON):
            schema = {"$ref": "#/components/schemas/ProblemOut"}
            own = {"title": title_of(int(status)), "status": int(status), "instance": path}
            detail = {"detail": _detail(problem["example"]["detail"], operation)}
            response["content"] = {
                PROBLEM_JSON: {"schema": schema, "example": example_of(schema, schemas) | own | detail}
            }
        elif any(name in str(response) for name in _FASTAPIS_OWN):
            del operation["responses"][status]


def _detail(detail: str, operation: Json) -> str:
    """The detail of a problem; that of a 422 names the last parameter."""
    parameters: list[Json] = operation.get("parameters", [])
    return (
        detail.format(parameter=parameters[-1]["name"], expected=expected(parameters[-1]["schema"]))
        if parameters
        else detail
    )


def _example_path(path: str, operation: Json) -> str:
    for parameter in operation.get("parameters", ()):
        path = path.replace(f"{{{parameter['name']}}}", str(next(iter(_examples(parameter)), "")))
    return path


def _examples(parameter: Json) -> Iterator[Any]:
    yield from parameter.get("schema", {}).get("examples", ())


def _resolved(schema: Json, schemas: Json) -> Json:
    found: Json = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return found


def example_of(schema: Json, schemas: Json) -> Any:
    """A value of the schema: its first example, or else one that is made of the examples of its parts."""
    schema = _resolved(schema, schemas)
    if schema.get("examples"):
        return schema["examples"][0]
    if "default" in schema or "const" in schema:
        return schema.get("default", schema.get("const"))
    if choices := schema.get("anyOf") or schema.get("allOf"):
        return example_of(choices[0], schemas)
    if values := schema.get("enum"):
        return values[0]
    return _example_by_type(schema, schemas)


def _example_by_type(schema: Json, schemas: Json) -> Any:
    if properties := schema.get("properties"):
        return {name: example_of(each, schemas) for name, each in properties.items()}
    if schema.get("type") == "array":
        return [example_of(schema["items"], schemas)]
    return _FORMATS.get(schema.get("format", "")) or _KINDS.get(schema.get("type", ""))
