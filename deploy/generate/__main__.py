"""`python -m deploy.generate`: makes what is made, or, with `--check`, says what is not as it would be made."""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.generate import objectives, operator_rules, runbook, slo, staleness
from deploy.generate.dashboards import dashboards
from deploy.generate.dashboards.grafana import as_json
from telemetry.environment.runbook import checked_url

HERE: Final = Path(__file__).parent.parent
OPERATOR_RULES: Final = HERE / "kubernetes" / "components" / "prometheus-operator" / "prometheusrule.yaml"
_HEAD: Final = "# Made by `python -m deploy.generate`; a change here is lost.\n"


def made(runbook_address: str = runbook.PAGE) -> Mapping[Path, str]:
    """Each file that is made, and what is in it. Of `alerts.yml` only the links to the runbook are made."""
    prometheus, grafana = HERE / "prometheus", HERE / "grafana" / "dashboards"
    promised = objectives.read(prometheus / "objectives.yml")
    rules = {
        "alerts.yml": (prometheus / "rules" / "alerts.yml").read_text("utf-8"),
        "slo.yml": _yaml(slo.rules(promised)),
        "staleness.yml": _yaml(staleness.rules()),
    }
    linked = {name: runbook.linked(text, runbook_address) for name, text in rules.items()}
    recording = (prometheus / "rules" / "recording.yml").read_text("utf-8")
    return {
        **{prometheus / "rules" / name: text for name, text in linked.items()},
        OPERATOR_RULES: _yaml(operator_rules.prometheus_rule([*linked.values(), recording])),
        **{grafana / f"{name}.json": _json(as_json(each)) for name, each in dashboards(promised).items()},
    }


class _Plain(yaml.SafeDumper):
    """Says a thing again where it is again: nobody reads `*id001`."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # whatever it is
        return True


def _yaml(value: dict[str, Any]) -> str:
    return _HEAD + yaml.dump(value, Dumper=_Plain, sort_keys=False, width=160, allow_unicode=True)


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _address(text: str) -> str:
    try:
        return checked_url(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            "it must begin with http:// or https://, without spaces, credentials and #"
        ) from None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.generate", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if something is not as it would be made"
    )
    parser.add_argument(
        "--runbook-url",
        type=_address,
        default=os.environ.get("RUNBOOK_URL") or None,
        help=f"the address of the runbook, which the rules link to (default: $RUNBOOK_URL, else {runbook.PAGE})",
    )
    options = parser.parse_args()
    check: bool = options.check
    texts = made(options.runbook_url or runbook.PAGE)
    stale = {path: text for path, text in texts.items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in stale.items():
        sys.stdout.write(
            f"{path.relative_to(HERE.parent)} {'is not up to date: run `python -m deploy.generate`' if check else 'made'}\n"
        )
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
