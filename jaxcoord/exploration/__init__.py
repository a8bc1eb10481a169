"""Exploration: populations that search rugged landscapes and learn from each other."""
