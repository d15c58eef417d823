"""Costs: what the service uses and costs, by resource, job and route."""

from typing import Final

from deploy.generate.dashboards.panels import OR_NOTHING, RATE, WIDTH, Dashboard, Query, Row, graph, number, table

_UNPRICED: Final = "Without its price (COST_…_USD) a resource has no money here."

DASHBOARD: Final = Dashboard(
    "sovani-costs",
    "Costs",
    "What the service uses and costs, by resource, job and route. GET /costs has the days.",
    (
        Row(
            "Money",
            (
                number(
                    "In a day",
                    f"All resources. {_UNPRICED}",
                    f"sum(increase(cost_usd_total[1d])){OR_NOTHING}",
                    unit="currencyUSD",
                ),
                number(
                    "In 30 days",
                    f"All resources. {_UNPRICED}",
                    f"sum(increase(cost_usd_total[30d])){OR_NOTHING}",
                    unit="currencyUSD",
                ),
                graph(
                    "In a day, by resource",
                    f"CPU, memory, storage and what OpenAI charged. {_UNPRICED}",
                    Query(f"sum by (resource) (increase(cost_usd_total[1d])){OR_NOTHING}", "{{resource}}"),
                    unit="currencyUSD",
                    width=16,
                    stacked=True,
                ),
                table(
                    "Dearest in a day",
                    f"Jobs, routes and the rest, all resources together. {_UNPRICED}",
                    Query(f"topk(20, sum by (kind, name) (increase(cost_usd_total[1d]))){OR_NOTHING}", "US dollars"),
                    unit="currencyUSD",
                    width=WIDTH,
                ),
            ),
        ),
        Row(
            "CPU time",
            (
                graph(
                    "Cores, by kind",
                    "Idle time is what no job and no route uses: the event loop, the telemetry, start and stop.",
                    Query(f"sum by (kind) (rate(cpu_seconds_total{RATE}))", "{{kind}}"),
                    width=12,
                    stacked=True,
                ),
                graph(
                    "Cores, by job and route",
                    "The ten largest. Thread CPU time, in whatever threads the work is done.",
                    Query(f'topk(10, sum by (name) (rate(cpu_seconds_total{{kind!="service"}}{RATE})))', "{{name}}"),
                    width=12,
                ),
            ),
        ),
    ),
)
