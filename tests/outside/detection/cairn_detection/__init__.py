"""Object detection for Cairn: pictures in, labelled boxes out."""

from .models import ColourBlobs, MeanBox
from .task import Boxes, Detection

__all__ = ["Boxes", "ColourBlobs", "Detection", "MeanBox"]
