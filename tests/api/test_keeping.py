"""A model on disk: whole, the same in another process, without a pickle, and usable after a killed run."""

from __future__ import annotations

import copy
import json
import os
import pickle
import pickletools
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl import AutoML
from automl.contract import ArtifactError, AutoMLError, Batch, FitContext, ModelPlugin, OptionError, Request


class Median(ModelPlugin):
    """A model of this file, which is not installed."""

    name = "median"
    produces = "real"

    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> None:
        self.value = float(np.median(np.asarray(train.y)))

    def predict(self, request: Request) -> Any:
        return np.full(len(request), self.value)


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_saved_model_answers_the_same_in_another_process(
    words: AutoML, saved: Path, frame: Any, tmp_path: Path
) -> None:
    new = frame(40, 8).drop(columns="left")
    new.to_parquet(tmp_path / "new.parquet", index=False)
    code = f"""
        import numpy as np, pandas as pd
        from automl import AutoML
        model = AutoML.load({str(saved)!r})
        new = pd.read_parquet({str(tmp_path / "new.parquet")!r})
        np.save({str(tmp_path / "chances.npy")!r}, model.predict_proba(new).to_numpy())
        print(list(model.predict(new)))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "chances.npy"), words.predict_proba(new).to_numpy())
    assert done.stdout.strip() == str(words.predict(new).tolist())


def test_everything_but_refit_works_after_load(words: AutoML, saved: Path, frame: Any) -> None:
    loaded, new = AutoML.load(saved), frame(80, 8)
    assert loaded.score(new) == words.score(new)
    assert loaded.score_ == words.score_
    assert loaded.ensemble_ == words.ensemble_
    assert loaded.classes_.tolist() == ["no", "yes"]
    assert loaded.score_interval(100) == words.score_interval(100)
    assert loaded.n_features_in_ == 3
    pd.testing.assert_frame_equal(loaded.leaderboard(), words.leaderboard())
    now, before = (m.leaderboard(new).set_index("model")["score_test"] for m in (loaded, words))
    kept = now.dropna()
    assert set(kept.index) >= {"ensemble", *(name for name, _ in words.ensemble_)}
    pd.testing.assert_series_equal(kept, before[kept.index])
    with pytest.raises(ArtifactError, match="no training data"):
        loaded.refit()


def is_pickle(data: bytes) -> bool:
    """Does it parse as one, from the first byte to the last?"""
    try:
        return sum(1 for _ in pickletools.genops(data)) > 0
    except Exception:
        return False


def test_nothing_that_is_saved_is_a_pickle(saved: Path) -> None:
    assert is_pickle(pickle.dumps([1, 2]))
    for file in files_of(saved):
        assert file.suffix not in (".pkl", ".pickle", ".joblib")
        assert not is_pickle(file.read_bytes()), file


def test_loading_calls_no_pickle(saved: Path, frame: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("pickle was asked to load")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    assert len(AutoML.load(saved).predict_proba(frame(5))) == 5


@pytest.mark.parametrize("damage", ["change", "remove", "manifest"])
def test_a_damaged_model_is_refused_and_the_file_named(words: AutoML, frame: Any, tmp_path: Path, damage: str) -> None:
    words.save(tmp_path / "model")
    file = next(path for path in files_of(tmp_path / "model") if path.name != "manifest.json")
    if damage == "change":
        file.write_bytes(file.read_bytes() + b" ")
    elif damage == "remove":
        file.unlink()
    else:
        file = tmp_path / "model" / "manifest.json"
        file.write_text(file.read_text()[:-40])
    with pytest.raises(ArtifactError, match=file.name):
        AutoML.load(tmp_path / "model").predict(frame(5))


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ArtifactError):
            AutoML.load(place)


def test_save_replaces_only_when_told(words: AutoML, many: AutoML, wine: pd.DataFrame, tmp_path: Path) -> None:
    words.save(tmp_path / "model")
    with pytest.raises(OptionError, match="overwrite"):
        many.save(tmp_path / "model")
    many.save(tmp_path / "model", overwrite=True)
    assert AutoML.load(tmp_path / "model").predict(wine).tolist() == many.predict(wine).tolist()


def test_a_run_with_a_path_can_be_loaded_from_there(fast: Any, frame: Any, tmp_path: Path) -> None:
    place = tmp_path / "run"
    model = AutoML(**fast(models=["tree-baseline"], path=place)).fit(frame(), "left")
    assert AutoML.load(place).predict(frame(9)).tolist() == model.predict(frame(9)).tolist()
    with pytest.raises(OptionError, match="overwrite=True"):
        AutoML(**fast(path=place)).fit(frame(), "left")
    AutoML(**fast(models=["tree-baseline"], path=place, overwrite=True)).fit(frame(), "left")
    assert len(AutoML.load(place).predict(frame(9))) == 9


def test_a_run_that_fails_early_leaves_no_temporary_folder(
    fast: Any, frame: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(AutoMLError):
        AutoML(**fast(metric="no such metric")).fit(frame(), "left")
    assert list(tmp_path.iterdir()) == []


def test_a_private_folder_goes_with_the_model(fast: Any, frame: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    model = AutoML(**fast(models=["tree-baseline"])).fit(frame(), "left")
    assert len(list(tmp_path.iterdir())) == 1
    del model
    import gc

    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_fitting_again_takes_nothing_over(fast: Any, frame: Any, wine: pd.DataFrame) -> None:
    model = AutoML(**fast(models=["tree-baseline"])).fit(wine, "target")
    model.fit(frame(), "left")
    fresh = AutoML(**fast(models=["tree-baseline"])).fit(frame(), "left")
    pd.testing.assert_frame_equal(model.predict_proba(frame(9)), fresh.predict_proba(frame(9)))
    assert model.classes_.tolist() == ["no", "yes"]


def test_a_number_after_classes_leaves_no_classes_behind(fast: Any, wine: pd.DataFrame, diabetes: pd.DataFrame) -> None:
    model = AutoML(**fast(models=["tree-baseline"])).fit(wine, "target")
    model.fit(diabetes.to_numpy()[:, :-1], diabetes["target"].to_numpy())
    assert not hasattr(model, "classes_")
    assert not hasattr(model, "feature_names_in_")


@pytest.mark.parametrize("through", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy], ids=["pickle", "copy"])
def test_a_copy_stands_on_its_own(fast: Any, frame: Any, through: Any) -> None:
    model = AutoML(**fast(models=["tree-baseline"])).fit(frame(), "left")
    expected = model.predict_proba(frame(9))
    twin = through(model)
    del model
    pd.testing.assert_frame_equal(twin.predict_proba(frame(9)), expected)
    assert twin.classes_.tolist() == ["no", "yes"]
    with pytest.raises(ArtifactError, match="no training data"):
        twin.refit()


def test_a_saved_model_whose_folds_are_alike_goes_through_what_knows_files_only(fast: Any, tmp_path: Path) -> None:
    """Where every fold has as many rows of each class, the constants that they give are the same."""
    frame = pd.DataFrame({"a": np.linspace(0, 1, 100), "kind": ["p", "q"] * 50})
    AutoML(**fast(models=["prior-baseline", "linear-baseline"])).fit(frame, "kind").save(tmp_path / "saved")
    saved = AutoML.load(tmp_path / "saved")
    assert all(any(folder.rglob("*.json")) for folder in (tmp_path / "saved").rglob("*") if folder.is_dir())
    again = pickle.loads(pickle.dumps(saved))
    pd.testing.assert_frame_equal(again.predict_proba(frame), saved.predict_proba(frame))


def test_an_estimator_that_is_not_fitted_can_be_copied_too(fast: Any) -> None:
    assert pickle.loads(pickle.dumps(AutoML(**fast()))).get_params() == AutoML(**fast()).get_params()


def test_refit_makes_one_model_a_member_and_keeps_the_answers_close(
    fast: Any, diabetes: pd.DataFrame, tmp_path: Path
) -> None:
    model = AutoML(**fast()).fit(diabetes, "target")
    before = model.predict(diabetes)
    ensemble = model.ensemble_
    model.refit()
    after = model.predict(diabetes)
    assert model.ensemble_ == ensemble
    assert np.corrcoef(before, after)[0, 1] > 0.9
    assert np.abs(after - before).mean() < 0.5 * diabetes["target"].std()
    model.save(tmp_path / "model")
    members = json.loads((tmp_path / "model" / "manifest.json").read_text())
    assert "all" in json.dumps(members)
    pd.testing.assert_series_equal(AutoML.load(tmp_path / "model").predict(diabetes), after)
    pd.testing.assert_series_equal(model.refit().predict(diabetes), after)


def test_a_model_of_ones_own_must_be_given_to_load_again(fast: Any, diabetes: pd.DataFrame, tmp_path: Path) -> None:
    data = diabetes.assign(target=np.random.default_rng(0).normal(size=len(diabetes)))
    model = AutoML(**fast(models=["median"], extra_plugins=[Median])).fit(data, "target")
    assert "median" in set(model.leaderboard().model)
    model.save(tmp_path / "model")
    loaded = AutoML.load(tmp_path / "model", extra_plugins=[Median])
    pd.testing.assert_series_equal(loaded.predict(data), model.predict(data))
    if "median" in dict(model.ensemble_):
        with pytest.raises(ArtifactError, match="median"):
            AutoML.load(tmp_path / "model").predict(data)


def script_of(tmp_path: Path, executor: str) -> tuple[Path, Path]:
    """A script that fits for long, and the folder that it commits to."""
    script, run = tmp_path / "long.py", tmp_path / "run"
    script.write_text(
        textwrap.dedent(
            f"""
            from sklearn.datasets import load_breast_cancer
            from automl import AutoML
            if __name__ == "__main__":
                X, y = load_breast_cancer(return_X_y=True, as_frame=True)
                model = AutoML(time_limit=60, executor={executor!r}, n_jobs=1, path={str(run)!r}, verbose=0,
                               random_state=0, models=["tree-baseline", "lightgbm", "extra-trees"]).fit(X, y)
                print("interrupted", model.interrupted_, len(model.predict(X)), flush=True)
            """
        )
    )
    return script, run


def started(script: Path, run: Path) -> subprocess.Popen[str]:
    """The script, running, with its first commit made."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    while not (run / "manifest.json").exists() and process.poll() is None:
        time.sleep(0.05)
    return process


