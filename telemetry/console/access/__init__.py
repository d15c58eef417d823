"""Who may look at the console: whoever has signed in with `OPS_TOKEN`; without that, programs of this machine alone."""
