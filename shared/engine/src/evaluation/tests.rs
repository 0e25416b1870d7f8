//! A candidate is promoted when it is better beyond chance, and only then.

use serde_json::Value;

use super::bins::Bins;
use super::slices::Coded;
use super::{
    Baseline, Candidates, Evaluation, EvaluationOptions, Naive, Rival, Skill, Units, Verdict, evaluate,
};
use crate::metrics::{Metric, Prediction, Truth};
use crate::statistics::random::Random;
use crate::table::Column;

fn options() -> EvaluationOptions {
    EvaluationOptions { resamples: 400, ..EvaluationOptions::default() }
}

/// Truth, and predictions that miss it by so much noise each.
fn regression(rows: usize, noises: [f64; 2], seed: u64) -> (Truth, Prediction, Prediction) {
    let mut random = Random::new(seed);
    let truth: Vec<f64> = (0..rows).map(|_| 10.0 + 3.0 * random.normal()).collect();
    let mut miss =
        |noise: f64| Prediction::Numbers(truth.iter().map(|truth| truth + noise * random.normal()).collect());
    let (one, other) = (miss(noises[0]), miss(noises[1]));
    (Truth::Numbers(truth), one, other)
}

fn judged(rows: usize, noises: [f64; 2], seed: u64, options: &EvaluationOptions) -> Evaluation {
    let (truth, candidate, champion) = regression(rows, noises, seed);
    let candidates = Candidates::plain(&truth, &candidate, Some(&champion), &Naive::Mean(10.0));
    evaluate("predictions.csv", &candidates, options).unwrap()
}

#[test]
fn a_clearly_better_challenger_is_promoted() {
    let evaluation = judged(500, [1.0, 1.5], 1, &options());
    assert_eq!(evaluation.verdict, Verdict::Promote, "{:?}", evaluation.reasons);
    let interval = evaluation.difference.interval.unwrap();
    assert!(interval.low < evaluation.difference.mean && evaluation.difference.mean < interval.high);
    assert!(interval.high < 0.0);
    assert!(evaluation.summary().starts_with("the candidate beats the champion: mean squared error "));
    let rmse = &evaluation.candidate.measures[0];
    assert_eq!(rmse.metric, Metric::Rmse);
    let around = rmse.interval.unwrap();
    assert!(around.low < rmse.value.unwrap() && rmse.value.unwrap() < around.high);
}

#[test]
fn an_equal_challenger_is_promoted_only_within_the_error_of_the_test() {
    // Nominal: 2.5 % of equals pass; 80 trials.
    let promoted =
        (0..80).filter(|seed| judged(200, [1.0, 1.0], *seed, &options()).verdict == Verdict::Promote);
    assert!(promoted.count() <= 6);
}

#[test]
fn a_margin_lets_a_challenger_pass_that_is_not_worse_by_more() {
    let strict = judged(2000, [1.0, 1.0], 3, &options());
    assert_eq!(strict.verdict, Verdict::Reject);
    assert!(strict.summary().contains("does not beat the champion beyond chance"));
    let lenient = EvaluationOptions { margin: 0.3, ..options() };
    assert_eq!(judged(2000, [1.0, 1.0], 3, &lenient).verdict, Verdict::Promote);
}

#[test]
fn the_first_model_has_to_beat_the_naive_baseline() {
    let (truth, good, _) = regression(300, [1.0, 1.0], 4);
    let naive = Naive::of(&truth);
    let judge = |candidate: &Prediction| {
        let candidates = Candidates::plain(&truth, candidate, None, &naive);
        evaluate("p.csv", &candidates, &options()).unwrap()
    };
    let first = judge(&good);
    assert_eq!((first.verdict, first.difference.rival), (Verdict::Promote, Rival::Naive));
    assert!(first.champion.is_none());
    assert_eq!(judge(&naive.prediction(300)).verdict, Verdict::Reject);
}

#[test]
fn gates_refuse_by_name() {
    let mut strict = options();
    strict.maximum.insert("rmse".into(), 0.5);
    strict.maximum.insert("roc_auc".into(), 0.5);
    strict.minimum.insert("r2".into(), 0.5);
    strict.minimum_rows = 1_000;
    let evaluation = judged(500, [1.0, 1.5], 1, &strict);
    assert_eq!(evaluation.verdict, Verdict::Reject);
    let failed: Vec<&str> =
        evaluation.gates.iter().filter(|gate| !gate.passed).map(|gate| gate.name.as_str()).collect();
    assert_eq!(failed, ["enough rows", "rmse at most", "roc_auc at most"]);
    assert!(evaluation.reasons[1].starts_with("rmse at most 0.5: found "), "{:?}", evaluation.reasons);
    assert_eq!(evaluation.reasons[2], "roc_auc at most 0.5: found not a metric of this problem");
}

