"""Its models: the sentence as it is, and a word-for-word lexicon learnt by expectation-maximisation (IBM model 1)."""

from __future__ import annotations

import numpy as np

from automl.contract import Batch, FitContext, Int, ModelPlugin, Request, SearchSpace

from .task import Hypotheses


class CopySource(ModelPlugin):
    name = "copy-source"
    produces = "hypotheses"
    view = "sentences"
    baseline = True

    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> None:
        """Nothing to learn."""

    def predict(self, request: Request) -> Hypotheses:
        return Hypotheses([[(sentence, 1.0)] for sentence in request.X])


class WordLexicon(ModelPlugin):
    name = "word-lexicon"
    produces = "hypotheses"
    view = "sentences"
    space = SearchSpace(knobs={"steps": Int(1, 12), "options": Int(1, 3)}, default={"steps": 6, "options": 2})

    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> None:
        pairs = [(s.split(), t.split()) for s, t in zip(train.X, train.y, strict=True)]  # type: ignore[arg-type]
        left = {word: i for i, word in enumerate(sorted({w for s, _ in pairs for w in s}))}
        right = {word: i for i, word in enumerate(sorted({w for _, t in pairs for w in t}))}
        coded = [(np.array([left[w] for w in s]), np.array([right[w] for w in t])) for s, t in pairs if s and t]
        chance = np.full((len(left), len(right)), 1.0 / max(1, len(right)))
        for _ in range(self.params["steps"]):
            counts = np.zeros_like(chance)
            for s, t in coded:
                block = chance[np.ix_(s, t)]
                np.add.at(counts, np.ix_(s, t), block / block.sum(axis=0))
            chance = (counts + 1e-12) / (counts + 1e-12).sum(axis=1, keepdims=True)
        words = list(right)
        self.lexicon = {}
        for word, i in left.items():
            best = np.argsort(-chance[i], kind="stable")[: self.params["options"]]
            self.lexicon[word] = [(words[b], float(chance[i, b])) for b in best]

    def predict(self, request: Request) -> Hypotheses:
        return Hypotheses([self._translate(sentence.split()) for sentence in request.X])

    def _translate(self, words: list[str]) -> list[tuple[str, float]]:
        """Word by word, then the same with each word's second choice, unknown words as they are."""
        options = [self.lexicon.get(word, [(word, 1.0)]) for word in words]
        first = [choice[0] for choice in options]
        found = {" ".join(text for text, _ in first): 1.0}
        for position, choice in enumerate(options):
            for text, p in choice[1:]:
                other = [t for t, _ in first[:position]] + [text] + [t for t, _ in first[position + 1 :]]
                found[" ".join(other)] = p / max(choice[0][1], 1e-12)
        total = sum(found.values())
        return sorted(((text, p / total) for text, p in found.items()), key=lambda pair: (-pair[1], pair[0]))
