"""A signed token becomes a principal; everything that is not plainly one is refused, and quoted nowhere."""

import hashlib
import hmac
import time
from base64 import urlsafe_b64encode

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from toolcrib import Principal
from toolcrib.errors import NotAuthenticated, Unavailable
from toolcrib.identity import Bearer


def raw(header, claims, signature=b"x" * 64):
    """A token put together by hand; parts may be bytes that are no JSON."""
    parts = (part if isinstance(part, bytes) else orjson.dumps(part) for part in (header, claims))
    return ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, signature))


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_token_of_the_issuer_is_a_principal(oidc, ask, private_keys, algorithm):
    oidc.keys.clear()
    key = oidc.add("k", algorithm, private_keys[algorithm])
    found = await ask(key.sign(oidc.claims()), session="s1", run="r1")
    assert found == Principal("sales", "alice", "acme", session="s1", run="r1")


async def refused(ask, token, what, **more):
    with pytest.raises(NotAuthenticated) as caught:
        await ask(token, **more)
    assert what in str(caught.value)
    assert caught.value.rule and caught.value.remedy
    parts = [part for part in token.split(".") if len(part) > 20]
    assert not any(part in str(caught.value) or part[:20] in str(caught.value) for part in parts)
    assert caught.value.__cause__ is None or "eyJ" not in str(caught.value.__cause__)


CLAIMS = {
    "expired": ({"exp": time.time() - 60}, "has expired"),
    "not valid yet": ({"nbf": time.time() + 3600}, "not valid yet"),
    "from the future": ({"iat": time.time() + 3600}, "not valid yet"),
    "without an end": ({"exp": None}, "missing: exp"),
    "without a beginning": ({"iat": None}, "missing: iat"),
    "for others": ({"aud": "billing"}, "somebody else"),
    "for nobody": ({"aud": None}, "missing: aud"),
    "of another issuer": ({"iss": "https://evil.example"}, "another issuer"),
    "of an issuer with a slash more": ({"iss": "SLASH"}, "another issuer"),
    "without a user": ({"sub": None}, "the claim 'sub' is not a plain id"),
    "of user none": ({"sub": "none"}, "reserved"),
    "of a user that is a pattern": ({"sub": "*"}, "not a plain id"),
    "of a user with a prefix": ({"sub": "role:admin"}, "not a plain id"),
    "of a user that is no text": ({"sub": ["alice"]}, "not"),
    "with agents that are none": ({"agents": {"a": 1}}, "is no list"),
    "with an agent that is a path": ({"agents": ["../x y"]}, "not a plain id"),
    "with an actor that is no object": ({"act": "sales"}, "'act.sub' is not a plain id"),
    "with an actor without a name": ({"act": {}}, "'act.sub' is not a plain id"),
    "with an actor that is not permitted": ({"act": {"sub": "root"}}, "is not permitted"),
}


@pytest.mark.parametrize("name", CLAIMS)
async def test_claims_that_are_wrong(oidc, ask, name):
    claims, what = CLAIMS[name]
    if claims.get("iss") == "SLASH":
        claims = {"iss": oidc.url + "/"}
    claims = oidc.claims(**claims)
    if isinstance(claims.get("sub"), list):
        header = {"alg": "ES256", "kid": "key-1"}
        token = jwt.api_jws.encode(orjson.dumps(claims), oidc.keys[0].private, "ES256", header)
    else:
        token = oidc.keys[0].sign(claims)
    await refused(ask, token, what)


@pytest.mark.parametrize(("claim", "by"), [("exp", -10), ("nbf", 10), ("iat", 10)])
async def test_clocks_that_differ_a_little_do_no_harm(oidc, ask, claim, by):
    assert (await ask(oidc.keys[0].sign(oidc.claims(**{claim: time.time() + by})))).user == "alice"


async def test_an_audience_among_several_will_do(oidc, ask):
    assert (await ask(oidc.keys[0].sign(oidc.claims(aud=["billing", "crib"])))).user == "alice"


# --- forgeries


