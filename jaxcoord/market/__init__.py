"""The compute market: mechanisms, contagion, and an economy in which every credit is accounted for."""
