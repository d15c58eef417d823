"""The service: what sellers on Wildberries and Ozon run."""

__version__ = "0.1.0"
