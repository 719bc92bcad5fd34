"""Honest evaluation: named protocols, and results that always say which protocol they are from. No torch needed."""

from densedepth.evaluation.evaluate import Evaluation, evaluate_model
from densedepth.evaluation.protocols import PROTOCOLS, Protocol, protocol_for

__all__ = ["PROTOCOLS", "Evaluation", "Protocol", "evaluate_model", "protocol_for"]
