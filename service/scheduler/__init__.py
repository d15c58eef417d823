"""The scheduler: decides when a job runs, and in which process. It knows no particular job."""
