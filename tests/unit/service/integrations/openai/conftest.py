"""What the tests of OpenAI's client share."""

from tests.unit.service.advice.conftest import openai, openai_url

__all__ = ["openai", "openai_url"]
