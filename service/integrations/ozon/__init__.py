"""The marketplace Ozon: API client, reviews and orders."""
