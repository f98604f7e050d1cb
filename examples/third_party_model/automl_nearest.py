"""K nearest neighbours as a plugin: installing the distribution is all it takes to register it."""

from automl.contract import Batch, Choice, FitContext, FloatArray, Int, ModelPlugin, Request, SearchSpace, widen


class Nearest(ModelPlugin):
    name = "nearest"
    produces = "class_proba"
    view = "matrix"
    requires = ("sklearn",)  # below: types of Euclidean trees; for a knob "p" the check names those to add
    trusted_types = ("sklearn.neighbors._kd_tree.KDTree", "sklearn.metrics._dist_metrics.EuclideanDistance64")
    space = SearchSpace(
        knobs={"n_neighbors": Int(1, 15), "weights": Choice(("uniform", "distance"))},
        default={"n_neighbors": 5, "weights": "uniform"},
    )

    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> None:
        from sklearn.neighbors import KNeighborsClassifier

        k = min(self.params["n_neighbors"], len(train.X))
        self.n_outputs = ctx.n_outputs
        self.model = KNeighborsClassifier(**{**self.params, "n_neighbors": k}).fit(train.X, train.y)

    def predict(self, request: Request) -> FloatArray:
        return widen(self.model.predict_proba(request.X), self.model.classes_, self.n_outputs)
