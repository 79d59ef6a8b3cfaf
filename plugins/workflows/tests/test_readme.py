"""What the README shows works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import toolcrib_workflows

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


@pytest.mark.parametrize("program", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_its_programs_run(program, capsys):
    exec(compile(program, "README.md", "exec"), {})  # our own text
    assert capsys.readouterr().out.startswith("http://127.0.0.1:")


def test_it_names_every_option_of_the_jobs():
    jobs = toolcrib_workflows.toolcrib_workflows()
    options = {option for job in jobs for parameter in job.command().params for option in parameter.opts}
    assert all(f"`{job.name}`" in README for job in jobs)
    options = {option for option in options if option.startswith("--")}
    assert options and all(f"`{option}" in README for option in options - {"--help"})
