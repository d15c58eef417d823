"""The marketplace Wildberries: API client, reviews and orders."""
