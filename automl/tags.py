"""What scikit-learn wants to know of an estimator, as its tags."""

from __future__ import annotations

from typing import Any


def tags_of(estimator: Any) -> Any:
    """Tags: missing values, words as categories and any container are fine; two dimensions are needed.

    ``poor_score`` only says that `score` is the run's metric, by default a negated error, and not R².
    """
    from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags

    kinds = estimator._kinds or ()
    tags = Tags(
        estimator_type=None,
        target_tags=TargetTags(required=True),
        input_tags=InputTags(allow_nan=True, string=True, categorical=True),
    )
    for kind in kinds:
        if kind == "class_proba":
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        else:
            tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags(poor_score=True)
    tags.non_deterministic = False
    return tags
