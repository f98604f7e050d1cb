"""Object detection for Cairn: pictures in, labelled boxes out."""

from cairn_detection.models import ColourBlobs, MeanBox
from cairn_detection.task import Boxes, Detection

__all__ = ["Boxes", "ColourBlobs", "Detection", "MeanBox"]
