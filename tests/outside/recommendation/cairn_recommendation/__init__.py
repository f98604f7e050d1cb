"""Recommendation for Cairn: an event log in, a ranking of items per user out."""

from .models import ItemNeighbours, MostPopular
from .task import Rankings, Recommendation

__all__ = ["ItemNeighbours", "MostPopular", "Rankings", "Recommendation"]
