"""The instruments of the business, as fields of one frozen object."""

from dataclasses import dataclass
from typing import Final, Self

from opentelemetry.metrics import Counter, Meter

from service.external import MARKETPLACES
from telemetry.metrics.vocabulary import Label, Row

MARKETPLACE: Final = "marketplace"
STATUS: Final = "status"
REVIEWS_PROCESSED: Final = "reviews.processed"
ADVICE_GENERATED: Final = "advice.generated"

_MARKETPLACE = Label("marketplace", MARKETPLACE)
ROWS: Final = (
    Row(
        "reviews_processed_total",
        "counter",
        REVIEWS_PROCESSED,
        "Reviews that a sync has seen, by what became of them.",
        (_MARKETPLACE, Label("status", STATUS)),
    ),
    Row("advice_generated_total", "counter", ADVICE_GENERATED, "Answers drafted.", (_MARKETPLACE,)),
)


@dataclass(frozen=True, slots=True)
class BusinessInstruments:
    reviews_processed: Counter
    advice_generated: Counter

    @classmethod
    def create(cls, meter: Meter) -> Self:
        """Counters begin at zero for each marketplace, so that a first event is seen by `rate()`."""
        made = cls(
            reviews_processed=meter.create_counter(REVIEWS_PROCESSED, "{review}", "Reviews that a sync has seen."),
            advice_generated=meter.create_counter(ADVICE_GENERATED, "{answer}", "Answers drafted."),
        )
        for marketplace in MARKETPLACES:
            made.advice_generated.add(0, {MARKETPLACE: marketplace})
        return made
