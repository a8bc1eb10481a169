"""Published figures and studies, each with the numbers that it must match: `python -m experiments NAME`."""
