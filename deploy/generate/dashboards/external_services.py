"""The outside world: calls, errors, waits and quota by marketplace; tokens and money; what came of it."""

from typing import Final

from deploy.generate.dashboards.panels import (
    OR_NOTHING,
    RATE,
    Dashboard,
    Query,
    Row,
    graph,
    high_is_good,
    low_is_good,
    none_is_good,
    number,
    table,
)

_BAD: Final = 'status=~"5..|timeout|error"'

_NOW: Final = Row(
    "Now",
    (
        number("Calls a second", "To all of them.", "sum(rate(external_api_requests_total[5m]))", unit="reqps"),
        number(
            "That succeed",
            "Of the calls in five minutes; a 4xx is our own fault, and counts as no success either.",
            'sum(rate(external_api_requests_total{status=~"2.."}[5m])) / sum(rate(external_api_requests_total[5m]))',
            unit="percentunit",
            steps=high_is_good(0.95, 0.99),
        ),
        number(
            "Rate limited (429)",
            "In an hour. Somebody else may use the account's quota.",
            f'sum(increase(external_api_requests_total{{status="429"}}[1h])){OR_NOTHING}',
            steps=low_is_good(1, 50),
        ),
        number(
            "Refused (401, 403)",
            "In an hour. A token is wrong or expired: it does not mend itself.",
            f'sum(increase(external_api_requests_total{{status=~"401|403"}}[1h])){OR_NOTHING}',
            steps=none_is_good(),
        ),
        number(
            "Spent in a day",
            "At OpenAI, by its price list.",
            f"sum(increase(openai_cost_usd_total[1d])){OR_NOTHING}",
            unit="currencyUSD",
            steps=low_is_good(5, 10),
        ),
        number(
            "Drafts in a day", "Answers that were drafted.", f"sum(increase(advice_generated_total[1d])){OR_NOTHING}"
        ),
    ),
)
_CALLS: Final = Row(
    "Calls",
    (
        graph(
            "Calls by service",
            "What goes out.",
            Query(f"sum by (service) (rate(external_api_requests_total{RATE}))", "{{service}}"),
            unit="reqps",
            stacked=True,
        ),
        graph(
            "Failures by service and status",
            "`timeout` and `error`: there was no response. `unreadable`: a success by its status, with a body that could not be read.",
            Query(
                f'sum by (service, status) (rate(external_api_requests_total{{status!~"2.."}}{RATE})){OR_NOTHING}',
                "{{service}} {{status}}",
            ),
            Query(
                f"sum by (service) (rate(external_api_unreadable_total{RATE})){OR_NOTHING}", "{{service}} unreadable"
            ),
            unit="reqps",
        ),
        graph(
            "Share that fails",
            "Theirs: 5xx, timeouts, connections. More than a quarter for ten minutes raises an alert.",
            Query(
                f"(sum by (service) (rate(external_api_requests_total{{{_BAD}}}{RATE})) / sum by (service) (rate(external_api_requests_total{RATE}))){OR_NOTHING}",
                "{{service}}",
            ),
            unit="percentunit",
            most=1,
            steps=low_is_good(0.05, 0.25),
        ),
        graph(
            "Duration",
            "The 95th percentile. Telegram's includes the polls for its bot's updates, of 20 s each.",
            Query(
                f"histogram_quantile(0.95, sum by (service, le) (rate(external_api_duration_seconds_bucket{RATE})))",
                "{{service}}",
                exemplars=True,
            ),
            unit="s",
            width=12,
        ),
        graph(
            "Waits for quota",
            "Seconds in a second that calls wait, so that the account keeps to its limits, by the service that limits it.",
            Query(
                f"sum by (service, reason) (rate(external_api_wait_seconds_total{RATE})){OR_NOTHING}",
                "{{service}} {{reason}}",
            ),
            unit="s",
            width=12,
        ),
        table(
            "Endpoints",
            "Calls in an hour, by endpoint and answer.",
            Query("sum by (service, endpoint, status) (increase(external_api_requests_total[1h]))", "calls"),
            width=24,
            height=9,
        ),
    ),
)
_CAME: Final = Row(
    "What came of it",
    (
        graph(
            "Reviews",
            "By marketplace and what became of them.",
            Query(
                f"sum by (marketplace, status) (increase(reviews_processed_total{RATE}))", "{{marketplace}} {{status}}"
            ),
        ),
        graph(
            "Orders",
            "By marketplace and what became of them.",
            Query(
                f"sum by (marketplace, status) (increase(orders_processed_total{RATE}))", "{{marketplace}} {{status}}"
            ),
        ),
        graph(
            "Drafts",
            "By what came of them.",
            Query(
                f"sum by (marketplace, outcome) (increase(advice_drafts_total{RATE})){OR_NOTHING}",
                "{{marketplace}} {{outcome}}",
            ),
            Query(f"(sum by (reason) (increase(draft_checks_total{RATE})) > 0){OR_NOTHING}", "held: {{reason}}"),
        ),
        graph(
            "Money",
            "Dollars an hour, by model.",
            Query(f"3600 * sum by (model) (rate(openai_cost_usd_total{RATE})){OR_NOTHING}", "{{model}}"),
            unit="currencyUSD",
            width=12,
        ),
        graph(
            "A draft costs",
            "Dollars, the mean of an hour.",
            Query(
                f"sum(increase(openai_cost_usd_total[1h])) / (sum(increase(advice_generated_total[1h])) > 0){OR_NOTHING}",
                "a draft",
            ),
            unit="currencyUSD",
            width=12,
        ),
    ),
)
_FRESH: Final = Row(
    "Freshness",
    (
        graph(
            "Age of the sources",
            "Since each was last read to its end. Three times its cadence is told: GET /sources says what keeps it from being read.",
            Query("max by (source) (source_age_seconds)", "{{source}}"),
            unit="s",
        ),
        graph(
            "Reviews that wait for an answer",
            "By marketplace and rating.",
            Query("max by (marketplace, rating) (reviews_waiting)", "{{marketplace}} {{rating}}"),
            stacked=True,
        ),
        graph(
            "The oldest of them",
            "By marketplace and rating.",
            Query("max by (marketplace, rating) (reviews_waiting_oldest_age_seconds)", "{{marketplace}} {{rating}}"),
            unit="s",
        ),
        graph(
            "Reviews without a draft",
            "A line that climbs: drafting is stuck, or too slow.",
            Query("max(reviews_without_draft)", "without a draft"),
            width=6,
        ),
        graph(
            "Invalid rows",
            "Rows that were not stored, and odd ones, of which a part is missing. The table invalid_rows says why.",
            Query(f"sum by (source) (increase(invalid_rows_total{RATE}))", "{{source}}"),
            Query(f"sum by (source) (increase(odd_rows_total{RATE}))", "{{source}}: odd"),
            width=6,
        ),
        graph(
            "Wants no calls for",
            "A service that answered with 429, and for how long it wants no calls. A day is the longest wait.",
            Query("clamp_min(max by (service) (rate_limited_until_timestamp_seconds) - time(), 0)", "{{service}}"),
            unit="s",
            width=6,
        ),
        graph(
            "Credentials expire in",
            "Told 14 days before, 3 days before, and when they have expired.",
            Query("min by (service) (credential_expiry_timestamp_seconds) - time()", "{{service}}"),
            unit="s",
            least=None,
            width=6,
        ),
    ),
)
DASHBOARD: Final = Dashboard(
    "sovani-outside",
    "Outside world",
    "Calls, errors, waits and quota by marketplace; tokens and money; what came of it.",
    (_NOW, _CALLS, _CAME, _FRESH),
)
