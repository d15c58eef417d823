"""Checks OpenTelemetry's variables: each by itself, and those that must fit one another."""

import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from telemetry.environment.otel_values import URL, WrongVariable
from telemetry.environment.otel_variables import SIGNALS, VARIABLES, Signal, wrong_by_itself

_GRPC_PORT: Final = 4317
_QUEUE_SIZE: Final = 2048
_BATCH_SIZE: Final = 512
"""The defaults of the specification."""


def wrong_variables(environment: Mapping[str, str] = os.environ) -> list[WrongVariable]:
    """Every variable that is wrong by itself; if there is none, those that do not fit another."""
    wrong = [found for name in VARIABLES if (found := wrong_by_itself(name, environment))]
    return wrong or list({each.name: each for each in _unfit(environment)}.values())


def configured(signal: Signal, what: str, environment: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """The name and the value of a variable of OTLP: the signal's own if it is set, else the shared one."""
    own, shared = f"OTEL_EXPORTER_OTLP_{signal}_{what}", f"OTEL_EXPORTER_OTLP_{what}"
    name = own if environment.get(own, "").strip() else shared
    return name, environment.get(name, "").strip()


def protocol(signal: Signal, environment: Mapping[str, str] = os.environ) -> str:
    """`grpc` or `http/protobuf`: the configured one, or that of the endpoint's port."""
    _, named = configured(signal, "PROTOCOL", environment)
    _, url = configured(signal, "ENDPOINT", environment)
    by_port = "grpc" if urlsplit(url if "//" in url else f"//{url}").port == _GRPC_PORT else "http/protobuf"
    return named.lower() or by_port


def _unfit(environment: Mapping[str, str]) -> Iterator[WrongVariable]:
    for queue in ("BSP", "BLRP"):
        yield from _unfit_queue(queue, environment)
    for signal in SIGNALS:
        yield from _unfit_transport(signal, environment)
        yield from _unfit_certificate(signal, environment)


def _unfit_queue(queue: str, environment: Mapping[str, str]) -> Iterator[WrongVariable]:
    size, batch = f"OTEL_{queue}_MAX_QUEUE_SIZE", f"OTEL_{queue}_MAX_EXPORT_BATCH_SIZE"
    sized, batched = environment.get(size, "").strip(), environment.get(batch, "").strip()
    largest, smallest = int(sized or _QUEUE_SIZE), int(batched or _BATCH_SIZE)
    if smallest > largest and batched:
        yield WrongVariable(batch, batched, f"a whole number from 1 to {largest}, the {size}")
    elif smallest > largest:
        yield WrongVariable(size, sized, f"a whole number from {smallest}, the {batch}")


def _unfit_transport(signal: Signal, environment: Mapping[str, str]) -> Iterator[WrongVariable]:
    name, url = configured(signal, "ENDPOINT", environment)
    is_grpc = protocol(signal, environment) == "grpc"
    if url and not is_grpc and not url.lower().startswith(("http://", "https://")):
        yield WrongVariable(name, url, URL)
    name, certificate = configured(signal, "CERTIFICATE", environment)
    if is_grpc and certificate and Path(certificate).is_dir():
        yield WrongVariable(name, certificate, "the path of a file with the protocol grpc", is_path=True)
    name, compression = configured(signal, "COMPRESSION", environment)
    if is_grpc and compression.lower() == "deflate":
        yield WrongVariable(name, compression, "one of gzip, none with the protocol grpc", words=frozenset({"deflate"}))


def _unfit_certificate(signal: Signal, environment: Mapping[str, str]) -> Iterator[WrongVariable]:
    (key_name, key), (name, certificate) = (
        configured(signal, what, environment) for what in ("CLIENT_KEY", "CLIENT_CERTIFICATE")
    )
    if key and not certificate:
        yield WrongVariable(key_name, key, f"the key of a certificate: {name} is not set", is_path=True)
    elif certificate and not _is_pair(certificate, key):
        unfit = (key_name, key) if key else (name, certificate)
        yield WrongVariable(
            *unfit, "the path of a file with the certificate's private key in PEM, not encrypted", is_path=True
        )


def _is_pair(certificate: str, key: str) -> bool:
    """Whether both are of one another; without a key it is in the file of the certificate."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key or None, password=lambda: "")
    except (OSError, ValueError):  # an SSLError is an OSError
        return False
    return True
