"""The conformance suite of packs: what every pack must do, whatever it talks to.

A pack ships its suite as `PACKAGE.conformance.Conformance`, so that whoever installs the pack can run it
(`toolcrib packs check NAME`), and its test file says no more than

    from toolcrib_notes.conformance import Conformance

    class TestNotes(Conformance):
        "Every check of the kit."

Needs no pytest plugin. A check that cannot be made is skipped and says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from toolcrib.errors import PackError
from toolcrib.testing._pack_made import Made
from toolcrib.testing._pack_outcome import Outcome
from toolcrib.testing._pack_ready import lacking, ready
from toolcrib.testing._pack_report import CHECKS, check_pack, run_check
from toolcrib.testing._pack_stand import contents

if TYPE_CHECKING:
    from toolcrib.hookspecs import PackConfig
    from toolcrib.testing.http import FakeService
    from toolcrib.tools import Toolkit

__all__ = ["CHECKS", "Calls", "Made", "Outcome", "PackConformance", "check_pack", "suite_of"]


Calls: TypeAlias = Mapping[str, Mapping[str, Any] | Sequence[Mapping[str, Any]]]
"""Good calls by tool: the arguments of one, or of several."""


class PackConformance:
    """Subclass it, say `pack`, and give `calls`; override the rest where the pack needs it.

    `settings` is the table `[packs.NAME]`, `secrets` are values by name, planted to see whether they leak.
    `row_cap` is the most rows that a read may give at once. `grace` is how many seconds a call may take to
    end when its time is up or it is cancelled. `labels` are labels that tools must have, by
    tool. `excuses` are problems that are meant, `{(check, tool): reason}`; they are shown, never silent.
    `lacks` are tools that this backend has no place for, with the reason: their good call must be refused.
    `needs` are modules without which nothing can be checked, with what installs each.
    """

    pack: str = ""
    settings: Mapping[str, Any] = {}
    secrets: Mapping[str, str] = {}
    labels: Mapping[str, Sequence[str]] = {}
    excuses: Mapping[tuple[str, str], str] = {}
    lacks: Mapping[str, str] = {}
    needs: Mapping[str, str] = {}
    row_cap: int = 2000
    grace: float = 5.0
    vendor: FakeService | None = None
    prepared: Any = None
    _stage: ExitStack

    def calls(self) -> Calls:
        """Good calls by tool (without the pack's name): the arguments of one, or of several. What another
        tool makes, as an id, is `Made(TOOL, PLACE)`. Together they must show something: a read that finds
        nothing, a list of one row and an empty preview fail.
        """
        return {}

    def prepare(self) -> AbstractContextManager[Any]:
        """Entered once, before the first check, and left after the last: what takes long to start and serves
        all of them, such as a real server. What it gives is `self.prepared`. `toolcrib packs check` may
        end the process, and all that it started, instead of leaving it.
        """
        return nullcontext()

    def world(self) -> AbstractContextManager[FakeService | None]:
        """Entered before the pack is opened, for each check anew: the vendor's fake where there is one, which
        is `self.vendor` from then on.
        """
        return nullcontext(None)

    def toolkits(self, config: PackConfig) -> list[Toolkit]:
        """The toolkits to check; those of the installed pack unless overridden."""
        from toolcrib.packs._discover import discover
        from toolcrib.packs._open import open_pack

        found = discover().get(self.pack)
        if not found:
            raise PackError(f"no pack {self.pack!r} is installed", remedy="Install it, or correct `pack`")
        return list(open_pack(found[0], config).toolkits)

    def state(self, folder: Path) -> Any:
        """All that a tool could have changed, comparable; the contents of the pack's folder unless
        overridden.
        """
        return contents(folder)

    def policy(self) -> Path | None:
        """The folder of the sample policy: `policy/` in the package of the suite, unless overridden."""
        home = import_module(type(self).__mro__[-3].__module__.partition(".")[0]).__file__
        return Path(home).parent / "policy" if home else None

    def run(self, check: str) -> Outcome:
        """Make one check by name."""
        return asyncio.run(run_check(self, check))

    @classmethod
    def setup_class(cls) -> None:
        """For pytest: `prepare`, before the first test of the class."""
        from toolcrib.testing.counterparts import missing

        suite = cls()
        if problem := lacking(suite):
            missing(str(problem))
        cls._stage = ExitStack()
        cls._stage.enter_context(ready(suite))
        cls.prepared = suite.prepared

    @classmethod
    def teardown_class(cls) -> None:
        """For pytest: the end of what `setup_class` began."""
        cls._stage.close()

    def _hold(self, check: str) -> None:
        outcome = self.run(check)
        if outcome.status == "skipped":
            from pytest import skip

            skip(outcome.reason)
        assert outcome.status == "passed", "\n".join(outcome.problems)


def _test(check: str) -> Any:
    def test(self: PackConformance) -> None:
        self._hold(check)

    test.__name__ = f"test_{check}"
    test.__doc__ = CHECKS[check].__doc__
    return test


for _name in CHECKS:
    setattr(PackConformance, f"test_{_name}", _test(_name))


def suite_of(pack: str, backend: str = "") -> PackConformance:
    """The suite that an installed pack ships, else one without calls, which can check only what it sees.

    `backend` chooses the suite whose `settings` name it; where the pack ships none, `Conformance` is given
    the setting. Imports the pack; raises `PackError` where there is none of this name, or where that fails.
    """
    from toolcrib._nearest import did_you_mean
    from toolcrib.packs._discover import discover
    from toolcrib.packs._open import blamed

    installed = discover()
    if pack not in installed:
        raise PackError(
            f"no pack {pack!r} is installed", rule="installed packs are checked",
            remedy=f"Install it (`pip install -e .` in its project). {did_you_mean(pack, installed)}",
        )  # fmt: skip
    found = installed[pack][0]
    package = found.module.partition(":")[0].partition(".")[0]
    with blamed(found, f"fails to import {package}.conformance"):
        suite = _suite(package, pack, backend)
    if backend and suite.settings.get("backend") != backend:
        suite.settings = {**suite.settings, "backend": backend}
    return suite


def _suite(package: str, pack: str, backend: str) -> PackConformance:
    try:
        module = import_module(f"{package}.conformance")
    except ModuleNotFoundError as error:
        if error.name != f"{package}.conformance":
            raise
        bare: PackConformance = type(
            "Conformance", (PackConformance,), {"pack": pack, "__module__": package}
        )()
        return bare
    suites = [each for each in vars(module).values() if _is_suite(each)]
    chosen = [each for each in suites if backend and each.settings.get("backend") == backend]
    suite: PackConformance = (chosen or [module.Conformance])[0]()
    return suite


def _is_suite(each: object) -> TypeGuard[type[PackConformance]]:
    return isinstance(each, type) and issubclass(each, PackConformance) and each is not PackConformance
