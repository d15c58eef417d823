"""The sandbox: Wildberries, Ozon, OpenAI and Telegram on loopback, for a service without credentials, and for tests.

It imports nothing of the service: what it does follows from what those four are known to send, and from nothing else.
"""
