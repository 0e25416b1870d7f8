//! Every bound of child processes, with its reason.

use std::time::Duration;

/// How often a search whose supervisor ended without a record is started again: not at all. Its
/// trials would all be paid for once more, and somebody should see that it was killed.
pub(crate) const SEARCH_ATTEMPTS_MAX: u32 = 1;

/// How often a job whose supervisor ended without a record is started again: a machine that went
/// down passes, a job that brings its machine down does not.
pub(crate) const ATTEMPTS_MAX: u32 = 3;

/// From asking a job to end to making it: SageMaker's time to save what was learned.
pub(crate) const JOB_GRACE: Duration = Duration::from_secs(120);

/// From asking a server to end to making it: SageMaker's.
pub(crate) const SERVER_GRACE: Duration = Duration::from_secs(30);

/// Longest wait for what was killed: the kernel needs a moment, and nothing lasts longer.
pub(crate) const KILLED_WAIT: Duration = Duration::from_secs(10);

/// How long a program whose connections broke has to show that it has ended.
pub(crate) const ENDING_WAIT: Duration = Duration::from_secs(2);

/// How often something is looked at that tells nobody when it changes. Four such looks lie between
/// a job's start and the event of its end, and one look takes microseconds.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// From one record of a search's curves to the next, and from one copy of it for people to the
/// next: they look every few seconds at most.
pub(crate) const RECORD_PAUSE: Duration = Duration::from_secs(1);

/// Longest line in bytes in which an objective is looked for; the rest of a longer one is not.
pub(crate) const LINE_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a trial's log that one look takes in: a look then takes a moment, and the log is
/// never further behind than it is kept.
pub(crate) const LOOK_BYTES_MAX: u64 = 1024 * 1024;

/// From a fault that may pass to the next attempt.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);

/// Longest start of an endpoint's server before it counts as failed.
pub(crate) const PING_DEADLINE: Duration = Duration::from_secs(60);

/// Longest start of a server that predicts a file: SageMaker's four minutes.
pub(crate) const BATCH_PING_DEADLINE: Duration = Duration::from_secs(240);

/// Longest answer to a ping: SageMaker's.
pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest answer of an endpoint: SageMaker's.
pub(crate) const INVOCATION_TIMEOUT: Duration = Duration::from_secs(60);

/// How often a server that serves is asked whether it is there.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(10);

/// How long a server may answer nothing, neither a ping nor a request, before it counts as hung.
/// One that answers one request at a time says nothing while it works on one, so this is longer
/// than the longest answer.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(90);
const _: () = assert!(SILENCE_MAX.as_secs() > INVOCATION_TIMEOUT.as_secs() + PING_EVERY.as_secs());

/// Longest answer to one request of a batch: SageMaker's default of a transform.
pub(crate) const BATCH_TIMEOUT: Duration = Duration::from_secs(600);

/// How long a connection to a server is kept without use: shorter than the two seconds after
/// which common servers (gunicorn) close it on their side.
pub(crate) const IDLE: Duration = Duration::from_secs(1);

/// Connections to one server that are kept for the next requests.
pub(crate) const IDLE_CONNECTIONS: usize = 32;

/// Rows in one request of a batch: keeps the answers, which may hold thousands of classes, small.
pub(crate) const CHUNK_ROWS: usize = domain::limit::BATCH_ROWS;

/// Bytes in one request of a batch, unless a single row is larger: six such requests fit
/// SageMaker's limit, and one is answered well within the timeout.
pub(crate) const CHUNK_BYTES: usize = domain::limit::CHUNK_BYTES;

/// Largest answer that is read into memory: thousands of rows with thousands of classes.
pub(crate) const ANSWER_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Largest model once unpacked: a bomb is smaller on the wire than this on the disk.
pub(crate) const MODEL_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// Most files and folders of a model.
pub(crate) const MODEL_ENTRIES_MAX: usize = 10_000;

/// Largest log of a program; beyond, its beginning is forgotten. As many bytes are kept again
/// from before.
pub(crate) const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How much of a log's end is read for its last lines.
pub(crate) const LOG_TAIL_BYTES: u64 = 64 * 1024;

/// Longest line that is quoted from a log.
pub(crate) const LINE_CHARS_MAX: usize = 300;

/// Longest reason of a failure: SageMaker's.
pub(crate) const REASON_CHARS_MAX: usize = 1024;

/// Largest record that is read back: a specification with thousands of hyperparameters.
pub(crate) const RECORD_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How often a server that dies is started again before its endpoint counts as failed.
pub(crate) const RESTARTS_MAX: u32 = 5;

/// A server that lived this long has proven itself: its next death is counted anew.
pub(crate) const PROVEN: Duration = Duration::from_secs(60);

/// Longest inference id: SageMaker's.
pub(crate) const INFERENCE_ID_MAX: usize = 64;

/// Longest custom attributes: SageMaker's.
pub(crate) const CUSTOM_ATTRIBUTES_MAX: usize = 1024;
