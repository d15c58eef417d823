import os
import re
from importlib.metadata import files, packages_distributions

import certifi
import pytest

from telemetry.environment.otel_variables import VARIABLES, normalized
from telemetry.redaction.wrong_variables import check_opentelemetry
from telemetry.sdk.env_defaults import sdk_variables
from telemetry.settings import SettingsError, TelemetrySettings

HTTP, GRPC = "http://127.0.0.1:4318", "http://127.0.0.1:4317"
NOT_READ_HERE = {
    "OTEL_TRACES_SAMPLER": "a setting",
    "OTEL_TRACES_SAMPLER_ARG": "a setting",
    "OTEL_SERVICE_NAME": "may be anything",
    "OTEL_SEMCONV_STABILITY_OPT_IN": "what is unknown has no effect, as the specification wants",
    "OTEL_EXPORTER_PROMETHEUS_HOST": "may be anything",
    "OTEL_PYTHON_DISTRO": "read before this telemetry",
    "OTEL_PYTHON_CONFIGURATOR": "read before this telemetry",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "may be anything",
    "OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH": "read before this telemetry",
    "OTEL_PYTHON_INSTRUMENTATION_HTTP_CAPTURE_ALL_METHODS": "anything is yes",
    "OTEL_PYTHON_LOG_FORMAT": "of an instrumentation that is replaced",
    "OTEL_PYTHON_LOG_LEVEL": "of an instrumentation that is replaced",
    "OTEL_PYTHON_LOG_HANDLER_LEVEL": "of an instrumentation that is replaced",
}
OF_OTHERS = re.compile(r"OTEL_PYTHON_(DJANGO|FLASK|STARLETTE|WSGI|ASGI)\w*|OTEL_EXPORTER_(JAEGER|ZIPKIN)\w*")


@pytest.fixture
def refusal(monkeypatch):
    def refuse(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SettingsError) as refused:
            check_opentelemetry()
        return str(refused.value)

    return refuse


def read_by_installed_packages() -> set[str]:
    """Every name of a variable in what is installed of OpenTelemetry: the texts that are names as a whole."""
    distributions = {name for name in packages_distributions()["opentelemetry"] if "semantic-conventions" not in name}
    sources = [
        file.read_text()
        for name in distributions
        for file in files(name) or ()
        if file.suffix == ".py" and "instrumentation/django" not in str(file) and "semconv/" not in str(file)
    ]
    return {name for text in sources for name in re.findall(r"""["'](OTEL_[A-Z0-9_]+[A-Z0-9])["']""", text)}


def test_every_variable_that_the_installed_packages_read_has_a_row():
    found = {name for name in read_by_installed_packages() if not OF_OTHERS.fullmatch(name)}

    assert len(found) > 80
    assert found - VARIABLES.keys() - NOT_READ_HERE.keys() == set()


