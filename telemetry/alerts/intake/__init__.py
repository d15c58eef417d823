"""The way of an alert from the log into the outbox: an exporter of log records, and deduplication in the process."""
