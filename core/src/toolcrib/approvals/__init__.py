"""Approvals: what is asked of a human, through which channel, and what the answer is worth."""

from toolcrib.approvals._answers_file import AnswersChannel
from toolcrib.approvals._changes import ABSENT, Change, changes
from toolcrib.approvals._codec import approval_to
from toolcrib.approvals._edits import check_edit
from toolcrib.approvals._identity import approver_identity
from toolcrib.approvals._judging import approvers_of, require_status, unmet
from toolcrib.approvals._model import (
    Answer,
    AnswerVerdict,
    Approval,
    ApprovalChannel,
    ApprovalRequest,
    ApprovalStatus,
    Review,
)
from toolcrib.approvals._taking import approval_record, take_answer
from toolcrib.approvals._terminal import TerminalChannel

__all__ = [
    "ABSENT",
    "Answer",
    "AnswerVerdict",
    "AnswersChannel",
    "Approval",
    "ApprovalChannel",
    "ApprovalRequest",
    "ApprovalStatus",
    "Change",
    "Review",
    "TerminalChannel",
    "approval_record",
    "approval_to",
    "approver_identity",
    "approvers_of",
    "changes",
    "check_edit",
    "require_status",
    "take_answer",
    "unmet",
]
