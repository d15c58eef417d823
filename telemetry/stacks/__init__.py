"""Where code hangs: the stacks of threads and tasks, taken when a job run or a request takes too long."""
