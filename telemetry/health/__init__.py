"""Health: named checks, run at once, each with a deadline, and what the machine has left."""
