"""The errors of calls to OpenAI, which never contain a key."""

import logging
import socket
import traceback

import openai as sdk
import pytest

from service.integrations.http.errors import (
    CallError,
    Forbidden,
    Misconfigured,
    Rejected,
    TooManyRequests,
    Unauthorized,
    Unreachable,
)
from service.integrations.openai.errors import QuotaExhausted, classify_error

SECRETS = ("canary", "sk-proj")


@pytest.fixture
def failure(draft):
    """Drafts, and returns the error."""

    def fail(**options):
        with pytest.raises(CallError) as raised:
            draft(**options)
        return raised.value

    return fail


def everything_about(error):
    return repr(error) + "".join(traceback.format_exception(error, chain=True)) + repr(vars(error))


@pytest.mark.parametrize(
    "code", ["insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached", "billing_not_active"]
)
def test_an_account_without_money_is_asked_once_and_told_apart(openai, failure, waits, code):
    openai.refuse(429, code, {"type": code}, retry_after="1", x_should_retry="true")

    error = failure()

    assert type(error) is QuotaExhausted
    assert not error.retryable
    assert "quota or balance is used up" in str(error)
    assert (len(openai.requests), waits) == (1, [])


@pytest.mark.parametrize(("status", "error"), [(402, {}), (429, {"code": None, "type": "insufficient_quota"})])
def test_money_is_also_told_by_the_status_or_the_type_alone(openai, failure, status, error):
    openai.refuse(status, None, error)

    assert type(failure()) is QuotaExhausted


def test_a_key_that_is_not_accepted_names_its_variable_and_shows_no_part_of_itself(openai, failure):
    openai.refuse(401, "invalid_api_key", {"message": "Incorrect API key provided: sk-proj-c****************wxyz."})

    error = failure()

    assert type(error) is Unauthorized
    assert str(error) == "OpenAI does not accept the key: check OPENAI_API_KEY."
    assert openai.keys == ["Bearer sk-proj-canary0123456789wxyz"]


def test_a_region_that_is_not_served_names_the_address_to_change(openai, failure):
    openai.refuse(403, "unsupported_country_region_territory", {"type": "request_forbidden"})

    error = failure()

    assert type(error) is Forbidden
    assert "OPENAI_BASE_URL" in str(error)


def test_another_prohibition_says_what_openai_says(openai, failure):
    openai.refuse(403, "insufficient_permissions", {"message": "Missing scopes: model.request"})

    error = failure()

    assert type(error) is Forbidden
    assert str(error).endswith("(insufficient_permissions, Missing scopes: model.request).")


def test_an_unknown_model_names_its_variable(openai, failure):
    openai.refuse(404, "model_not_found", {"message": "The model `gpt-9` does not exist"})

    error = failure()

    assert type(error) is Misconfigured
    assert "check OPENAI_MODEL" in str(error)
    assert "`gpt-9`" in str(error)


def test_an_unknown_address_names_the_variable_of_the_address(openai, failure):
    openai.send(404, b"<html>not here</html>", "text/html")

    error = failure()

    assert type(error) is Misconfigured
    assert str(error) == "OpenAI has no such endpoint: check OPENAI_BASE_URL."


def test_an_unsupported_parameter_is_named(openai, failure):
    openai.refuse(400, "unsupported_parameter", {"param": "text.format"})

    error = failure()

    assert type(error) is Misconfigured
    assert "does not support the parameter text.format" in str(error)


@pytest.mark.parametrize("status", [302, 400, 413, 422])
def test_other_refusals_say_their_status_and_are_not_repeated(openai, failure, status):
    openai.refuse(status, "odd", {"param": "input", "message": "Too\nlong for sk-other-key0123 " * 50})

    error = failure()

    assert type(error) is Rejected
    assert str(error).startswith(f"OpenAI refused the call with {status} (odd, input, Too long for [hidden key …0123] ")
    assert len(str(error)) < 400
    assert len(openai.requests) == 1


@pytest.mark.parametrize("body", [b'{"error": "boom"}', b'{"error": {"type": {"a": 1}, "code": ["b"]}}', b"[]", b""])
def test_an_error_of_another_shape_is_an_error_all_the_same(openai, failure, body):
    openai.send(400, body)

    assert type(failure()) is Rejected


def test_too_many_requests_are_told_apart_after_three_attempts(openai, failure):
    openai.refuse(429, "rate_limit_exceeded", {"type": "requests"}, retry_after="2")

    error = failure()

    assert type(error) is TooManyRequests
    assert error.retry_after == 2.0
    assert len(openai.requests) == 3


@pytest.mark.parametrize("status", [408, 409, 500, 503])
def test_a_server_that_is_in_trouble_is_unreachable_after_three_attempts(openai, failure, status):
    openai.send(status, b"<html>Bad gateway</html>", "text/html")

    error = failure()

    assert type(error) is Unreachable
    assert str(error) == f"OpenAI answered with {status}."
    assert error.may_have_applied
    assert len(openai.requests) == 3


def test_a_refused_port_is_unreachable_and_nothing_has_arrived(openai, failure):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    error = failure(url=f"http://127.0.0.1:{port}/v1")

    assert type(error) is Unreachable
    assert str(error) == "OpenAI is unavailable: the call failed (ConnectError)."
    assert not error.may_have_applied


def test_an_error_names_the_proxy_without_its_password(failure, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        proxy = f"127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setenv("http_proxy", f"http://user:canary-12345@{proxy}")

    error = failure(url="http://openai.example/v1")

    assert str(error) == f"OpenAI is unavailable: the call failed (ConnectError) through the proxy http://{proxy}."


def test_a_silent_server_times_out_and_may_have_been_reached(failure):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = failure(url=f"http://127.0.0.1:{silent.getsockname()[1]}/v1", deadline=0.1)

    assert type(error) is Unreachable
    assert str(error) == "OpenAI is unavailable: the call timed out."
    assert error.may_have_applied


def test_a_body_that_cannot_be_decompressed_is_no_answer(openai, failure):
    openai.send(200, b"no gzip", content_encoding="gzip")

    assert type(failure()) is Unreachable


@pytest.mark.parametrize("key", ["sk-proj-canary-wxyz\n", "sk-proj-canary-ключ-wxyz"])
def test_a_key_that_no_header_takes_names_its_variable_and_nothing_is_sent(openai, failure, key):
    error = failure(key=key)

    assert type(error) is Unauthorized
    assert "check OPENAI_API_KEY" in str(error)
    assert openai.requests == []
    assert not any(secret in everything_about(error) for secret in SECRETS)


def test_what_the_sdk_raises_beside_that_is_a_refusal():
    failure = classify_error(sdk.OpenAIError("sk-proj-canary"))

    assert type(failure.error) is Rejected
    assert not failure.retryable
    assert "canary" not in everything_about(failure.error)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_the_key_is_in_nothing_that_is_raised_or_logged(openai, failure, caplog, status):
    caplog.set_level(logging.DEBUG)
    openai.refuse(status, None, {"message": "Incorrect API key provided: sk-proj-canary0123456789wxyz."})

    error = failure()

    assert (error.__cause__, error.__context__) == (None, None)
    assert not any(secret in everything_about(error) for secret in SECRETS)
    assert any(record.name.startswith("openai") for record in caplog.records)
    assert not any(secret in record.getMessage() for record in caplog.records for secret in SECRETS)


def test_a_drafter_does_not_show_its_key(make_drafter):
    assert not any(secret in repr(make_drafter()) for secret in SECRETS)
