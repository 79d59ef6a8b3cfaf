"""`toolcrib packs check itsm --backend NAME`: the shipped suites, as an operator runs them."""

import json

import pytest
from click.testing import CliRunner

from toolcrib.cli.packs import packs
from toolcrib.errors import PackError
from toolcrib.testing.conformance import check_pack
from toolcrib_itsm.conformance import Roundup, ServiceNow


@pytest.mark.parametrize("backend", ["servicenow", "roundup"])
def test_a_shipped_suite_starts_its_counterpart_itself(backend, request):
    if backend == "roundup":
        request.getfixturevalue("need_roundup")
    only = ["--only", "secrets"]  # which makes each good call, and would skip where there are none
    result = CliRunner().invoke(packs, ["check", "itsm", "--backend", backend, "--json", *only])
    assert result.exit_code == 0, result.output
    (report,) = json.loads(result.stdout)
    assert [(one["check"], one["status"]) for one in report["checks"]] == [("secrets", "passed")]


@pytest.mark.parametrize(("suite", "module"), [(ServiceNow, "pysnc"), (Roundup, "roundup")])
def test_without_its_counterpart_nothing_is_checked_and_the_remedy_is_told(suite, module, monkeypatch):
    from toolcrib.testing import _pack_ready

    monkeypatch.setattr(_pack_ready, "find_spec", lambda name: None if name == module else "there")
    with pytest.raises(PackError, match=f"{module} is not installed") as lacking:
        check_pack(suite())
    assert "pip install" in lacking.value.remedy
