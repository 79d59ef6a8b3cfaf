"""Packs: found by their metadata, checked against the lock, imported, and registered each on its own."""
