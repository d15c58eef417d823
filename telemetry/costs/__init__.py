"""What jobs and requests cost: the CPU time of the threads that work for them, and what other services charge."""

from telemetry.costs.account import charge
from telemetry.costs.cost_ledger import IDLE, JOB, KINDS, LEDGER, OTHER, PROCESSES, ROUTE, SERVICE, CostLedger
from telemetry.costs.prices import CPU, MEMORY, OPENAI, RESOURCES, STORAGE, Prices

__all__ = [
    "CPU",
    "IDLE",
    "JOB",
    "KINDS",
    "LEDGER",
    "MEMORY",
    "OPENAI",
    "OTHER",
    "PROCESSES",
    "RESOURCES",
    "ROUTE",
    "SERVICE",
    "STORAGE",
    "CostLedger",
    "Prices",
    "charge",
]
