"""One of two processes that share a sign-in: `rotating_process.py FOLDER TOKEN_URL`; prints 16 tokens."""

import asyncio
import sys
import time
from pathlib import Path

from toolcrib import CallContext, Principal
from toolcrib.oauth import TokenSource
from toolcrib.secrets import LocalProvider, Secret, SecretBroker

BROKER = SecretBroker(LocalProvider(Path(sys.argv[1])), {"crm": {"crm": "crm/{tenant}/{user}"}}, cache=30)
WHO = Principal(agent="a", user="alice", tenant="acme")


async def anew(name: str, known: Secret) -> Secret:
    BROKER.forget(known)
    return await BROKER.secret("crm", name, WHO)


async def main() -> None:
    source = TokenSource(secret="crm", grant="refresh_token", token_url=sys.argv[2])
    context = CallContext(
        tool="crm.look",
        principal=WHO,
        call_id="c",
        idempotency_key="k",
        deadline=time.monotonic() + 60,
        fetch_secret=lambda name: BROKER.secret("crm", name, WHO),
        learn=BROKER.redactor.learn,
        fetch_anew=anew,
        replace_secret=lambda name, old, value: BROKER.replace(old, value),
    )
    tokens = await asyncio.gather(*(source.token(context) for _ in range(16)))
    print(*(token.reveal() for token in tokens))


asyncio.run(main())
