"""Housekeeping (interim)."""


def check_resources(c):
    return {}


def clean_logs(c):
    return {}


def back_up_database(c):
    return {}


def prune_job_runs(c):
    return {}
