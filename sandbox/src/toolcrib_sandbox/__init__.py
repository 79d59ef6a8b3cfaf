"""The room of the Docker sandbox, which is empty so far; its protocol is `toolcrib.sandbox.Sandbox`."""

__all__: list[str] = []
