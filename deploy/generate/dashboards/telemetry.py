"""The telemetry itself: queues, drops, spools, alerts on their way, the Collector."""

from typing import Final

from deploy.generate.dashboards.panels import OR_NOTHING, RATE, Dashboard, Query, Row, graph, low_is_good, number

_ALERTS: Final = Row(
    "Alerts on their way",
    (
        number(
            "Channels that work",
            "Of those that are set up. GET /alerts says what one answered.",
            f"min(alert_channel_up){OR_NOTHING}",
            steps=(("red", None), ("green", 1)),
        ),
        number(
            "Wait",
            "Alerts that are not yet sent.",
            f'sum(alerts{{state="pending"}}){OR_NOTHING}',
            steps=low_is_good(5, 20),
        ),
        number(
            "The oldest waits",
            "For longer than a quarter of an hour: runbook, AlertsDoNotGetOut.",
            f"max(alerts_oldest_pending_seconds){OR_NOTHING}",
            unit="s",
            steps=low_is_good(60, 900),
        ),
        graph("States", "What the outbox holds.", Query("sum by (state) (alerts)", "{{state}}"), width=6, height=5),
        graph(
            "Messages",
            "By channel and what came of them.",
            Query(
                f"sum by (channel, result) (increase(alert_messages_total{RATE})){OR_NOTHING}", "{{channel}} {{result}}"
            ),
            width=6,
            height=5,
        ),
        graph(
            "Delay",
            "From the error to the phone: the 95th percentile.",
            Query(
                f"histogram_quantile(0.95, sum by (channel, le) (rate(alert_delay_seconds_bucket[30m]))){OR_NOTHING}",
                "{{channel}}",
            ),
            unit="s",
            width=12,
        ),
        graph(
            "Until somebody acts",
            "From the first report of an alert until a person acknowledged it, and until it was over: the median.",
            *(
                Query(
                    f"histogram_quantile(0.5, sum by (le) (rate(alert_{step}_seconds_bucket[30m]))){OR_NOTHING}", named
                )
                for step, named in (("acknowledge", "acknowledged"), ("resolve", "over"))
            ),
            unit="s",
            width=12,
        ),
        graph(
            "Scrapes",
            "How long the page of metrics takes.",
            Query("scrape_duration_seconds", "{{instance}}"),
            unit="s",
            width=12,
        ),
        graph(
            "Operators",
            "Commands and presses of buttons in Telegram, and what came of them.",
            Query(f"sum by (kind, result) (increase(telegram_updates_total{RATE})){OR_NOTHING}", "{{kind}} {{result}}"),
            width=12,
        ),
    ),
)
_QUEUES: Final = Row(
    "Queues",
    (
        graph(
            "How full",
            "Over 80 % for five minutes: what it feeds does not keep up, or is gone.",
            Query("max by (queue) (telemetry_queue_size / telemetry_queue_capacity)", "{{queue}}"),
            unit="percentunit",
            most=1,
            steps=low_is_good(0.5, 0.8),
        ),
        graph(
            "The oldest in each",
            "Seconds that it has been waiting.",
            Query("max by (queue) (telemetry_queue_oldest_age_seconds)", "{{queue}}"),
            unit="s",
        ),
        graph(
            "Dropped",
            "Anything here is a gap in traces or logs; metrics stay true.",
            Query(
                f"sum by (queue, reason) (increase(telemetry_dropped_total{RATE})){OR_NOTHING}", "{{queue}} {{reason}}"
            ),
        ),
        graph(
            "Spools",
            "On disk, until the database has them.",
            Query("sum by (queue) (telemetry_spool_bytes)", "{{queue}}"),
            unit="bytes",
        ),
        graph(
            "Refused by the disk",
            "It is full, or may not be written.",
            Query(
                f"sum by (queue, reason) (increase(telemetry_spool_refused_total{RATE})){OR_NOTHING}",
                "{{queue}} {{reason}}",
            ),
        ),
        graph(
            "Errors logged late",
            "Not written within 0.2 s: a disk or the console is slow or hangs, and the code that logged them went on.",
            Query(f"sum by (queue) (increase(telemetry_log_late_total{RATE})){OR_NOTHING}", "{{queue}}"),
        ),
        graph(
            "Label sets over their limit",
            "1: what is over it is counted in one series.",
            Query(f"max by (instrument) (telemetry_label_sets_overflow){OR_NOTHING}", "{{instrument}}"),
        ),
        graph(
            "Callbacks that are late",
            "Nothing within a second: the values of the instrument are missing until its callback returns.",
            Query(
                f"sum by (instrument) (increase(telemetry_callback_timeouts_total{RATE})){OR_NOTHING}", "{{instrument}}"
            ),
        ),
        graph(
            "Values that OTLP cannot carry",
            "Repaired on their way out: a text that is no Unicode, an integer over 64 bits, a value of another type.",
            Query(
                f"sum by (queue, reason) (increase(telemetry_otlp_replaced_total{RATE})){OR_NOTHING}",
                "{{queue}} {{reason}}",
            ),
        ),
        graph(
            "Memory of the console",
            "Traces, log lines and figures in recent.db, and its log. Traces and lines take 64 MB at most.",
            Query(f"max by (instance) (telemetry_recent_bytes){OR_NOTHING}", "{{instance}}"),
            unit="bytes",
        ),
        graph(
            "Traces of the console",
            "Those that failed or were slow, job runs, and a sample of the rest.",
            Query(f"max by (instance) (telemetry_recent_traces){OR_NOTHING}", "{{instance}}"),
        ),
        graph(
            "Not remembered for the console",
            "The queue was full, too much came at once, or the disk did not take it. Metrics stay true.",
            Query(
                f"sum by (kind, reason) (increase(telemetry_recent_dropped_total{RATE})){OR_NOTHING}",
                "{{kind}} {{reason}}",
            ),
        ),
        graph(
            "Workers",
            "How old what each of several workers last wrote is. One that hangs grows old; its numbers are shown as it left them.",
            Query(f"max by (worker) (telemetry_worker_snapshot_age_seconds){OR_NOTHING}", "{{worker}}"),
            unit="s",
        ),
        graph(
            "Workers that are not found",
            "1: a page of /metrics lacks workers of the service, which cannot be found. Its log says why.",
            Query(f"max by (instance) (telemetry_page_incomplete){OR_NOTHING}", "{{instance}}"),
        ),
    ),
)
_COLLECTOR: Final = Row(
    "Collector",
    (
        graph(
            "Taken in",
            "Spans, metric points and log records a second.",
            Query(f"sum(rate(otelcol_receiver_accepted_spans_total{RATE})){OR_NOTHING}", "spans"),
            Query(f"sum(rate(otelcol_receiver_accepted_metric_points_total{RATE})){OR_NOTHING}", "metric points"),
            Query(f"sum(rate(otelcol_receiver_accepted_log_records_total{RATE})){OR_NOTHING}", "log records"),
        ),
        graph(
            "Waiting on disk",
            "By exporter, against its size: a store that is away fills it.",
            Query(
                f"max by (exporter) (otelcol_exporter_queue_size / otelcol_exporter_queue_capacity){OR_NOTHING}",
                "{{exporter}}",
            ),
            unit="percentunit",
            most=1,
            steps=low_is_good(0.5, 0.8),
        ),
        graph(
            "Refused and given up",
            "Refused: the service tries again. Given up: gone.",
            Query(f"sum(rate(otelcol_receiver_refused_spans_total{RATE})){OR_NOTHING}", "refused spans"),
            Query(
                f"sum by (exporter) (rate(otelcol_exporter_send_failed_spans_total{RATE})){OR_NOTHING}",
                "given up {{exporter}}",
            ),
        ),
    ),
)
DASHBOARD: Final = Dashboard(
    "sovani-telemetry",
    "Telemetry",
    "Alerts on their way, queues, drops, spools, the Collector: whether what is shown elsewhere can be relied upon.",
    (_ALERTS, _QUEUES, _COLLECTOR),
)
