"""The theory figures of arXiv:2402.03902, made anew with error bars and simulations."""

from validation.paper.reproduction import FIGURES, reproduce_paper
from validation.paper.settings import FULL, QUICK, PaperSettings

__all__ = ["FIGURES", "FULL", "QUICK", "PaperSettings", "reproduce_paper"]
