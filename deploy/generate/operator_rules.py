"""The rules of Prometheus as one object of the Prometheus Operator."""

from collections.abc import Iterable
from typing import Any

import yaml


def prometheus_rule(files: Iterable[str]) -> dict[str, Any]:
    """The PrometheusRule with all groups of these files of rules."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "sovani", "labels": {"app": "sovani"}},
        "spec": {"groups": [group for text in files for group in yaml.safe_load(text)["groups"]]},
    }