def test_a_killed_run_leaves_a_model_that_answers(tmp_path: Path, breast: pd.DataFrame) -> None:
    process = started(*script_of(tmp_path, "inline"))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    model = AutoML.load(tmp_path / "run")
    assert len(model.predict(breast)) == len(breast)
    assert np.isfinite(model.score(breast.drop(columns="target"), breast["target"]))
    assert len(model.leaderboard()) >= 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
def test_a_signal_ends_the_run_with_the_best_so_far(tmp_path: Path, number: signal.Signals) -> None:
    process = started(*script_of(tmp_path, "inline"))
    process.send_signal(number)
    out, err = process.communicate(timeout=50)
    assert process.returncode == 0, err
    assert out.strip() == "interrupted True 569"
    assert len(AutoML.load(tmp_path / "run").ensemble_) >= 1


REPLACED = "was replaced since it was loaded: load it again"


def test_a_model_whose_folder_went_to_another_run_says_so_and_does_not_answer(
    fast: Any, frame: Any, tmp_path: Path
) -> None:
    data, new = frame(), frame(20, 9).drop(columns="left")
    other = data.assign(left=data["left"].map({"yes": "no", "no": "yes"}))
    model = AutoML(**fast(path=tmp_path / "run", overwrite=True)).fit(data, "left")
    used = AutoML.load(tmp_path / "run")
    answers = used.predict(new)
    guest = next(name for name in model.leaderboard()["model"] if name not in {m.name for m in _plan(model).members})
    second = AutoML(**fast(path=tmp_path / "run", overwrite=True)).fit(other, "left")
    uses: list[Any] = [
        lambda: model.predict(new),
        lambda: model.predict(new, model=guest),
        lambda: model.score_interval(100),
        lambda: pickle.dumps(model),
        lambda: model.describe(_plan(model).members[-1].name),
    ]
    for use in uses:
        with pytest.raises(ArtifactError, match=REPLACED):
            use()
    assert used.predict(new).tolist() == answers.tolist()
    assert second.predict(new).tolist() == AutoML.load(tmp_path / "run").predict(new).tolist()


def _plan(model: AutoML) -> Any:
    return model._predictor.plan


def test_a_loaded_model_over_which_another_was_saved_says_so(
    words: AutoML, many: AutoML, frame: Any, tmp_path: Path
) -> None:
    words.save(tmp_path / "model")
    loaded = AutoML.load(tmp_path / "model")
    many.save(tmp_path / "model", overwrite=True)
    with pytest.raises(ArtifactError, match=REPLACED):
        loaded.predict(frame().drop(columns="left"))


def test_what_answers_looks_at_its_folder_no_more(words: AutoML, frame: Any, tmp_path: Path) -> None:
    words.save(tmp_path / "model")
    loaded, new = AutoML.load(tmp_path / "model"), frame().drop(columns="left")
    answers = loaded.predict(new)
    shutil.rmtree(tmp_path / "model")
    assert loaded.predict(new).tolist() == answers.tolist()
