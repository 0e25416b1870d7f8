//! How is learning done with the `hessboost` library.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use domain::pipeline::ProblemType;
use hessboost::data::FeatureType;
use hessboost::prelude::{
    BoostedModel, DMatrix, HessboostError, ImportanceType, ModelFormat, TrainingParams,
};
use hessboost::training::{RoundEval, Trainer as Training};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::trainer::{Labelled, Learned, OnRound, Predictor, Round, Task, Trainer, loss_name};

/// Rows below which the allocation-free path per row is quicker than a batch.
const ROWS_ONE_BY_ONE: usize = 8;

/// The `hessboost` library.
#[derive(Debug)]
pub(crate) struct Hess;

fn refused(action: &'static str) -> impl Fn(HessboostError) -> Failure {
    move |fault| Failure::Learning { action, reason: fault.to_string() }
}

impl Trainer for Hess {
    fn train(&self, task: &Task<'_>, on_round: &mut OnRound<'_>) -> Result<Learned, Failure> {
        let parameters = parameters(task)?;
        let train = matrix(task.train)?;
        let validation = task.validation.map(matrix).transpose()?;
        let rounds = task.settings.num_round as usize;
        let mut training = Training::new(&parameters, &train, rounds).eval(&train, "train");
        if let Some(validation) = &validation {
            training = training.eval(validation, "validation");
            if let Some(patience) = NonZeroUsize::new(task.settings.early_stopping_rounds as usize) {
                training = training.early_stopping_rounds(patience);
            }
        }
        let hook = move |eval: RoundEval<'_>| -> ControlFlow<()> {
            let values = eval.values();
            on_round(Round {
                number: eval.iteration() + 1,
                train: values.first().copied().unwrap_or(f64::NAN),
                validation: values.get(1).copied(),
            })
        };
        let model = training.on_round(hook).train().map_err(refused("train"))?.model;
        // XGBoost's file does not carry the best round, so the model is cut there.
        let model = match model.best_iteration() {
            Some(best) => model.slice(..=best, 1).map_err(refused("cut the model at its best round"))?,
            None => model,
        };
        Ok(Learned {
            document: compact(&model.encode(ModelFormat::XgboostJson).map_err(refused("write the model"))?),
            rounds: model.num_boost_rounds(),
            importance: importance(&model),
        })
    }

    fn load(&self, document: &[u8]) -> Result<Box<dyn Predictor>, Failure> {
        let model =
            BoostedModel::decode(document, ModelFormat::XgboostJson).map_err(refused("read model.json"))?;
        Ok(Box::new(Loaded(model)))
    }
}

fn parameters(task: &Task<'_>) -> Result<TrainingParams, Failure> {
    let settings = task.settings;
    let mut named: Vec<(&str, Value)> = vec![
        ("booster", json!("gbtree")),
        ("tree_method", json!("hist")),
        ("eval_metric", json!(loss_name(task.problem))),
        ("eta", json!(settings.eta)),
        ("max_depth", json!(settings.max_depth)),
        ("min_child_weight", json!(settings.min_child_weight)),
        ("subsample", json!(settings.subsample)),
        ("colsample_bytree", json!(settings.colsample_bytree)),
        ("lambda", json!(settings.lambda)),
        ("alpha", json!(settings.alpha)),
        ("gamma", json!(settings.gamma)),
        ("seed", json!(settings.seed)),
        ("nthread", json!(settings.nthread)),
    ];
    match task.problem {
        ProblemType::Regression => named.push(("objective", json!("reg:squarederror"))),
        ProblemType::Binary => named.push(("objective", json!("binary:logistic"))),
        ProblemType::Multiclass => {
            named.push(("objective", json!("multi:softprob")));
            named.push(("num_class", json!(task.classes)));
        }
    }
    TrainingParams::from_xgboost(named).map_err(refused("set up the training"))
}

fn matrix(rows: &Labelled) -> Result<DMatrix, Failure> {
    let types: Vec<FeatureType> = rows
        .matrix
        .categorical
        .iter()
        .map(|categorical| if *categorical { FeatureType::Categorical } else { FeatureType::Numerical })
        .collect();
    DMatrix::from_dense(&rows.matrix.values, rows.matrix.rows, types.len())
        .and_then(|matrix| matrix.with_labels(&rows.labels))
        .and_then(|matrix| matrix.with_feature_types(&types))
        .map_err(refused("lay out the rows"))
}

/// The same JSON without the white space between its tokens: the library indents every number.
fn compact(json: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(json.len() / 2);
    let (mut in_text, mut escaped) = (false, false);
    for byte in json {
        if in_text {
            in_text = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
        } else if byte.is_ascii_whitespace() {
            continue;
        } else {
            in_text = *byte == b'"';
        }
        kept.push(*byte);
    }
    kept
}

fn importance(model: &BoostedModel) -> Vec<f64> {
    let mut gains = vec![0.0; model.n_features()];
    for (feature, gain) in model.feature_importance(ImportanceType::TotalGain) {
        if let Some(slot) = gains.get_mut(feature) {
            *slot = gain;
        }
    }
    let total: f64 = gains.iter().sum();
    if total > 0.0 {
        gains.iter_mut().for_each(|gain| *gain /= total);
    }
    gains
}

#[derive(Debug)]
struct Loaded(BoostedModel);

impl Predictor for Loaded {
    fn features(&self) -> usize {
        self.0.n_features()
    }

    fn width(&self) -> usize {
        self.0.prediction_width()
    }

    fn predict(&self, values: &[f32]) -> Result<Vec<f32>, Failure> {
        let features = self.features().max(1);
        if values.len() > features * ROWS_ONE_BY_ONE {
            let predictions = self.0.predict_rows(values, ..).map_err(refused("predict"))?;
            return Ok(predictions.into_vec());
        }
        let width = self.width();
        let mut predictions = vec![0.0; values.len().div_ceil(features) * width];
        for (row, out) in values.chunks(features).zip(predictions.chunks_mut(width)) {
            self.0.predict_row_into(row, .., out).map_err(refused("predict"))?;
        }
        Ok(predictions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_between_tokens_is_dropped() {
        let spaced = b"{ \"a b\" : [ 1 ,\n 2.5 ],\t\"\\\" c\\\\\" : \" \" }";
        assert_eq!(compact(spaced), b"{\"a b\":[1,2.5],\"\\\" c\\\\\":\" \"}");
    }
}
