//! What do the tests share? A directory, blobs in memory, a program in Python, and a bounded wait.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use domain::input::Input;
use domain::{BlobPath, Time};
use ports::{JobSpec, ProgramSpec, Work};
use process::{Clock, OnChange, ProcessOptions, ServerOptions};
use simulation::memory::MemoryBlobs;

/// Long enough for a busy machine: a wait that lasts this long is a fault.
const PATIENCE: Duration = Duration::from_secs(120);

/// The moment that all events carry.
pub(crate) const NOW: &str = "2026-11-23T09:00:00Z";

pub(crate) struct Setting {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) blobs: MemoryBlobs,
    pub(crate) events: Receiver<Input>,
    pub(crate) on_change: OnChange,
}

pub(crate) fn path(text: &str) -> BlobPath {
    BlobPath::parse(text).unwrap()
}

pub(crate) fn supervise() -> Vec<OsString> {
    vec![env!("CARGO_BIN_EXE_supervise").into()]
}

pub(crate) fn clock() -> Clock {
    let now: Time = NOW.parse().unwrap();
    Arc::new(move || now)
}

impl Setting {
    pub(crate) fn new() -> Setting {
        let blobs = MemoryBlobs::default();
        blobs.insert(&path("code/program.py"), include_bytes!("program.py").as_slice());
        blobs.insert(&path("data/train.csv"), "a,b\n1,2\n3,4\n".as_bytes());
        let (tell, events) = mpsc::channel();
        let on_change: OnChange = Arc::new(move |event| {
            // Nobody listens any more where the test is over.
            let _ = tell.send(Input::decode(&event).unwrap());
        });
        Setting { directory: tempfile::tempdir().unwrap(), blobs, events, on_change }
    }

    pub(crate) fn jobs(&self) -> ProcessOptions {
        let blobs = Arc::new(self.blobs.clone());
        let mut options =
            ProcessOptions::new(self.directory.path().join("jobs"), blobs, supervise(), Vec::new(), clock());
        options.on_change = self.on_change.clone();
        options
    }

    pub(crate) fn endpoints(&self) -> ServerOptions {
        let blobs = Arc::new(self.blobs.clone());
        let captured = self.blobs.clone();
        let mut options = ServerOptions::new(
            self.directory.path().join("endpoints"),
            blobs,
            supervise(),
            Vec::new(),
            clock(),
            Arc::new(move |path, line| {
                let mut bytes = captured.read(path).unwrap_or_default().to_vec();
                bytes.extend_from_slice(line);
                captured.insert(path, bytes);
                Ok(())
            }),
        );
        options.on_change = self.on_change.clone();
        options
    }

    /// The next change that is told: the name and the state.
    pub(crate) fn told(&self) -> (String, String) {
        match self.events.recv_timeout(PATIENCE).expect("a change is told") {
            Input::JobChanged(changed) | Input::EndpointChanged(changed) => (changed.name, changed.status),
            other => panic!("a change of a job or endpoint, not {other:?}"),
        }
    }

    /// A file that a program waits for.
    pub(crate) fn gate(&self) -> PathBuf {
        self.directory.path().join("gate")
    }

    /// A model whose one file says what it is.
    pub(crate) fn model(&self, at: &str, says: &str) -> BlobPath {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(says.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, "model.txt", says.as_bytes()).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&builder.into_inner().unwrap()).unwrap();
        self.blobs.insert(&path(at), encoder.finish().unwrap());
        path(at)
    }
}

/// The program of the tests.
pub(crate) fn program() -> ProgramSpec {
    ProgramSpec::Command {
        run: vec!["python3".into(), "program.py".into()],
        files: BTreeMap::from([("program.py".to_owned(), path("code/program.py"))]),
    }
}

/// A training that does what it is asked to.
pub(crate) fn training(name: &str, asked: &[(&str, &str)]) -> JobSpec {
    JobSpec {
        name: name.into(),
        program: program(),
        work: Work::Train {
            hyperparameters: asked.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            channels: BTreeMap::from([("train".into(), path("data/train.csv"))]),
            artifact: path(&format!("models/{name}/model.tar.gz")),
        },
        timeout_seconds: 3_600,
    }
}

/// Looks until something is there.
pub(crate) fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    // Nobody ever sends: it is a wait that ends by itself.
    let (_silent, pause) = mpsc::channel::<()>();
    for _ in 0..PATIENCE.as_millis() / 10 {
        if let Some(found) = look() {
            return found;
        }
        let _ = pause.recv_timeout(Duration::from_millis(10));
    }
    panic!("what was waited for never came");
}
