"""Repeated games: strategies as automata and machines, matches, tournaments and exact payoffs."""
