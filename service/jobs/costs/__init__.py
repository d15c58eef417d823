"""What the service costs: written from the ledger of each process, read as a report, and compared with the budget."""
