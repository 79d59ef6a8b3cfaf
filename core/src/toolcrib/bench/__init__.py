"""The security team's bench: tools over policies. Nothing on the way of a call imports it."""

__all__: list[str] = []
