"""The sections of the runbook that the service's own alerts belong to. Those of the telemetry's are in `telemetry.runbook`."""

from enum import StrEnum


class AlertSection(StrEnum):
    """For each kind of alert the anchor of its section in docs/how-to/runbook.md."""

    ANSWER_REJECTED = "message-rejected-the-answer"
    CLOCK_SET = "message-the-clock-was-set"
    CREDENTIAL_EXPIRES = "message-wb_api_token-or-ozon_api_key-expires"
    JOB_SWITCHED_OFF = "message-the-job-is-switched-off"
    NO_DRAFT = "message-no-draft-was-made"
    ROWS_INVALID = "message-rows-were-invalid"
    RUN_MISSED = "message-did-not-begin-within"
    RUN_OVERDUE = "message-has-been-running-for"
    SANDBOX = "message-the-sandbox-does-not-start"
    SCHEDULER_ABSENT = "message-no-scheduler-has-been-running"
    SCHEDULER_DOWNTIME = "message-the-scheduler-was-not-running"
    SOURCE_STALE = "message-source-is-stale"
    TEST_ALERT = "message-test-alert"
