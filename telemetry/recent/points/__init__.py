"""The numbers over time that the console plots: which ones are kept, what is added in each interval, and in which tables."""
