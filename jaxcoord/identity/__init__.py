"""Identity: agents that redefine each other, opinions, consensus that survives liars, and love under selection."""
