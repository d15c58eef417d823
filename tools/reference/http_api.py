"""The page of the HTTP API, from the application's OpenAPI description."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from service.api.schemas.parameters import expected
from service.api.schemas.problem_schemas import COMMON
from tools.reference.markdown import code, codes, sentence, table

Json = Mapping[str, Any]
_METHODS: Final = ("get", "post", "put", "patch", "delete")


def page(openapi: Json) -> str:
    """The whole page."""
    parts = [_HEAD, openapi["info"]["description"]]
    for tag in openapi["tags"]:
        parts += [f"## {tag['name'].capitalize()}", tag["description"]]
        for path, method, operation in _operations(openapi, tag["name"]):
            parts += _operation(path, method, operation)
    parts += ["## Errors of every endpoint", _errors(_common(openapi)), "## Objects"]
    for name, schema in sorted(openapi["components"]["schemas"].items()):
        parts += _object(name, schema)
    return "\n\n".join(parts) + "\n"


def _operations(openapi: Json, tag: str) -> Iterator[tuple[str, str, Json]]:
    for path, operations in sorted(openapi["paths"].items()):
        for method in [method for method in _METHODS if method in operations]:
            if tag in operations[method]["tags"]:
                yield path, method, operations[method]


def _common(openapi: Json) -> list[tuple[str, Json]]:
    """The errors that each operation can give."""
    responses = next(iter(openapi["paths"].values()))["get"]["responses"]
    return [(status, responses[status]) for status in sorted(_SHARED)]


def _operation(path: str, method: str, operation: Json) -> Iterator[str]:
    yield f"### `{method.upper()} {path}`"
    yield sentence(operation["summary"])
    yield operation["description"]
    if operation.get("security"):
        yield _AUTHENTICATION
    parameters = [
        (code(each["name"]), each["in"], expected(each["schema"]), _default(each["schema"]), each["description"])
        for each in operation.get("parameters", ())
    ]
    if parameters:
        yield table(("parameter", "in", "allowed", "default", "meaning"), parameters)
    for body in operation.get("requestBody", {}).get("content", {}).values():
        yield f"Body: {_type(body['schema'])}, for example:"
        yield _example(body["example"])
    yield from _successes(operation)
    errors = [(status, each) for status, each in _responses(operation) if status >= "400" and status not in _SHARED]
    if errors:
        yield _errors(errors)


def _successes(operation: Json) -> Iterator[str]:
    for status, response in _responses(operation):
        if status < "400":
            [(kind, media)] = response["content"].items()
            shape = _type(media["schema"]) if kind == "application/json" else code(kind)
            yield f"Response {code(status)}: {shape}. {sentence(response['description'])}"
            for name, header in response.get("headers", {}).items():
                yield f"Header {code(name)}: {header['description']}"
            if status == "200":
                yield _example(media["example"])


def _errors(responses: list[tuple[str, Json]]) -> str:
    return table(
        ("error", "meaning", "example of the text"),
        [(code(status), each["description"], _first_line(each["content"])) for status, each in responses],
    )


def _first_line(content: Json) -> str:
    [(_, media)] = content.items()
    example = media.get("example", "")
    return code(
        str(example.get("detail", example.get("status")) if isinstance(example, dict) else example).split("\n")[0]
    )


def _example(value: Any) -> str:
    if isinstance(value, str):
        return f"```text\n{value.strip()}\n```"
    return f"```json\n{json.dumps(value, ensure_ascii=False, indent=2)}\n```"


def _default(schema: Json) -> str:
    return "" if schema.get("default") is None else code(schema["default"])


def _responses(operation: Json) -> list[tuple[str, Json]]:
    return sorted(operation["responses"].items())


def _object(name: str, schema: Json) -> Iterator[str]:
    yield f"### `{name}`"
    if schema.get("description"):
        yield sentence(schema["description"])
    fields = [
        (code(field), _type(each), each.get("description", "")) for field, each in schema.get("properties", {}).items()
    ]
    yield table(("field", "type", "meaning"), fields) or codes(schema.get("enum", ()))


def _type(schema: Json) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[`{name}`](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return codes(schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return " ".join(filter(None, (schema.get("type", "any value"), _limits(schema))))


def _limits(schema: Json) -> str:
    words = {"format": "{}", "minimum": "from {}", "maximum": "to {}", "maxLength": "of at most {} characters"}
    return " ".join(words[name].format(schema[name]) for name in words if name in schema)


_SHARED: Final = frozenset(map(str, COMMON))
_AUTHENTICATION: Final = "Authentication: `Authorization: Bearer` with `OPS_TOKEN`, if the service has one."
_HEAD: Final = """# HTTP API

`GET /docs` shows the API to try out, by the files of `/docs/{asset}`; `GET /openapi.json` is its description. Both also accept
`OPS_TOKEN` as the password that a browser asks for.

`make reference` makes this page from `/openapi.json`."""
