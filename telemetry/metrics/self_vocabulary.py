"""The mapping table of costs, and of the telemetry's metrics about itself: its queues, spools, drops and alerts."""

from typing import Final

from telemetry import semconv
from telemetry.metrics.mapping import Attributes, LabelMapping, MetricMapping

_QUEUE = LabelMapping("queue", semconv.QUEUE)
_REASON = LabelMapping("reason", semconv.REASON)
_SDK_REASON = LabelMapping("reason", semconv.ERROR_TYPE)
_COST = (LabelMapping("kind", semconv.KIND), LabelMapping("name", semconv.NAME))
_DROPPED: Final = "Telemetry that was dropped, by queue and reason."


COST_VOCABULARY: Final = (
    MetricMapping(
        "cpu_seconds_total",
        "counter",
        semconv.COST_CPU_TIME,
        "CPU time of jobs and routes, and the rest as idle.",
        _COST,
    ),
    MetricMapping(
        "cost_usd_total",
        "counter",
        semconv.COST,
        "US dollars by resource, and by job or route.",
        (LabelMapping("resource", semconv.RESOURCE), *_COST),
    ),
)


def _is_failed(attributes: Attributes) -> bool:
    return semconv.ERROR_TYPE in attributes


def _is_sent(attributes: Attributes) -> bool:
    return semconv.ERROR_TYPE not in attributes


def _sdk_mappings(queue: str, signal: str) -> tuple[MetricMapping, ...]:
    """The SDK's metrics about itself (`OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED`), mapped to our names."""
    labels = (LabelMapping("queue", "", queue),)
    reasons = (*labels, _SDK_REASON)
    processor = f"otel.sdk.processor.{signal}"
    exported = f"otel.sdk.exporter.{signal}.exported"
    return (
        MetricMapping(
            "telemetry_queue_size", "gauge", f"{processor}.queue.size", "Items that wait to be written or sent.", labels
        ),
        MetricMapping(
            "telemetry_queue_capacity", "gauge", f"{processor}.queue.capacity", "Items that a queue can hold.", labels
        ),
        MetricMapping("telemetry_dropped_total", "counter", f"{processor}.processed", _DROPPED, reasons, _is_failed),
        MetricMapping(
            "telemetry_exported_total", "counter", exported, "Items that the OTLP endpoint accepted.", labels, _is_sent
        ),
    )


