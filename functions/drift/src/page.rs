//! (waits for the engine)
use domain::{PipelineName, Time};
use engine::baseline::Baseline;
use engine::drift::DriftReport;
use crate::rows::Serving;
use crate::window::Window;
pub(crate) fn page(_p: &PipelineName, _s: &Serving, _w: (Time, Time), _x: &Window, _b: &Baseline, _r: &DriftReport) -> String { String::new() }
