"""Strict fakes of the services that keep incidents, as scripts of a loopback server, made from their public documentation.

Each refuses what its service would refuse: missing fields, texts that are too long, a wrong key. Each keeps incidents under their keys.
"""

import json
import re
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from tests.support.loopback import response

KEY = "0123456789abcdef0123456789abcdef"


class Refused(Exception):
    """The service refuses a call with a response."""

    def __init__(self, answer):
        super().__init__("refused")
        self.answer = answer


@dataclass
class Kept:
    """An incident as the service has it: how often it was opened, and its texts."""

    state: str
    texts: list = field(default_factory=list)
    times_opened: int = 1


class IncidentServer:
    """`faults` are responses instead of the service's own, in order; None lets a call through. `latency` is in seconds."""

    def __init__(self):
        self.kept: dict[str, Kept] = {}
        self.faults = deque()
        self.refused = []
        self.is_revoked = False
        self.latency = 0.0

    def __call__(self, request):
        time.sleep(self.latency)
        fault = self.faults.popleft() if self.faults else None
        if fault is not None:
            return fault
        try:
            return self.handle(request)
        except Refused as refused:
            self.refused.append(request)
            return refused.answer

    def open(self, key, text):
        found = self.kept.get(key)
        if found is None:
            self.kept[key] = Kept("open", [text])
            return
        if found.state == "resolved":
            found.times_opened += 1
            found.state = "open"
        found.texts.append(text)

    def move(self, key, state):
        """To a state, if the incident is open: services ignore what they do not know."""
        found = self.kept.get(key)
        if found is not None and found.state != "resolved":
            found.state = state

    @property
    def states(self):
        return {key: each.state for key, each in self.kept.items()}


def is_text(value, most, least=1):
    return isinstance(value, str) and least <= len(value.encode("utf-16-le")) // 2 <= most


class PagerDutyServer(IncidentServer):
    """The page "Send an Alert Event" of the Events API v2."""

    def handle(self, request):
        body = request.body
        if (request.method, request.path) != ("POST", "/v2/enqueue"):
            raise Refused(response({"error": "not found"}, 404))
        if errors := list(self._errors(body)):
            raise Refused(
                response({"status": "invalid event", "message": "Event object is invalid", "errors": errors}, 400)
            )
        key = body["dedup_key"]
        if body["event_action"] == "trigger":
            self.open(key, body["payload"]["summary"])
        else:
            self.move(key, "acknowledged" if body["event_action"] == "acknowledge" else "resolved")
        return response({"status": "success", "message": "Event processed", "dedup_key": key}, 202)

    def _errors(self, body):
        if len(body.get("routing_key", "")) != 32:
            yield "Length of 'routing_key' is incorrect (should be 32 characters)"
        elif body["routing_key"] != KEY or self.is_revoked:
            yield "Invalid routing key"
        if body.get("event_action") not in {"trigger", "acknowledge", "resolve"}:
            yield "'event_action' is invalid"
        if not is_text(body.get("dedup_key"), 255):
            yield "'dedup_key' is missing or too long"
        if body.get("event_action") == "trigger":
            yield from self._errors_of(body.get("payload") or {})

    def _errors_of(self, payload):
        if not is_text(payload.get("summary"), 1024):
            yield "'payload.summary' is missing or too long"
        if not is_text(payload.get("source"), 255):
            yield "'payload.source' is missing or blank"
        if payload.get("severity") not in {"critical", "error", "warning", "info"}:
            yield "'payload.severity' is invalid"
        if not isinstance(payload.get("custom_details", {}), dict):
            yield "'payload.custom_details' is no object"
        if len(json.dumps(payload)) > 512 * 1024:
            yield "event is too large"


