"""The sandbox: fakes of Wildberries, Ozon, OpenAI and Telegram on loopback, for tests and for a service without credentials.

It imports nothing else of the service: its behaviour follows only from what the real services are known to send.
"""
