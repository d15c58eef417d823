"""What becomes of spans and log lines: taken in the thread that made them, chosen, redacted and written by another one."""
