"""The recipes make images that pass the check: built without registry and network, from this machine."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from toolcrib.sandbox import Limits, RunRequest
from toolcrib.testing.counterparts import missing
from toolcrib_sandbox import DockerSandbox, DockerSettings
from toolcrib_sandbox._engine import Engine
from toolcrib_sandbox.testing import TestEngine

IMAGES = Path(__file__).parents[1] / "images"
PINNED = re.compile(r"^ARG BASE=python@sha256:[0-9a-f]{64}$", re.MULTILINE)


def build(engine: Engine, folder: Path, name: str, base: str) -> str:
    """What the builder says; the image is called `name`."""
    lines = engine.api.build(
        path=str(folder), tag=name, buildargs={"BASE": base}, network_mode="none", rm=True, decode=True
    )
    said = "".join(line.get("stream", "") + line.get("error", "") for line in lines)
    assert "Successfully built" in said, said
    return said


@pytest.fixture(scope="module")
def builder(engine: TestEngine) -> Iterator[Engine]:
    opened = Engine(engine.host)
    before = {each["Id"] for each in opened.api.images(all=True)}
    yield opened
    made = opened.api.images(name="toolcrib-test-recipe") + opened.api.images(filters={"dangling": True})
    for each in made:
        if each["Id"] not in before:
            opened.api.remove_image(each["Id"], force=True)
    left = {each["Id"] for each in opened.api.images(all=True)} - before
    opened.close()
    assert left == set(), "no image, and no layer, stays behind"


@pytest.mark.parametrize("name", ["minimal", "data"])
def test_the_base_is_pinned_and_nothing_runs_as_root(name: str) -> None:
    recipe = (IMAGES / name / "Dockerfile").read_text()
    assert PINNED.search(recipe)
    assert re.findall(r"^USER (\S+)$", recipe, re.MULTILINE)[-1] == "10001:10001"


def test_the_libraries_are_pinned_by_version_and_hash() -> None:
    text = (IMAGES / "data" / "requirements.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert {"numpy", "pandas", "matplotlib"} <= {line.partition("==")[0] for line in lines}
    assert [line for line in lines if not re.match(r"[a-z0-9-]+==\S+ +--hash=sha256:", line)] == []


async def test_the_minimal_recipe_makes_an_image_that_passes(
    engine: TestEngine, builder: Engine, small: Limits
) -> None:
    """The self test looks at all that an image can spoil; limits are the container's matter, not its own."""
    build(builder, IMAGES / "minimal", "toolcrib-test-recipe:minimal", engine.image)
    image = builder.image("toolcrib-test-recipe:minimal").id
    async with DockerSandbox(DockerSettings(host=engine.host, image=image, preheated=0)) as sandbox:
        told = await sandbox.run(RunRequest("print(1)", limits=small))
        assert (told.stdout, told.image) == ("1\n", image)


TINYLIB = '''
"""Does what a library for plots does: keeps a list of fonts where its environment says, and draws."""
import os, pathlib
fonts = pathlib.Path(os.environ["MPLCONFIGDIR"], "tinylib")
fonts.mkdir()
(fonts / "fontlist.json").write_text("[]")

def draw(path):
    pathlib.Path(path).write_bytes(b"\\x89PNG\\r\\n\\x1a\\n" + (fonts / "fontlist.json").read_bytes())
'''


