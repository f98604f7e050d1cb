"""Translation for Cairn: sentence pairs in, the n best hypotheses per sentence out."""

from cairn_translation.models import CopySource, WordLexicon
from cairn_translation.task import Hypotheses, Translation

__all__ = ["CopySource", "Hypotheses", "Translation", "WordLexicon"]
