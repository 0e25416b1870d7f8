//! Where does a program find what SageMaker's contract promises, and what is it told?

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use domain::BlobPath;
use serde_json::{Value, json};

use crate::record::{self, at};
use crate::spec::{Called, Program};

/// What stands in the place of `/opt/ml`.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    base: PathBuf,
}

/// How a program is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Train,
    Serve,
}

impl Place {
    /// The place within a job's or server's directory.
    pub(crate) fn within(directory: &Path) -> Place {
        Place { base: directory.join("base") }
    }

    pub(crate) fn base(&self) -> &Path {
        &self.base
    }

    pub(crate) fn model(&self) -> PathBuf {
        self.base.join("model")
    }

    /// Where the channels are.
    pub(crate) fn data(&self) -> PathBuf {
        self.base.join("input/data")
    }

    pub(crate) fn failure(&self) -> PathBuf {
        self.base.join("output/failure")
    }

    /// Where a file of a channel goes.
    pub(crate) fn channel_file(&self, channel: &str, path: &BlobPath) -> PathBuf {
        self.data().join(channel).join(path.file_name())
    }

    /// Where a program's own files go, and where it works.
    pub(crate) fn code(&self) -> PathBuf {
        self.base.join("code")
    }

    /// Creates every directory of the contract.
    pub(crate) fn create(&self) -> Result<(), String> {
        for below in ["input/config", "input/data", "model", "output/data", "code"] {
            let path = self.base.join(below);
            fs::create_dir_all(&path).map_err(at("create", &path))?;
        }
        Ok(())
    }

    /// Writes what a training is told: hyperparameters, channels, hosts.
    pub(crate) fn write_config(
        &self,
        hyperparameters: &BTreeMap<String, String>,
        channels: &BTreeMap<String, BlobPath>,
    ) -> Result<(), String> {
        let config = self.base.join("input/config");
        record::write(&config.join("hyperparameters.json"), hyperparameters)?;
        record::write(&config.join("inputdataconfig.json"), &channels_config(channels))?;
        record::write(&config.join("resourceconfig.json"), &resources())
    }

    /// The environment of a training.
    pub(crate) fn train_environment(
        &self,
        job: &str,
        hyperparameters: &BTreeMap<String, String>,
        channels: &BTreeMap<String, BlobPath>,
    ) -> BTreeMap<String, String> {
        let mut environment = self.environment();
        let mut tell = |name: &str, value: String| environment.insert(name.to_owned(), value);
        let below = |path: &str| self.base.join(path).to_string_lossy().into_owned();
        tell("TRAINING_JOB_NAME", job.to_owned());
        tell("SM_CHANNELS", json!(channels.keys().collect::<Vec<_>>()).to_string());
        for channel in channels.keys() {
            tell(&variable("SM_CHANNEL_", channel), below(&format!("input/data/{channel}")));
        }
        tell("SM_HPS", json!(hyperparameters).to_string());
        for (name, value) in hyperparameters.iter().filter(|(_, value)| !value.contains('\0')) {
            tell(&variable("SM_HP_", name), value.clone());
        }
        tell("SM_INPUT_DIR", below("input"));
        tell("SM_INPUT_CONFIG_DIR", below("input/config"));
        tell("SM_INPUT_DATA_CONFIG", channels_config(channels).to_string());
        tell("SM_RESOURCE_CONFIG", resources().to_string());
        tell("SM_OUTPUT_DIR", below("output"));
        tell("SM_OUTPUT_DATA_DIR", below("output/data"));
        tell("SM_CURRENT_HOST", "algo-1".into());
        tell("SM_HOSTS", json!(["algo-1"]).to_string());
        tell("SM_NUM_GPUS", "0".into());
        environment
    }

    /// The environment of a server on a port of loopback.
    pub(crate) fn serve_environment(&self, port: u16) -> BTreeMap<String, String> {
        let mut environment = self.environment();
        environment.insert("SAGEMAKER_BIND_TO_PORT".into(), port.to_string());
        environment
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let mut environment = BTreeMap::new();
        for name in ["PATH", "HOME", "LANG"] {
            if let Some(value) = std::env::var_os(name).and_then(|value| value.into_string().ok()) {
                environment.insert(name.to_owned(), value);
            }
        }
        let base = self.base.to_string_lossy().into_owned();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        for (name, value) in [
            ("SM_MODEL_DIR", self.model().to_string_lossy().into_owned()),
            ("SAGEMAKER_BASE_DIR", base),
            ("SM_NUM_CPUS", cores.to_string()),
            ("MILLRACE_LOCAL", "1".into()),
            // Idle threads of one job must not spin on the cores of the others.
            ("OMP_WAIT_POLICY", "PASSIVE".into()),
            // What a program says is read while it runs.
            ("PYTHONUNBUFFERED", "1".into()),
        ] {
            environment.insert(name.to_owned(), value);
        }
        environment
    }