WRONG = [
    ("OTEL_PROPAGATORS", "b4", "'b4'", "one or more of baggage, none, tracecontext (b3 and b3multi: pip install "),
    ("OTEL_PROPAGATORS", "tracecontext,", "'tracecontext,'", "one or more of baggage, none, tracecontext ("),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many", "'many'", "a whole number from 0."),
    ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "-1", "'-1'", "a whole number from 0."),
    ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "1.5", "'1.5'", "a whole number from 0."),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "'0'", "a whole number from 1."),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "9" * 30, "(hidden)", "a whole number from 1."),
    ("OTEL_BSP_SCHEDULE_DELAY", "5s", "'5s'", "a whole number from 1."),
    ("OTEL_BLRP_EXPORT_TIMEOUT", "soon", "'soon'", "a whole number from 0."),
    ("OTEL_METRIC_EXPORT_INTERVAL", "0", "'0'", "a number of milliseconds above 0, without a unit."),
    ("OTEL_METRIC_EXPORT_INTERVAL", "nan", "'nan'", "a number of milliseconds above 0, without a unit."),
    ("OTEL_METRIC_EXPORT_INTERVAL", "1_0", "'1_0'", "a number of milliseconds above 0, without a unit."),
    ("OTEL_METRIC_EXPORT_TIMEOUT", "1m", "'1m'", "a number of milliseconds from 0, without a unit."),
    ("OTEL_METRICS_EXEMPLAR_FILTER", "on", "'on'", "one of trace_based, always_on, always_off."),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", "lz4", "'lz4'", "one of gzip, deflate, none."),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "5s", "'5s'", "a number of seconds above 0, without a unit."),
    ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "inf", "'inf'", "a number of seconds above 0, without a unit."),
    ("OTEL_EXPORTER_OTLP_HEADERS", "nonsense", "(hidden)", "name=value, with commas between several, and values URL-"),
    (
        "OTEL_EXPORTER_OTLP_HEADERS",
        "a=b,c%0d%0a",
        "(hidden)",
        "name=value, with commas between several, and values URL-",
    ),
    (
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        "a=%0d%0ab",
        "(hidden)",
        "name=value, with commas between several, and values",
    ),
    (
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        "/nowhere/ca.pem",
        "'/nowhere/ca.pem'",
        "the path of a file with certificates in PEM.",
    ),
    ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/etc/passwd", "'/etc/passwd'", "the path of a file with certificates in PEM."),
    ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/etc/passwd", "'/etc/passwd'", "the path of a file with a private key in PEM."),
    ("OTEL_EXPORTER_OTLP_INSECURE", "1", "'1'", "one of true, false."),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "'http/json'", "one of grpc, http/protobuf."),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://host:port", "'http://host:port'", "a URL such as http://127.0.0.1:4318."),
    ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "sum", "'sum'", "one of cumulative, delta, lowmemory."),
    ("OTEL_SDK_DISABLED", "yes", "'yes'", "one of true, false."),
    (
        "OTEL_CONFIG_FILE",
        "otel.yaml",
        "'otel.yaml'",
        "unset: this telemetry reads no configuration file, but the OTEL_*",
    ),
    ("OTEL_EXPERIMENTAL_CONFIG_FILE", "/x.yaml", "'/x.yaml'", "unset: this telemetry reads no configuration file, but"),
    ("OTEL_RESOURCE_ATTRIBUTES", "a=b,team", "'a=b,team'", "name=value, with commas between several."),
    ("OTEL_TRACES_EXPORTER", "jaeger", "'jaeger'", "one or more of console, none, otlp, prometheus."),
    ("OTEL_PYTHON_CONTEXT", "gevent", "'gevent'", "one of contextvars_context."),
    ("OTEL_PYTHON_TRACER_PROVIDER", "mine", "'mine'", "one of default_tracer_provider, sdk_tracer_provider."),
    ("OTEL_PYTHON_ID_GENERATOR", "xray", "'xray'", "one of random."),
    (
        "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS",
        "aws_ec2",
        "'aws_ec2'",
        "one or more of *, host, os, otel, process, service_in",
    ),
    ("OTEL_PYTHON_FASTAPI_EXCLUDED_URLS", "a(", "'a('", "regular expressions, with commas between them."),
    ("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "G T", "'G T'", "names of HTTP methods, with commas between them."),
    (
        "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER",
        "gcp",
        "'gcp'",
        "unset: no package that provides one is inst",
    ),
    (
        "OTEL_PYTHON_EXPORTER_OTLP_GRPC_RETRYABLE_ERROR_CODES",
        "OK,14",
        "'OK,14'",
        "one or more of OK, CANCELLED, UNKNOWN",
    ),
    ("OTEL_LOG_LEVEL", "loud", "'loud'", "one of all, trace,"),
]


@pytest.mark.parametrize(("variable", "value", "shown", "expected"), WRONG)
def test_a_wrong_value_is_one_line_that_names_variable_value_and_what_may_be(refusal, variable, value, shown, expected):
    line = refusal(**{variable: value})

    assert line.startswith(f"{variable} is {shown}, but must be {expected}")
    assert "\n" not in line


