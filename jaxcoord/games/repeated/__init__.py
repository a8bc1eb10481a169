"""Repeated games: strategies as automata, matches, tournaments and exact payoffs."""
