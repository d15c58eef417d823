"""The client of OpenAI, and what its errors mean."""