SELF_VOCABULARY: Final[tuple[MetricMapping, ...]] = (
    MetricMapping(
        "telemetry_queue_size",
        "gauge",
        semconv.TELEMETRY_QUEUE_SIZE,
        "Items that wait to be written or sent.",
        (_QUEUE,),
    ),
    MetricMapping(
        "telemetry_queue_capacity",
        "gauge",
        semconv.TELEMETRY_QUEUE_CAPACITY,
        "Items that a queue can hold.",
        (_QUEUE,),
    ),
    MetricMapping("telemetry_dropped_total", "counter", semconv.TELEMETRY_DROPPED, _DROPPED, (_QUEUE, _REASON)),
    MetricMapping("telemetry_dropped_total", "counter", semconv.LOG_DROPPED, _DROPPED, (_QUEUE, _REASON)),
    MetricMapping(
        "telemetry_log_late_total",
        "counter",
        semconv.LOG_LATE,
        "Errors that were not written within 0.2 s, by queue.",
        (_QUEUE,),
    ),
    MetricMapping(
        "telemetry_label_sets_overflow",
        "gauge",
        semconv.TELEMETRY_OVERFLOW,
        "1 for each instrument that has reached its limit of time series.",
        (LabelMapping("instrument", semconv.INSTRUMENT),),
        gauge_mode="max",
    ),
    MetricMapping(
        "telemetry_callback_timeouts_total",
        "counter",
        semconv.CALLBACK_TIMEOUTS,
        "Calls of an instrument's callback that gave nothing within a second.",
        (LabelMapping("instrument", semconv.INSTRUMENT),),
    ),
    MetricMapping(
        "telemetry_otlp_replaced_total",
        "counter",
        semconv.OTLP_REPLACED,
        "Values that OTLP cannot carry and that went out repaired, by queue and reason.",
        (_QUEUE, _REASON),
    ),
    MetricMapping(
        "telemetry_page_incomplete",
        "gauge",
        semconv.PAGE_INCOMPLETE,
        "1 where /metrics lacks workers of the service; the log says why.",
        gauge_mode="max",
    ),
    MetricMapping(
        "telemetry_queue_oldest_age_seconds",
        "gauge",
        semconv.TELEMETRY_QUEUE_AGE,
        "For how long the oldest item has waited.",
        (_QUEUE,),
        gauge_mode="max",
    ),
    MetricMapping(
        "telemetry_spool_bytes", "gauge", semconv.SPOOL_SIZE, "Bytes that a spool takes on the disk.", (_QUEUE,)
    ),
    MetricMapping(
        "telemetry_spool_refused_total",
        "counter",
        semconv.SPOOL_REFUSED,
        "Items that could not be kept on the disk, by queue and reason.",
        (_QUEUE, _REASON),
    ),
    MetricMapping(
        "telemetry_job_records_total",
        "counter",
        semconv.JOB_RECORDS,
        "Starts and ends of job runs, by state; those of dead processes are replayed.",
        (LabelMapping("state", semconv.STATE),),
    ),
    MetricMapping(
        "telemetry_recent_bytes",
        "gauge",
        semconv.RECENT_SIZE,
        "Bytes that what is remembered for the console takes on the disk.",
        gauge_mode="newest",
    ),
    MetricMapping(
        "telemetry_recent_traces",
        "gauge",
        semconv.RECENT_TRACES,
        "Traces that are remembered for the console.",
        gauge_mode="newest",
    ),
    MetricMapping(
        "telemetry_recent_dropped_total",
        "counter",
        semconv.RECENT_DROPPED,
        "What is not remembered for the console, by kind and reason.",
        (LabelMapping("kind", semconv.KIND), _REASON),
    ),
    MetricMapping(
        "alerts",
        "gauge",
        semconv.ALERT_INCIDENTS,
        "Open alerts, by state.",
        (LabelMapping("state", semconv.STATE),),
        gauge_mode="newest",
    ),
    MetricMapping(
        "alerts_oldest_pending_seconds",
        "gauge",
        semconv.ALERT_OLDEST_PENDING_AGE,
        "Age of the oldest alert that was not sent yet.",
        gauge_mode="newest",
    ),
    MetricMapping(
        "alert_channel_up",
        "gauge",
        semconv.ALERT_CHANNEL_UP,
        "Whether a channel takes messages: 0 when it refuses them for good.",
        (LabelMapping("channel", semconv.CHANNEL),),
        gauge_mode="newest",
    ),
    MetricMapping(
        "alert_delay_seconds",
        "histogram",
        semconv.ALERT_DELAY,
        "From an alert's first report until a channel accepted it.",
        (LabelMapping("channel", semconv.CHANNEL),),
    ),
    MetricMapping(
        "alert_acknowledge_seconds",
        "histogram",
        semconv.ALERT_ACKNOWLEDGE,
        "From an alert's first report until a person acknowledged it.",
        (LabelMapping("level", semconv.ALERT_LEVEL),),
    ),
    MetricMapping(
        "alert_resolve_seconds",
        "histogram",
        semconv.ALERT_RESOLVE,
        "From an alert's first report until its condition was resolved.",
        (LabelMapping("level", semconv.ALERT_LEVEL),),
    ),
    MetricMapping(
        "alert_messages_total",
        "counter",
        semconv.ALERT_NOTIFICATIONS,
        "Messages about alerts, by channel and result.",
        (LabelMapping("channel", semconv.CHANNEL), LabelMapping("result", semconv.RESULT)),
    ),
    MetricMapping(
        "telegram_updates_total",
        "counter",
        semconv.TELEGRAM_UPDATES,
        "Commands and presses of buttons that the Telegram bot received, by kind and result.",
        (LabelMapping("kind", semconv.KIND), LabelMapping("result", semconv.RESULT)),
    ),
    *_sdk_mappings("spans", "span"),
    *_sdk_mappings("logs", "log"),
)