    /// The program as it is executed: directly, never through a shell. A plain word names a file
    /// laid beside it, else a program of PATH.
    pub(crate) fn program(
        &self,
        called: &Called,
        boost: &[String],
        verb: Verb,
        environment: BTreeMap<String, String>,
    ) -> Program {
        let code = self.code();
        let mut words = match called {
            Called::Boost => boost.to_vec(),
            Called::Command { run, .. } => run.clone(),
        };
        if let (Called::Command { .. }, Some(first)) = (called, words.first_mut()) {
            let beside = code.join(first.as_str());
            if beside.is_file() || first.contains('/') {
                *first = beside.to_string_lossy().into_owned();
            }
        }
        words.push(match verb {
            Verb::Train => "train".into(),
            Verb::Serve => "serve".into(),
        });
        Program { words, directory: code, environment }
    }
}

/// The name of a variable, as SageMaker's toolkit forms it.
fn variable(prefix: &str, name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    prefix.chars().chain(name.chars().map(letter)).collect()
}

fn channels_config(channels: &BTreeMap<String, BlobPath>) -> Value {
    let describe = |path: &BlobPath| {
        let mut channel = json!({"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None"});
        let kind = match path.file_name().rsplit('.').next() {
            Some("csv") => "text/csv",
            Some("json") => "application/json",
            Some("parquet") => "application/x-parquet",
            _ => return channel,
        };
        channel["ContentType"] = json!(kind);
        channel
    };
    channels.iter().map(|(name, path)| (name.clone(), describe(path))).collect()
}

fn resources() -> Value {
    json!({"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "lo"})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_beside_is_found_there_and_any_other_in_path() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::within(directory.path());
        place.create().unwrap();
        fs::write(place.code().join("run.sh"), "").unwrap();
        let called =
            |word: &str| Called::Command { run: vec![word.into(), "-x".into()], files: BTreeMap::new() };
        let code = place.code().to_string_lossy().into_owned();
        for (word, first) in [
            ("run.sh", format!("{code}/run.sh")),
            ("./run.sh", format!("{code}/./run.sh")),
            ("python3", "python3".into()),
            ("/bin/sh", "/bin/sh".into()),
        ] {
            let program = place.program(&called(word), &[], Verb::Serve, BTreeMap::new());
            assert_eq!(program.words, [first.as_str(), "-x", "serve"], "{word}");
        }
        let boost =
            place.program(&Called::Boost, &["/m".into(), "boost".into()], Verb::Train, BTreeMap::new());
        assert_eq!(boost.words, ["/m", "boost", "train"]);
    }

    #[test]
    fn a_training_is_told_what_sagemakers_toolkit_tells() {
        let place = Place::within(Path::new("/d"));
        let hyperparameters = BTreeMap::from([("max-depth".to_owned(), "6".to_owned())]);
        let path = BlobPath::parse("runs/x/train.csv").unwrap();
        let channels = BTreeMap::from([("train".to_owned(), path.clone())]);
        let environment = place.train_environment("job-1", &hyperparameters, &channels);
        for (name, value) in [
            ("SM_MODEL_DIR", "/d/base/model"),
            ("SM_CHANNELS", "[\"train\"]"),
            ("SM_CHANNEL_TRAIN", "/d/base/input/data/train"),
            ("SM_HPS", "{\"max-depth\":\"6\"}"),
            ("SM_HP_MAX_DEPTH", "6"),
            ("TRAINING_JOB_NAME", "job-1"),
            ("SAGEMAKER_BASE_DIR", "/d/base"),
            ("MILLRACE_LOCAL", "1"),
        ] {
            assert_eq!(environment.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert_eq!(place.channel_file("train", &path), Path::new("/d/base/input/data/train/train.csv"));
        let config = channels_config(&channels);
        assert_eq!(config["train"]["ContentType"], "text/csv");
    }
}
