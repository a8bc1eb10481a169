"""Identity: agents that redefine each other, opinions, consensus that survives liars, and what selection does to love."""
