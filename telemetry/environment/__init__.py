"""The environment variables of the process: the file `.env`, and misspelled names."""
