"""Statistics of a job: counts, percentiles, failure streaks and the trend of its duration."""
