"""Recommendation for Cairn: an event log in, a ranking of items per user out."""

from cairn_recommendation.models import ItemNeighbours, MostPopular
from cairn_recommendation.task import Rankings, Recommendation

__all__ = ["ItemNeighbours", "MostPopular", "Rankings", "Recommendation"]
