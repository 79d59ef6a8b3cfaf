"""What is allowed, denied or reviewed: Casbin's rows, decided from an index.

`Policy.load(folder)` reads `model.conf` and `policy.csv` strictly and lets pycasbin load them;
`policy.candidates(principal, tool)` finds the rows that can match for user and agent, and
`policy.decide(candidates, facts)` decides. `PolicySource` keeps up with the folder.
"""

from toolcrib.policy._candidates import Candidates
from toolcrib.policy._explain import Explanation, RowResult, explain
from toolcrib.policy._facts import NO_PREVIEW, OPEN, Facts, Governed, SecretUse
from toolcrib.policy._history import Entry, History
from toolcrib.policy._model import MODEL
from toolcrib.policy._origin import FolderOrigin, Origin, Texts
from toolcrib.policy._policy import Policy
from toolcrib.policy._problems import Problem
from toolcrib.policy._quota import Quota
from toolcrib.policy._source import PolicySource

__all__ = [
    "MODEL",
    "NO_PREVIEW",
    "OPEN",
    "Candidates",
    "Entry",
    "Explanation",
    "Facts",
    "FolderOrigin",
    "Governed",
    "History",
    "Origin",
    "Policy",
    "PolicySource",
    "Problem",
    "Quota",
    "RowResult",
    "SecretUse",
    "Texts",
    "explain",
]
