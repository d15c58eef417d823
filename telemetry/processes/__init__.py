"""The processes of a data directory: which of them live, what each of them is, and what a fork means for their parts."""
