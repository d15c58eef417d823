"""Health checks, run concurrently with a deadline each, and the disks and memory of the machine."""