#[test]
fn classes_are_judged_by_log_loss() {
    let mut random = Random::new(6);
    let chances: Vec<f64> = (0..600).map(|_| random.unit()).collect();
    let truth: Vec<bool> = chances.iter().map(|chance| random.unit() < *chance).collect();
    let candidate = Prediction::Probabilities(chances.clone());
    let champion =
        Prediction::Probabilities(chances.iter().map(|chance| 0.5 + (chance - 0.5) * 0.2).collect());
    let truth = Truth::Binary(truth);
    let candidates = Candidates::plain(&truth, &candidate, Some(&champion), &Naive::Share(0.5));
    let evaluation = evaluate("p.csv", &candidates, &options()).unwrap();
    assert_eq!(evaluation.verdict, Verdict::Promote);
    assert_eq!(evaluation.candidate.groups.len(), 10);
    for group in &evaluation.candidate.groups {
        assert!((group.predicted - group.actual).abs() < 0.25, "{group:?}");
    }

    let shares: Vec<f64> =
        chances.iter().flat_map(|chance| [chance * 0.5, 1.0 - chance, chance * 0.5]).collect();
    let classes = chances
        .iter()
        .map(|chance| if random.unit() < *chance { 2 * usize::from(random.unit() < 0.5) } else { 1 });
    let truth = Truth::Classes { count: 3, values: classes.collect() };
    let candidate = Prediction::Distributions { classes: 3, values: shares };
    let naive = Naive::of(&truth);
    let candidates = Candidates::plain(&truth, &candidate, None, &naive);
    let evaluation = evaluate("p.csv", &candidates, &options()).unwrap();
    assert_eq!(evaluation.verdict, Verdict::Promote, "{:?}", evaluation.reasons);
}

#[test]
fn equal_inputs_give_equal_bytes_and_json_reads_back() {
    let written = judged(300, [1.0, 1.2], 7, &options()).written();
    assert_eq!(written, judged(300, [1.0, 1.2], 7, &options()).written());
    let read: Evaluation = serde_json::from_slice(&written).unwrap();
    assert_eq!(read.written(), written);
    let json: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(json["candidate"]["measures"][0]["metric"], "rmse");
}

#[test]
fn predictions_that_do_not_fit_are_refused_and_enormous_ones_are_rejected() {
    let truth = Truth::Numbers(vec![1.0; 40]);
    let naive = Naive::Mean(0.0);
    let judge = |candidate: Prediction| {
        evaluate("p.csv", &Candidates::plain(&truth, &candidate, None, &naive), &options())
    };
    assert!(judge(Prediction::Numbers(vec![1.0; 39])).is_err());
    let enormous = judge(Prediction::Numbers(vec![1e200; 40])).unwrap();
    assert_eq!(enormous.verdict, Verdict::Reject);
    assert!(serde_json::from_slice::<Evaluation>(&enormous.written()).is_ok());
}

#[test]
fn many_rows_are_drawn_in_part_and_give_an_interval_as_narrow_as_their_number() {
    let narrow = judged(80_000, [1.0, 1.0], 8, &EvaluationOptions { resamples: 200, ..options() });
    assert_eq!(narrow.difference.rows_drawn, 20_000);
    let interval = narrow.difference.interval.unwrap();
    // The difference of two squared unit normals has deviation 2, so the mean of 80,000 has
    // 0.00707 and the 95 % interval a width of 3.92 times that.
    let width = (interval.high - interval.low) / (3.92 * 2.0 / 80_000_f64.sqrt());
    assert!((0.8..1.2).contains(&width), "{width}");
}

#[test]
fn a_candidate_that_is_not_better_than_a_baseline_is_rejected_and_told_so() {
    let (truth, candidate, linear) = regression(300, [1.0, 0.5], 9);
    let naive = Naive::of(&truth);
    let judge = |skill: Skill, baseline: &Prediction, options: &EvaluationOptions| {
        let name = "linear".to_owned();
        let baselines = vec![Baseline { name, skill, prediction: baseline.clone() }];
        let candidates = Candidates { baselines, ..Candidates::plain(&truth, &candidate, None, &naive) };
        evaluate("p.csv", &candidates, options).unwrap()
    };
    let worse = judge(Skill::Model, &linear, &options());
    assert_eq!(worse.verdict, Verdict::Reject);
    let reason = worse.summary();
    assert!(
        reason.starts_with("the candidate is not better than the linear baseline (its loss is "),
        "{reason}"
    );
    assert!(!worse.baselines[0].beaten && worse.baselines[0].difference > 0.0);
    let off = EvaluationOptions { baselines: false, ..options() };
    assert_eq!(judge(Skill::Model, &linear, &off).verdict, Verdict::Promote);
    // Ahead on these rows is enough against a model, and not against a guess.
    let Prediction::Numbers(values) = &candidate else { panic!() };
    let mut near = values.clone();
    near[0] += 5.0;
    let near = Prediction::Numbers(near);
    assert_eq!(judge(Skill::Model, &near, &options()).verdict, Verdict::Promote);
    let guess = judge(Skill::None, &near, &options());
    assert!(
        guess.summary().contains("not better than the linear baseline beyond chance"),
        "{}",
        guess.summary()
    );
}