class JsmServer(IncidentServer):
    """Atlassian's page "Integration events", and "Alert fields". Keys are aliases."""

    key = "jsm-canary-1"
    root = "/jsm/ops/integration/v2/alerts"

    def handle(self, request):
        if request.headers.get("authorization") != f"GenieKey {self.key}" or self.is_revoked:
            raise Refused(response({"message": "Could not authenticate", "took": 0.0, "requestId": "r1"}, 401))
        if request.method != "POST" or not request.path.startswith(self.root):
            raise Refused(response({"message": "Not found"}, 404))
        if request.path == self.root:
            self._create(request.body)
        else:
            self._act(request)
        return response({"result": "Request will be processed", "took": 0.1, "requestId": "r1"}, 202)

    def _create(self, body):
        limits = {"message": 130, "alias": 512, "description": 15_000, "entity": 512, "source": 100}
        wrong = [name for name, most in limits.items() if not is_text(body.get(name), most)]
        wrong += ["priority"] * (body.get("priority") not in {"P1", "P2", "P3", "P4", "P5"})
        sizes = [is_text(name, 8000, 0) and is_text(value, 8000, 0) for name, value in body["details"].items()]
        total = sum(len((name + value).encode("utf-16-le")) // 2 for name, value in body["details"].items())
        wrong += ["details"] * (not all(sizes) or total > 8000)
        if wrong:
            raise Refused(
                response({"message": "Request body is not processable", "errors": dict.fromkeys(wrong, "x")}, 422)
            )
        self.open(body["alias"], body["message"])

    def _act(self, request):
        alias, _, action = request.path.removeprefix(f"{self.root}/").rpartition("/")
        if request.query != {"identifierType": "alias"} or action not in {"acknowledge", "close"}:
            raise Refused(response({"message": "identifierType is invalid"}, 422))
        if not is_text(request.body.get("note"), 25_000, 0) or not is_text(request.body.get("source"), 100):
            raise Refused(response({"message": "note is too long"}, 422))
        self.move(alias, "acknowledged" if action == "acknowledge" else "resolved")


class GrafanaIrmServer(IncidentServer):
    """Grafana's page "Configure OnCall incoming webhooks": a formatted webhook. Keys are the ids of alerts."""

    path = "/integrations/v1/formatted_webhook/irm-canary/"

    def handle(self, request):
        if (request.method, request.path) != ("POST", self.path) or self.is_revoked:
            raise Refused(response("Integration key was not found.", 403))
        body = request.body
        if set(body) - {"alert_uid", "title", "image_url", "state", "link_to_upstream_details", "message"}:
            raise Refused(response({"detail": "not a field of a formatted webhook"}, 400))
        if not all(is_text(body.get(name), 5000) for name in ("alert_uid", "title", "message")):
            raise Refused(response({"detail": "no text"}, 400))
        if body["state"] == "ok":
            self.move(body["alert_uid"], "resolved")
        elif body["state"] == "alerting":
            self.open(body["alert_uid"], body["title"])
        else:
            raise Refused(response({"detail": "state"}, 400))
        return response('"Ok."')


class IncidentIoServer(IncidentServer):
    """incident.io's page "Alert Events V2: CreateHTTP". Keys are deduplication keys."""

    path, token = "/v2/alert_events/http/01GW2G3V0S59R238FAHPDS1R66", "incident-canary"

    def handle(self, request):
        body = request.body
        if request.headers.get("authorization") != f"Bearer {self.token}" or self.is_revoked:
            raise Refused(self._error(401, "authentication_error", "Invalid token"))
        if (request.method, request.path) != ("POST", self.path):
            raise Refused(self._error(404, "not_found", "No such alert source"))
        wrong = [name for name in ("title", "deduplication_key") if not is_text(body.get(name), 250)]
        wrong += ["status"] * (body.get("status") not in {"firing", "resolved"})
        wrong += ["metadata"] * (not isinstance(body.get("metadata"), dict))
        if wrong:
            raise Refused(self._error(422, "validation_error", f"{wrong} is required"))
        if body["status"] == "resolved":
            self.move(body["deduplication_key"], "resolved")
        else:
            self.open(body["deduplication_key"], body["title"])
        accepted = {"deduplication_key": body["deduplication_key"], "message": "Event accepted for processing"}
        return response(accepted | {"status": "success"}, 202)

    def _error(self, status, kind, message):
        return response({"type": kind, "status": status, "errors": [{"code": kind, "message": message}]}, status)


class NtfyServer(IncidentServer):
    """The page "Publishing" of ntfy's documentation. Keys are sequence ids."""

    topic, token = "shop-alerts-canary", "tk_canary12345"

    def handle(self, request):
        if request.path == "/v1/health":
            return response({"healthy": not self.is_revoked})
        if request.headers.get("authorization") != f"Bearer {self.token}" or self.is_revoked:
            raise Refused(self._error(40101, "unauthorized"))
        body = request.body
        if (request.method, request.path) != ("POST", "/") or body.get("topic") != self.topic:
            raise Refused(self._error(40301, "forbidden"))
        if body.get("priority") not in {1, 2, 3, 4, 5} or not isinstance(body.get("tags", []), list):
            raise Refused(self._error(40007, "invalid request: priority must be between 1 and 5"))
        if not body.get("message") or len(body["message"].encode()) > 4096 or not is_text(body.get("title"), 250):
            raise Refused(self._error(41303, "message too large"))
        self._publish(body)
        return response({"id": "aBcDeFgHiJkL", "event": "message", "topic": self.topic, "message": body["message"]})

    def _publish(self, body):
        if not re.fullmatch(r"[-_A-Za-z0-9]{1,64}", body.get("sequence_id", "")):
            raise Refused(self._error(40049, "invalid request: sequence ID invalid"))
        self.open(body["sequence_id"], body["message"])
        if body["tags"] == ["white_check_mark"]:
            self.move(body["sequence_id"], "resolved")

    def _error(self, code, error):
        return response({"code": code, "http": code // 100, "error": error}, code // 100)


class SlackServer(IncidentServer):
    """The pages "chat.postMessage", "chat.update" and "auth.test". Keys are the ids of messages."""

    token, channel = "xoxb-slack-canary-1", "C0123456789"

    def handle(self, request):
        method = request.path.rpartition("/")[2]
        if request.headers.get("authorization") != f"Bearer {self.token}":
            raise Refused(response({"ok": False, "error": "invalid_auth"}))
        if self.is_revoked:
            raise Refused(response({"ok": False, "error": "token_revoked"}))
        if method == "auth.test":
            return response({"ok": True, "user": "alerts", "team": "Shop"})
        body = request.body
        if body.get("channel") != self.channel:
            raise Refused(response({"ok": False, "error": "channel_not_found"}))
        if not body.get("text"):
            raise Refused(response({"ok": False, "error": "no_text"}))
        if not is_text(body["text"], 4000) or "<!" in body["text"] or "<@" in body["text"]:
            raise Refused(response({"ok": False, "error": "msg_too_long"}))
        return getattr(self, method.replace(".", "_"))(body)

    def chat_postMessage(self, body):  # noqa: N802  # the method's name
        ts = f"17{len(self.kept):08}.000100"
        self.open(ts, body["text"])
        return response({"ok": True, "channel": self.channel, "ts": ts, "message": {"text": body["text"]}})

    def chat_update(self, body):
        if body.get("ts") not in self.kept:
            raise Refused(response({"ok": False, "error": "message_not_found"}))
        self.open(body["ts"], body["text"])
        return response({"ok": True, "channel": self.channel, "ts": body["ts"], "text": body["text"]})


class AlertmanagerServer(IncidentServer):
    """The OpenAPI description of Alertmanager's API v2. Keys are the labels, which are the identity of an alert."""

    def handle(self, request):
        if request.path == "/-/ready":
            return response("OK")
        if (request.method, request.path) != ("POST", "/api/v2/alerts"):
            raise Refused(response("404 page not found", 404))
        if request.headers.get("content-type") != "application/json":
            raise Refused(response({"code": 415, "message": "unsupported media type"}, 415))
        if not isinstance(request.body, list):
            raise Refused(response({"code": 422, "message": "alerts in body must be of type array"}, 422))
        for alert in request.body:
            self._take(alert)
        return response("")

    def _take(self, alert):
        labels = alert.get("labels") or {}
        starts, ends = datetime.fromisoformat(alert["startsAt"]), datetime.fromisoformat(alert["endsAt"])
        if not labels.get("alertname") or not all(labels.values()) or starts > ends:
            raise Refused(response(json.dumps("at least one label pair required"), 400))
        if not all(re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name) for name in [*labels, *alert.get("annotations", {})]):
            raise Refused(response(json.dumps("invalid label set"), 400))
        key = json.dumps(labels, sort_keys=True)
        if ends.timestamp() <= self.clock():
            self.move(key, "resolved")
        else:
            self.open(key, alert["annotations"]["summary"])

    clock = staticmethod(time.time)
