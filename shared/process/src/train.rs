//! How does a training run: channels in, an archive of the model out?

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use domain::BlobPath;

use crate::archive::{Packed, pack};
use crate::guard::Ended;
use crate::guarded::Guarded;
use crate::place::Verb;
use crate::record::at;
use crate::spec::{OUTPUT_LOG, Outcome};
use crate::supervisor::{Seen, Working};

/// The archive of the model, in the job's directory.
pub(crate) const ARTIFACT: &str = "model.tar.gz";

/// Runs the program with `train` and packs what it wrote as its model.
pub(crate) fn run(
    working: &Working<'_>,
    hyperparameters: &BTreeMap<String, String>,
    channels: &BTreeMap<String, BlobPath>,
) -> Result<Outcome, String> {
    let Working { directory, place, job, launch, .. } = working;
    place.create()?;
    place.write_config(hyperparameters, channels)?;
    let environment = place.train_environment(&job.name, hyperparameters, channels);
    let program = place.program(&job.program, &launch.boost, Verb::Train, environment);
    let log = directory.join(OUTPUT_LOG);
    let guarded = Guarded::start(&launch.supervise, &directory.join("guard"), program, &log)?;
    let ended = match working.watch(&guarded, || None::<()>) {
        Ok(Seen::Ended(ended)) => ended,
        Ok(Seen::Other(())) => unreachable!("nothing else is looked at"),
        Err(outcome) => return Ok(outcome),
    };
    if ended != Ended::Exit(0) {
        return Ok(Outcome::failed(working.failure(&ended)));
    }
    packed(directory, &place.model())
}

fn packed(directory: &Path, model: &Path) -> Result<Outcome, String> {
    let fresh = directory.join("model.tar.gz.new");
    match pack(model, &fresh)? {
        Packed::Nothing => Ok(Outcome::failed("the program ended well but wrote no model")),
        Packed::Files(_) => {
            let archive = directory.join(ARTIFACT);
            fs::rename(&fresh, &archive).map_err(at("write", &archive))?;
            Ok(Outcome::Completed)
        }
    }
}