fn by_half(rows: usize) -> Coded {
    let name = |row: usize| Some(if row < rows / 2 { "east" } else { "west" }.to_owned());
    let column = Column::Text((0..rows).map(name).collect());
    let bins = Bins::of("side", &column, false);
    Coded { codes: bins.codes(&column), bins }
}

#[test]
fn gates_hold_in_each_slice_and_between_groups() {
    let truth = Truth::Numbers(vec![0.0; 400]);
    // In the east every prediction is off by one, in the west by three.
    let candidate = Prediction::Numbers((0..400).map(|row| if row < 200 { 1.0 } else { -3.0 }).collect());
    let naive = Naive::Mean(100.0);
    let columns = [by_half(400)];
    let judge = |slices: Value, fairness: Value| {
        let options = EvaluationOptions {
            slices: serde_json::from_value(slices).unwrap(),
            fairness: serde_json::from_value(fairness).unwrap(),
            quantiles: vec![0.5],
            ..options()
        };
        let candidates =
            Candidates { columns: &columns, ..Candidates::plain(&truth, &candidate, None, &naive) };
        evaluate("p.csv", &candidates, &options).unwrap()
    };
    let bounds =
        |metric: &str, bound: f64| serde_json::json!([{"column": "side", "maximum": {metric: bound}}]);
    let fine = judge(bounds("rmse", 3.0), bounds("loss_difference", 8.0));
    assert_eq!(fine.verdict, Verdict::Promote, "{:?}", fine.reasons);
    let slices = &fine.slices[0].slices;
    assert_eq!((slices[0].value.as_str(), slices[0].loss, slices[1].loss), ("west", 9.0, 1.0));
    let pinball = slices[0].measures.last().unwrap();
    assert_eq!((pinball.metric.name().as_ref(), pinball.value), ("pinball_0.5", Some(1.5)));
    let bad = judge(bounds("rmse", 2.9), bounds("loss_difference", 7.9));
    assert_eq!(
        bad.reasons,
        [
            "rmse in each slice of side at most 2.9: found 3 in west",
            "loss_difference of side at most 7.9: found 8"
        ]
    );
}

#[test]
fn rows_of_one_entity_are_drawn_together_and_widen_the_interval() {
    let mut random = Random::new(5);
    let truth = Truth::Numbers(vec![0.0; 800]);
    // Twenty rows of each of forty entities err alike.
    let errors: Vec<f64> = (0..40).map(|_| 1.0 + random.normal()).collect();
    let candidate = Prediction::Numbers((0..800).map(|row| errors[row / 20]).collect());
    let champion = Prediction::Numbers(vec![2.0; 800]);
    let naive = Naive::Mean(2.0);
    let plain = Candidates::plain(&truth, &candidate, Some(&champion), &naive);
    let keys: Vec<u64> = (0..800).map(|row| row / 20).collect();
    let clustered = Candidates { units: Units::clusters(&keys), ..plain.clone() };
    let width = |candidates: &Candidates<'_>| {
        let difference = evaluate("p.csv", candidates, &options()).unwrap().difference;
        let interval = difference.interval.unwrap();
        (interval.high - interval.low, difference.clusters)
    };
    let ((rows, none), (clusters, count)) = (width(&plain), width(&clustered));
    assert_eq!((none, count), (None, Some(40)));
    // Twenty equal rows weigh like one: the interval is √20 = 4.5 times as wide.
    assert!((3.0..6.0).contains(&(clusters / rows)), "{rows} {clusters}");
}

#[test]
fn an_evaluation_of_before_is_still_read() {
    let mut old: Value = serde_json::from_slice(&judged(60, [1.0, 1.2], 7, &options()).written()).unwrap();
    for name in ["quantiles", "baselines", "slices", "fairness"] {
        old["options"].as_object_mut().unwrap().remove(name);
    }
    old["difference"].as_object_mut().unwrap().remove("method");
    let read: Evaluation = serde_json::from_value(old).unwrap();
    assert!(!read.options.baselines && read.checks.is_none());
}