async def test_without_a_signature(oidc, ask):
    for algorithm in ("none", "None", "NONE", ""):
        await refused(
            ask, raw({"alg": algorithm, "kid": "key-1"}, oidc.claims()), "algorithm is not accepted"
        )
        await refused(ask, raw({"alg": algorithm}, oidc.claims(), b""), "not a signed JWT")


@pytest.mark.parametrize(
    "form",
    [(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)],
)
async def test_signed_by_hmac_with_the_public_key(oidc, ask, form):
    public = oidc.keys[0].private.public_key().public_bytes(*form)
    unsigned = raw({"alg": "HS256", "typ": "JWT", "kid": "key-1"}, oidc.claims()).rpartition(".")[0]
    mac = hmac.new(public, unsigned.encode(), hashlib.sha256).digest()
    forged = f"{unsigned}.{urlsafe_b64encode(mac).decode().rstrip('=')}"
    await refused(ask, forged, "algorithm is not accepted")


async def test_signed_by_a_key_that_the_token_brings(oidc, ask, private_keys):
    mine = type(oidc.keys[0])("key-1", "ES256", private_keys["other"])
    for header in (
        {"jwk": mine.public},
        {"jku": f"{oidc.url}/keys"},
        {"x5u": "https://evil.example"},
        {"x5c": ["MIIB"]},
    ):
        before = len(oidc.requests)
        await refused(ask, mine.sign(oidc.claims(), **header), "the token's header has")
        assert len(oidc.requests) == before
    await refused(ask, mine.sign(oidc.claims()), "signature is wrong")


@pytest.mark.parametrize(
    "key_id", ["../../etc/passwd", "/dev/null", "x' or '1'='1", "", "a" * 300, "k\n", 7, None, ["key-1"]]
)
async def test_key_ids_are_looked_up_and_never_opened(oidc, ask, key_id, private_keys):
    oidc.add("second", "ES256", private_keys["other"])
    await refused(ask, raw({"alg": "ES256", "kid": key_id}, oidc.claims()), "key")


@pytest.mark.parametrize("header", [{"typ": "dpop+jwt"}, {"typ": 5}, {"typ": "logout+jwt"}])
async def test_tokens_made_for_something_else(oidc, ask, header):
    await refused(ask, raw({"alg": "ES256", "kid": "key-1", **header}, oidc.claims()), "wrong typ")


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"b64": False}, {"zip": "DEF"}, {"anything": 1}])
async def test_headers_that_we_do_not_know(oidc, ask, header):
    await refused(
        ask, raw({"alg": "ES256", "kid": "key-1", **header}, oidc.claims()), "the token's header has"
    )


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        (b'{"alg":"ES256","alg":"none","kid":"key-1"}', {}),
        (b'{"alg":"ES256","kid":"key-1"}', b'{"sub":"alice","sub":"root"}'),
        (b'{"alg":"ES256","kid":"key-1"}', b'{"act":{"sub":"sales","sub":"root"}}'),
    ],
)
async def test_keys_that_stand_twice(ask, header, claims):
    await refused(ask, raw(header, claims), "name something twice")


@pytest.mark.parametrize("part", [b"[1]", b"null", b"\xff", b"", b"{", b'{"exp":NaN}', b"[" * 5000])
async def test_parts_that_are_no_objects(ask, part):
    await refused(ask, raw({"alg": "ES256", "kid": "key-1"}, part), "the token")
    await refused(ask, raw(part, {}), "the token")


@pytest.mark.parametrize(
    "token", ["", "x", "a.b", "a.b.c.d", "a.b.c\n.", "e30.e30.é", "e30.e30.!!", "Bearer x.y.z"]
)
async def test_texts_that_are_no_tokens(ask, token):
    await refused(ask, token, "not a signed JWT")


async def test_a_huge_token_is_refused_unread(oidc, ask):
    await refused(ask, oidc.keys[0].sign(oidc.claims(more="x" * 17_000)), "characters")
    assert not oidc.requests


