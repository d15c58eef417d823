"""Run monitoring: finds missed ticks, scheduler downtimes and overdue runs."""
