"""Figures from datasets."""