async def test_a_key_is_used_for_what_it_is_for(oidc, ask, private_keys):
    key = oidc.keys[0]
    token = key.sign(oidc.claims())
    for more in (
        {"use": "enc"},
        {"alg": "ES384"},
        {"kty": "RSA"},
        {"crv": "P-384"},
        {"x": "AAAA"},
        {"y": None},
    ):
        key.more = more
        oidc.keys[:] = [key]
        await refused_after_a_fetch(oidc, token)
    key.more = {}


async def refused_after_a_fetch(oidc, token):
    from toolcrib.config import IdentitySettings
    from toolcrib.identity._issuer import Issuer
    from toolcrib.identity._tokens import Tokens

    settings = IdentitySettings(issuer=oidc.url, audience="crib")
    with pytest.raises(NotAuthenticated, match="the token's key"):
        await Tokens(settings, "acme", Issuer(oidc.url, 60)).caller(token)


async def test_a_short_rsa_key_is_refused(oidc, ask):
    oidc.keys.clear()
    key = oidc.add("short", "RS256", rsa.generate_private_key(65537, 1024))
    await refused(ask, key.sign(oidc.claims()), "too short")


async def test_one_changed_byte_is_noticed(oidc, ask):
    token = oidc.keys[0].sign(oidc.claims())
    header, _, signature = token.split(".")
    claims = raw({}, oidc.claims(sub="root")).split(".")[1]
    await refused(ask, f"{header}.{claims}.{signature}", "signature is wrong")


# --- who acts


async def test_the_actor_is_the_agent_and_only_it(oidc, ask):
    token = oidc.keys[0].sign(oidc.claims(act={"sub": "sales", "act": {"sub": "earlier"}}))
    assert (await ask(token)).agent == "sales"
    await refused(ask, token, "does not let the agent 'other' act", agent="other")


async def test_an_agent_is_one_of_those_that_are_permitted(oidc, ask):
    token = oidc.keys[0].sign(oidc.claims(agents=["sales", "desk"]))
    assert (await ask(token, agent="desk")).agent == "desk"
    await refused(ask, token, "does not say which agent", agent=None)
    await refused(ask, token, "does not let the agent 'root' act", agent="root")


async def test_agents_may_stand_in_one_text_or_be_any(oidc, ask):
    assert (await ask(oidc.keys[0].sign(oidc.claims(agents="sales desk")), agent="desk")).agent == "desk"
    any_agent = oidc.keys[0].sign(oidc.claims(agents=["*"]))
    assert (await ask(any_agent, agent="whoever")).agent == "whoever"
    await refused(ask, any_agent, "does not say which agent")


async def test_a_token_that_names_no_agent_has_those_of_the_config_or_none(oidc, ask, identity_of):
    token = oidc.keys[0].sign(oidc.claims(agents=None))
    await refused(ask, token, "does not say which agent")
    await refused(ask, token, "does not let the agent 'sales' act", agent="sales")
    found = await identity_of('agents = ["helper"]').authenticate(Bearer(token))
    assert found.agent == "helper"


async def test_user_and_tenant_come_from_the_claims_that_the_config_names(oidc, identity_of):
    identity = identity_of('user_claim = "email"\ntenant_claim = "org"')
    key = oidc.keys[0]
    good = key.sign(oidc.claims(email="alice@acme.example", email_verified=True, org="globex"))
    assert await identity.authenticate(Bearer(good)) == Principal("sales", "alice@acme.example", "globex")
    for claims in ({"email_verified": False}, {"email_verified": None}, {"org": None}, {"org": "*"}):
        token = key.sign(
            oidc.claims(**{"email": "alice@acme.example", "email_verified": True, "org": "globex", **claims})
        )
        with pytest.raises(NotAuthenticated):
            await identity.authenticate(Bearer(token))


async def test_an_issuer_that_is_not_there_is_no_proof_of_anything(oidc, ask):
    token = oidc.keys[0].sign(oidc.claims())
    oidc.stop()
    with pytest.raises(Unavailable, match="could not be reached"):
        await ask(token)
