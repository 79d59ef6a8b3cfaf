"""The one way out of a sandbox, where policy grants one: a proxy on the host, on a unix socket."""

from toolcrib_sandbox.proxy._proxy import EgressProxy, EgressRules, ProxyGateway

__all__ = ["EgressProxy", "EgressRules", "ProxyGateway"]
