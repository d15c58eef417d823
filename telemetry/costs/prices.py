"""What the resources cost, as the variables `COST_…` say. Without its price a resource is measured, and has no cost."""

from dataclasses import dataclass
from typing import Final

CPU: Final = "cpu"
MEMORY: Final = "memory"
STORAGE: Final = "storage"
OPENAI: Final = "openai"
RESOURCES: Final = (CPU, MEMORY, STORAGE, OPENAI)
HOUR: Final = 3600
MONTH: Final = 30 * 24 * HOUR
GIGABYTE: Final = 10**9


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars; None for a price that is not known."""

    cpu_hour: float | None = None
    memory_gb_hour: float | None = None
    storage_gb_month: float | None = None

    def usd(self, resource: str, amount: float) -> float | None:
        """What an amount costs: CPU seconds, bytes times seconds, or dollars of OpenAI. None if there is no price."""
        price = self.of_unit(resource)
        return None if price is None else amount * price

    def of_unit(self, resource: str) -> float | None:
        """The price of a CPU second, or of a byte for a second."""
        prices = {
            CPU: (self.cpu_hour, HOUR),
            MEMORY: (self.memory_gb_hour, GIGABYTE * HOUR),
            STORAGE: (self.storage_gb_month, GIGABYTE * MONTH),
            OPENAI: (1.0, 1),
        }
        price, units = prices[resource]
        return None if price is None else price / units

    def of_run(self, cpu_seconds: float | None, charged_usd: float) -> float | None:
        """What a run cost: its CPU time, and what others charged. None if neither is known."""
        cpu = None if cpu_seconds is None else self.usd(CPU, cpu_seconds)
        return None if cpu is None and not charged_usd else (cpu or 0.0) + charged_usd
