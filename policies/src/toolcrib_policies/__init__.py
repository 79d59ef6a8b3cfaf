"""The Casbin model, sample bundles and their tests, as package data."""

from toolcrib_policies._bundles import bundle, model, names

__all__ = ["bundle", "model", "names"]
