"""Which paths and templates are sound, and whom they lead where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolcrib.errors import ConfigError, SecretError
from toolcrib.principal import Principal
from toolcrib.secrets import PathTemplate, check_path

ALICE = Principal(agent="writer", user="alice", tenant="acme")


@pytest.mark.parametrize("path", ["a", "crm/acme/salesforce", "a.b/c_d-e@f.g", "..a/b..", "a" * 512])
def test_sound_paths_pass(path):
    assert check_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        "..",
        "a/../b",
        "./a",
        "a/.",
        "a b",
        "a\nb",
        "a\\b",
        "a%2e",
        "ä",
        "a?b",
        "a#b",
        "{a}",
        "a" * 513,
    ],
)
def test_unsound_paths_are_refused(path):
    with pytest.raises(SecretError, match="not a secret path"):
        check_path(path)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("crm/{tenant}/key", "crm/acme/key"),
        ("{user}/{agent}", "alice/writer"),
        ("static/key", "static/key"),
        ("u-{user}.x/{tenant}", "u-alice.x/acme"),
    ],
)
def test_templates_are_filled_from_the_principal(template, path):
    assert PathTemplate(template, "here").fill(ALICE) == path


@pytest.mark.parametrize(
    "template",
    [
        "",
        "crm/{session}/key",
        "crm/{}/key",
        "crm/{0}/key",
        "crm/{user.__class__}/key",
        "crm/{user!r}/key",
        "crm/{user:>9}/key",
        "crm/{user/key",
        "crm/user}/key",
        "crm/{{user}}/key",
        "crm/{tenant}-{user}/key",
        "crm/{tenant}{user}",
        "../{user}",
        "/{user}",
        "a b/{user}",
    ],
)
def test_what_is_no_template_is_a_config_error_that_names_its_place(template):
    with pytest.raises(ConfigError, match=r"packs.crm.secrets"):
        PathTemplate(template, "[packs.crm.secrets] key")


def test_a_missing_user_is_an_error_and_never_an_empty_segment():
    nobody = Principal(agent="writer", tenant="acme")
    assert PathTemplate("crm/{tenant}", "here").fill(nobody) == "crm/acme"
    with pytest.raises(SecretError, match="needs a user"):
        PathTemplate("crm/{user}", "here").fill(nobody)


@pytest.mark.parametrize("user", [".", ".."])
def test_an_id_that_climbs_is_refused(user):
    with pytest.raises(SecretError, match="not a secret path"):
        PathTemplate("crm/{user}/key", "here").fill(Principal(agent="a", user=user))


IDS = st.from_regex(r"[a-z@._-]{1,6}", fullmatch=True).filter(lambda text: text not in (".", "..", "none"))


@given(IDS, IDS, IDS, IDS, st.sampled_from(["{tenant}/{user}", "x-{user}/{tenant}.y", "{user}/a/{tenant}"]))
def test_different_principals_never_share_a_path(user, tenant, other_user, other_tenant, text):
    template = PathTemplate(text, "here")
    one = Principal(agent="a", user=user, tenant=tenant)
    two = Principal(agent="a", user=other_user, tenant=other_tenant)
    assert (template.fill(one) == template.fill(two)) == ((user, tenant) == (other_user, other_tenant))
