"""The OpenAPI document explains itself: each operation, tag, parameter and field in words, each body with an example."""

import jsonschema_rs
import pytest

from service.api.openapi import TAGS
from service.main import create_app
from service.settings import Settings

PROBLEM_JSON = "application/problem+json"
EVERYWHERE = {"400", "413", "414", "500"}


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    home = tmp_path_factory.mktemp("texts")
    settings = Settings(
        database_url=f"sqlite:///{home}/none.db", data_dir=home / "var", log_dir=home / "log", scheduler=False
    )
    app = create_app(settings)
    yield app.openapi()
    app.state.runtime.close()


@pytest.fixture(scope="module")
def operations(document):
    """Each operation by its name, such as `GET /jobs`."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def bodies(operation):
    """The media types of the responses that are a success, and of the request."""
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            yield from ((status, media) for media in response["content"].values())
    yield from (("request", media) for media in operation.get("requestBody", {}).get("content", {}).values())


def test_the_service_and_each_tag_have_a_description(document, operations):
    declared = {tag["name"] for tag in document["tags"] if tag["description"].endswith(".")}

    assert {"title", "summary", "description"} <= document["info"].keys()
    assert declared == {tag["name"] for tag in TAGS} == {tag for each in operations.values() for tag in each["tags"]}


def test_each_operation_has_one_tag_a_summary_and_a_description(operations):
    wrong = [
        name
        for name, each in operations.items()
        if len(each["tags"]) != 1
        or not 10 <= len(each["summary"]) <= 60
        or each["summary"].endswith(".")
        or not each["description"].endswith(".")
    ]

    assert wrong == []


def test_each_parameter_has_a_description(operations):
    undescribed = [
        f"{name} {parameter['name']}"
        for name, each in operations.items()
        for parameter in each.get("parameters", ())
        if not parameter.get("description", "").endswith(".")
    ]

    assert undescribed == []


def test_each_object_and_each_field_has_a_description(document):
    schemas = document["components"]["schemas"]
    undescribed = [name for name, schema in schemas.items() if not schema.get("description", "").endswith(".")]
    undescribed += [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, each in schema.get("properties", {}).items()
        if not each.get("description", "").endswith(".")
    ]

    assert undescribed == []


def test_each_body_has_an_example_that_its_schema_accepts(document, operations):
    wrong = {
        f"{name} {where}": error.message
        for name, each in operations.items()
        for where, media in bodies(each)
        for error in jsonschema_rs.Draft202012Validator(
            {**media["schema"], "components": document["components"]}
        ).iter_errors(media["example"])
    }

    assert wrong == {}


def test_each_field_of_an_example_says_something(document, operations):
    """No text is empty, and no object: the example shows what may be there."""

    def empty(where, value):
        if isinstance(value, dict):
            return [each for key, part in value.items() for each in empty(f"{where}.{key}", part)] or (
                [] if value else [where]
            )
        if isinstance(value, list):
            return [each for part in value for each in empty(where, part)]
        return [where] if value == "" else []

    assert [
        wrong
        for name, each in operations.items()
        for _, media in bodies(each)
        for wrong in empty(name, media["example"])
    ] == []


def test_an_error_is_problem_json_with_its_meaning_and_an_example(document, operations):
    schemas = document["components"]["schemas"]
    for name, each in operations.items():
        for status, response in each["responses"].items():
            assert response["description"].endswith("."), (name, status)
            if status >= "400" and "text/plain" not in response["content"] and name != "GET /healthz":
                [(kind, media)] = response["content"].items()
                assert (kind, media["schema"]) == (PROBLEM_JSON, {"$ref": "#/components/schemas/ProblemOut"})
                jsonschema_rs.validate(schemas["ProblemOut"], media["example"])
                assert media["example"]["status"] == int(status)
                assert "{" not in media["example"]["detail"] + media["example"]["instance"]


def test_an_operation_declares_the_errors_that_its_parts_can_give(operations):
    for name, each in operations.items():
        expected = set(EVERYWHERE)
        expected |= {"401"} if each.get("security") else set()
        expected |= {"403"} if name.startswith("POST") else set()
        expected |= {"404"} if "{" in name else set()
        checked = [parameter for parameter in each.get("parameters", ()) if is_checked(parameter["schema"])]
        expected |= {"422"} if checked or "requestBody" in each else set()
        expected |= {"503"} if not {"health"} & set(each["tags"]) and name != "GET /metrics" else set()
        assert expected - each["responses"].keys() == set(), name


def is_checked(schema):
    """Whether a value of the parameter can be wrong."""
    kinds = [each for each in (schema, *schema.get("anyOf", ())) if each.get("type") != "null"]
    return any(set(each) & {"enum", "minimum", "pattern", "format", "maxLength"} for each in kinds)
