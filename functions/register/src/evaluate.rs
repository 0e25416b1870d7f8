//! (waits for the engine)
use std::collections::BTreeMap;
use domain::row::{Applied, Served};
use engine::metrics::{Outcomes, Prediction, Truth, Metric};
use crate::rows::Waiting;
use crate::Stop;

pub(crate) struct Evaluated {
    pub(crate) passed: bool,
    pub(crate) reason: String,
    pub(crate) metrics: BTreeMap<String, f64>,
    pub(crate) json: Vec<u8>,
    pub(crate) html: String,
}

pub(crate) fn evaluation(waiting: &Waiting, _applied: &Applied, served: &Served, truth: &Truth, candidate: &Prediction, champion: Option<&Prediction>) -> Result<Evaluated, Stop> {
    let naive = waiting.naive.predict(served.problem, truth.rows());
    let mean = |p: &Prediction| -> Result<f64, Stop> { let o = Outcomes::new("x", truth, p)?; Ok(o.losses().iter().sum::<f64>() / o.rows() as f64) };
    let best = mean(champion.unwrap_or(&naive))?;
    let ours = mean(candidate)?;
    let outcomes = Outcomes::new("x", truth, candidate)?;
    let metrics = Metric::of(served.problem).iter().map(|m| m.name().to_owned()).zip(outcomes.values()).filter(|(_, v)| v.is_finite()).collect();
    Ok(Evaluated { passed: ours < best, reason: format!("{ours} {best}"), metrics, json: b"{}".to_vec(), html: String::new() })
}
