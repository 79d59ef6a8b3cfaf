"""What runs inside a sandbox: sent there as source, never called on the host."""

__all__: list[str] = []
