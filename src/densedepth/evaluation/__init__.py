"""Honest evaluation: named protocols, and results that always say which protocol they are from. No torch needed."""

from densedepth.evaluation.alignment import ALIGNMENTS, Alignment
from densedepth.evaluation.evaluate import evaluate_model
from densedepth.evaluation.protocols import PROTOCOLS, Protocol, protocol_for
from densedepth.evaluation.report import write_report
from densedepth.evaluation.result import Evaluation, FrameResult

__all__ = [
    "ALIGNMENTS",
    "PROTOCOLS",
    "Alignment",
    "Evaluation",
    "FrameResult",
    "Protocol",
    "evaluate_model",
    "protocol_for",
    "write_report",
]