def wheel(folder: Path) -> str:
    """A library as a wheel, and the line of requirements that pins it."""
    info, texts = "tinylib-1.0.dist-info", {"tinylib.py": TINYLIB}
    texts[f"{info}/METADATA"] = "Metadata-Version: 2.1\nName: tinylib\nVersion: 1.0\n"
    texts[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    digests = {name: hashlib.sha256(text.encode()).digest() for name, text in texts.items()}
    rows = [
        f"{name},sha256={base64.urlsafe_b64encode(digests[name]).decode().rstrip('=')},{len(text)}\n"
        for name, text in texts.items()
    ]
    path = folder / "tinylib-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for name, text in texts.items():
            file.writestr(name, text)
        file.writestr(f"{info}/RECORD", "".join(rows) + f"{info}/RECORD,,\n")
    return f"tinylib==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def pip_wheel() -> Path:
    """The pip that this Python brings."""
    found = sorted(Path(sys.base_prefix).glob("lib/python3*/ensurepip/_bundled/pip-*.whl"))
    found += sorted(Path("/usr/share/python-wheels").glob("pip-*.whl"))
    if not found:
        missing("THE DATA IMAGE WAS NOT BUILT: this Python brings no wheel of pip")
    return found[0]


async def test_the_data_recipe_installs_by_hash_without_an_index(
    engine: TestEngine, builder: Engine, small, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    (folder / "wheels").mkdir(parents=True)
    shutil.copy(IMAGES / "data" / "Dockerfile", folder)
    shutil.copy(pip_wheel(), folder / "wheels")
    (folder / "requirements.txt").write_text(wheel(folder / "wheels"))
    build(builder, folder, "toolcrib-test-recipe:data", engine.image)
    image = builder.image("toolcrib-test-recipe:data").id
    async with DockerSandbox(DockerSettings(host=engine.host, image=image, preheated=0)) as sandbox:
        program = "import tinylib; tinylib.draw('chart.png')\nimport pip"
        result = await sandbox.run(RunRequest(program, limits=small))
    assert "No module named 'pip'" in result.stderr, result.stderr
    assert [(each.name, each.media_type) for each in result.artifacts] == [("chart.png", "image/png")]
    (folder / "requirements.txt").write_text(f"tinylib==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(AssertionError, match="DO NOT MATCH THE HASHES"):
        build(builder, folder, "toolcrib-test-recipe:forged", engine.image)


CHART = """
import matplotlib, pandas
import matplotlib.pyplot as plt
table = pandas.DataFrame({"stage": ["a", "b", "c"], "worth": [3, 1, 2]})
table.plot.bar(x="stage", y="worth", title="Worth by stage")
plt.savefig("chart.png")
print(matplotlib.get_backend(), matplotlib.get_configdir(), matplotlib.get_cachedir())
"""


@pytest.fixture(scope="module")
def drawing(engine: TestEngine, builder: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The data recipe with the real libraries, as wheels for this Python."""
    folder = tmp_path_factory.mktemp("real") / "data"
    folder.mkdir()
    shutil.copy(IMAGES / "data" / "Dockerfile", folder)
    shutil.copytree(os.environ["TOOLCRIB_DATA_WHEELS"], folder / "wheels")
    wheels = {each.name: hashlib.sha256(each.read_bytes()) for each in (folder / "wheels").glob("*.whl")}
    lines = [f"{'=='.join(name.split('-')[:2])} --hash=sha256:{h.hexdigest()}" for name, h in wheels.items()]
    (folder / "requirements.txt").write_text("\n".join(lines))
    shutil.copy(pip_wheel(), folder / "wheels")
    build(builder, folder, "toolcrib-test-recipe:chart", engine.image)
    return builder.image("toolcrib-test-recipe:chart").id


@pytest.mark.skipif("TOOLCRIB_DATA_WHEELS" not in os.environ, reason="TOOLCRIB_DATA_WHEELS names no folder")
@pytest.mark.parametrize("tier", ["single-use", "burst"])
async def test_matplotlib_draws(
    engine: TestEngine, drawing: str, tier: Literal["single-use", "burst"]
) -> None:
    """Too large for every run of the suite: 50 MB of wheels, and minutes to build."""
    made = DockerSettings(
        host=engine.host, image=drawing, containers=2, preheated=0, tier=tier, preload=("numpy", "pandas")
    )
    async with DockerSandbox(made) as sandbox:
        told = await sandbox.run(RunRequest(CHART, limits=Limits(memory=512 << 20, wall=60)))
    (chart,) = told.artifacts
    assert (chart.name, chart.media_type) == ("chart.png", "image/png") and len(chart.data) > 5000
    assert (told.stdout, told.exit_code, told.notes) == ("Agg /tmp /tmp\n", 0, ()), told.stderr
