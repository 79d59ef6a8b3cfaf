"""Adapters to agent frameworks; import the one you need: `toolcrib.adapters.agentchat` or `.classic`."""

__all__: list[str] = []