UNFIT = [
    ({"OTEL_BSP_MAX_QUEUE_SIZE": "10"}, "OTEL_BSP_MAX_QUEUE_SIZE is '10', but must be a whole number from 512, the "),
    (
        {"OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "9999"},
        "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE is '9999', but must be a whole number from 1 to 2048",
    ),
    (
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "collector:4318"},
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is 'collector:4318', but must be a URL",
    ),
    (
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://user:hidden@host"},
        "OTEL_EXPORTER_OTLP_ENDPOINT is 'ftp://***@host', but must be a URL",
    ),
    (
        {"OTEL_EXPORTER_OTLP_ENDPOINT": GRPC, "OTEL_EXPORTER_OTLP_COMPRESSION": "deflate"},
        "OTEL_EXPORTER_OTLP_COMPRESSION is 'deflate', but must be one of gzip, none with the protocol grpc.",
    ),
    (
        {"OTEL_EXPORTER_OTLP_ENDPOINT": GRPC, "OTEL_EXPORTER_OTLP_CERTIFICATE": "/etc"},
        "OTEL_EXPORTER_OTLP_CERTIFICATE is '/etc', but must be the path of a file with the protocol grpc.",
    ),
]


@pytest.mark.parametrize(("variables", "line"), UNFIT)
def test_variables_that_do_not_fit_one_another_are_one_line(refusal, variables, line):
    said = refusal(**variables)

    assert said.startswith(line)
    assert "\n" not in said


def test_a_key_without_its_certificate_is_a_line(refusal, tmp_path):
    key = tmp_path / "client.key"
    key.write_text("-----BEGIN PRIVATE KEY-----\n")

    assert refusal(OTEL_EXPORTER_OTLP_CLIENT_KEY=str(key)).endswith("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE is not set.")


def test_a_certificate_without_its_key_is_a_line_and_one_of_an_authority_is_right(refusal, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", certifi.where())
    check_opentelemetry()

    said = refusal(OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=certifi.where())

    assert said.startswith("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE is ")
    assert said.endswith("but must be the path of a file with the certificate's private key in PEM, not encrypted.")


def test_every_wrong_variable_has_its_line(refusal):
    said = refusal(OTEL_SDK_DISABLED="yes", OTEL_BSP_SCHEDULE_DELAY="5s", OTEL_EXPORTER_OTLP_HEADERS="nonsense")

    assert sorted(line.split(" ", 1)[0] for line in said.splitlines()) == [
        "OTEL_BSP_SCHEDULE_DELAY",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_SDK_DISABLED",
    ]


def test_the_settings_say_it_as_well_beside_what_is_wrong_with_their_own(monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "yes")
    monkeypatch.setenv("LOG_LEVEL", "LOUD")

    with pytest.raises(SettingsError) as refused:
        TelemetrySettings.read()

    assert [line.split(" ", 1)[0] for line in str(refused.value).splitlines()] == ["LOG_LEVEL", "OTEL_SDK_DISABLED"]


RIGHT = {
    "OTEL_PROPAGATORS": "tracecontext, baggage",
    "OTEL_SDK_DISABLED": " False ",
    "OTEL_EXPORTER_OTLP_ENDPOINT": HTTP,
    "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20abc, x-scope = a=b ,",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "10000",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "GZIP",
    "OTEL_METRICS_EXEMPLAR_FILTER": "TRACE_BASED",
    "OTEL_METRIC_EXPORT_INTERVAL": "1e3",
    "OTEL_RESOURCE_ATTRIBUTES": "team=shop,,deployment.environment.name=a%20b,",
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "*",
    "OTEL_BSP_MAX_QUEUE_SIZE": "512",
    "OTEL_SPAN_EVENT_COUNT_LIMIT": "0",
    "OTEL_PYTHON_EXCLUDED_URLS": "/internal/.*,healthz",
}


def test_what_is_right_is_taken_in_the_form_that_the_sdk_has(monkeypatch):
    for name, value in RIGHT.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)

    with sdk_variables():
        taken = {name: os.environ[name] for name in RIGHT}

    assert taken["OTEL_METRICS_EXEMPLAR_FILTER"] == "trace_based"
    assert taken["OTEL_EXPORTER_OTLP_COMPRESSION"] == "gzip"
    assert taken["OTEL_RESOURCE_ATTRIBUTES"] == "team=shop,deployment.environment.name=a%20b"
    assert dict(os.environ) == before


@pytest.mark.parametrize("variable", sorted(VARIABLES))
@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_variable_is_unset(variable, blank):
    assert normalized({variable: blank}) == {variable: None}


@pytest.mark.parametrize("variables", [{}, {"OTEL_SERVICE_NAME": "shop"}, {"OTEL_OF_SOMEBODY_ELSE": "?"}])
def test_what_is_not_in_the_table_is_left_alone(monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    check_opentelemetry()
