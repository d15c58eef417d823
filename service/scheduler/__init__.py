"""The scheduler: when a job runs, and in which process."""
