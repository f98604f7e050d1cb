"""Translation for Cairn: sentence pairs in, the n best hypotheses per sentence out."""

from .models import CopySource, WordLexicon
from .task import Hypotheses, Translation

__all__ = ["CopySource", "Hypotheses", "Translation", "WordLexicon"]
