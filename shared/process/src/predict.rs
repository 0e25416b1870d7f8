//! How does a model predict a file: rows in, one answer a line out, in the rows' order?

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use domain::limit;

use crate::archive::unpack;
use crate::bound::{
    BATCH_PING_DEADLINE, BATCH_TIMEOUT, CHUNK_BYTES, CHUNK_ROWS, ENDING_WAIT, LOOK, SERVER_GRACE,
};
use crate::chunk::{Chunk, Chunks, Size};
use crate::guarded::Guarded;
use crate::http::{Caller, Request, free_port};
use crate::place::Verb;
use crate::record::at;
use crate::spec::{OUTPUT_LOG, Outcome};
use crate::supervisor::{Seen, Working};
use crate::{clock, log};

/// The staged model, in the job's directory.
pub(crate) const MODEL: &str = "artifact.tar.gz";
/// The staged rows.
pub(crate) const INPUT: &str = "input.csv";
/// The answers.
pub(crate) const OUTPUT: &str = "output.csv";

/// Runs the program with `serve` and asks it for every row.
pub(crate) fn run(working: &Working<'_>) -> Result<Outcome, String> {
    let Working { directory, place, job, launch, .. } = working;
    place.create()?;
    unpack(&directory.join(MODEL), &place.model())?;
    let port = free_port()?;
    let mut environment = place.serve_environment(port);
    environment.insert("SAGEMAKER_BATCH".into(), "true".into());
    environment.insert("SAGEMAKER_BATCH_STRATEGY".into(), "MULTI_RECORD".into());
    environment.insert("SAGEMAKER_MAX_CONCURRENT_TRANSFORMS".into(), "1".into());
    environment.insert("SAGEMAKER_MAX_PAYLOAD_IN_MB".into(), "6".into());
    let program = place.program(&job.program, &launch.boost, Verb::Serve, environment);
    let log = directory.join(OUTPUT_LOG);
    let guarded = Guarded::start(&launch.supervise, &directory.join("guard"), program, &log)?;
    let given_up = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let (given_up, log) = (&given_up, &log);
        scope.spawn(move || {
            // Nobody listens any more where the job was cut.
            let _ = tell.send(ask_all(directory, port, given_up, log));
        });
        let seen = working.watch(&guarded, || told.try_recv().ok());
        given_up.store(true, Ordering::Relaxed);
        match seen {
            Ok(Seen::Other(Ok(()))) => {
                guarded.end(SERVER_GRACE);
                Ok(Outcome::Completed)
            }
            Ok(Seen::Other(Err(Refusal::Wrong(reason)))) => {
                guarded.end(SERVER_GRACE);
                Err(reason)
            }
            // A program that ended tells better why than a connection that broke.
            Ok(Seen::Other(Err(Refusal::Unanswered(reason)))) => match guarded.wait(ENDING_WAIT) {
                Some(ended) => Err(format!("serve: {}", working.failure(&ended))),
                None => {
                    guarded.end(SERVER_GRACE);
                    Err(reason)
                }
            },
            Ok(Seen::Ended(ended)) => Err(format!("serve: {}", working.failure(&ended))),
            Err(outcome) => Ok(outcome),
        }
    })
}

/// Why rows were not answered.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// No answer came.
    Unanswered(String),
    /// What came is none.
    Wrong(String),
}

impl From<String> for Refusal {
    fn from(reason: String) -> Refusal {
        Refusal::Wrong(reason)
    }
}

impl Refusal {
    fn of_rows(self, which: &str) -> Refusal {
        match self {
            Refusal::Unanswered(reason) => Refusal::Unanswered(format!("{which}: {reason}")),
            Refusal::Wrong(reason) => Refusal::Wrong(format!("{which}: {reason}")),
        }
    }
}

fn ask_all(directory: &Path, port: u16, given_up: &AtomicBool, log: &Path) -> Result<(), Refusal> {
    let caller = Caller::new(BATCH_TIMEOUT);
    wait_for_ping(&caller, port, given_up, log)?;
    let path = directory.join(INPUT);
    let input = BufReader::new(File::open(&path).map_err(at("read", &path))?);
    let path = directory.join(OUTPUT);
    let output = File::create(&path).map_err(at("write", &path))?;
    let mut output = BufWriter::new(output);
    let ask = |chunk: Chunk| {
        if given_up.load(Ordering::Relaxed) {
            return Err(Refusal::Unanswered("given up".into()));
        }
        ask(&caller, port, chunk)
    };
    predict(input, &mut output, ask)?;
    output.flush().and_then(|()| output.get_ref().sync_all()).map_err(at("write", &path))?;
    Ok(())
}

fn wait_for_ping(caller: &Caller, port: u16, given_up: &AtomicBool, log: &Path) -> Result<(), String> {
    let begun = clock::now();
    while !caller.ping(port) {
        if given_up.load(Ordering::Relaxed) {
            return Err("given up".into());
        }
        if begun.elapsed() > BATCH_PING_DEADLINE {
            let seconds = BATCH_PING_DEADLINE.as_secs();
            let said = log::last_line(log).map(|line| format!(": {line}")).unwrap_or_default();
            return Err(format!("serve: no answer to /ping within {seconds} seconds{said}"));
        }
        clock::pause(LOOK);
    }
    Ok(())
}

/// Asks for every row, in chunks, and writes one line a row. An answer of another number of rows
/// than were sent is a failure.
fn predict(
    input: impl Read,
    output: &mut impl Write,
    mut ask: impl FnMut(Chunk) -> Result<String, Refusal>,
) -> Result<(), Refusal> {
    let size = Size { rows: CHUNK_ROWS, bytes: CHUNK_BYTES, bytes_max: limit::INVOCATION_BYTES_MAX };
    let mut chunks = Chunks::new(input, size);
    let mut row = 1;
    while let Some(chunk) = chunks.next()? {
        let rows = chunk.rows;
        let which = format!("rows {row} to {}", row + rows - 1);
        row += rows;
        let answer = ask(chunk).map_err(|refusal| refusal.of_rows(&which))?;
        let lines: Vec<&str> = answer.lines().collect();
        if lines.len() != rows {
            return Err(format!("{which}: {} answers to {rows} rows", lines.len()).into());
        }
        if let Some(empty) = lines.iter().position(|line| line.trim().is_empty()) {
            return Err(format!("{which}: answer {} is empty", empty + 1).into());
        }
        for line in lines {
            writeln!(output, "{line}").map_err(|error| format!("write the answers: {error}"))?;
        }
    }
    Ok(())
}

fn ask(caller: &Caller, port: u16, chunk: Chunk) -> Result<String, Refusal> {
    let request = Request {
        content_type: "text/csv",
        accept: Some("text/csv"),
        inference_id: None,
        custom_attributes: None,
        body: &chunk.bytes,
    };
    let unanswered = |error: ports::Error| Refusal::Unanswered(error.to_string());
    let reply = caller.invoke(port, &request).map_err(unanswered)?;
    let text = String::from_utf8_lossy(&reply.body);
    if !(200..300).contains(&reply.status) {
        let said: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
        return Err(format!("answered with status {}: {said}", reply.status).into());
    }
    if reply.content_type.contains("json") {
        return Err(format!("answered with {}, asked for was text/csv", reply.content_type).into());
    }
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(input: &str, answer: impl Fn(&Chunk) -> String) -> Result<String, Refusal> {
        let mut output = Vec::new();
        predict(input.as_bytes(), &mut output, |chunk| Ok(answer(&chunk)))?;
        Ok(String::from_utf8(output).unwrap())
    }

    #[test]
    fn answers_stand_one_a_line_in_the_rows_order() {
        let input: String = (0..20_000).map(|number| format!("{number},x\n")).collect();
        let first = |chunk: &Chunk| {
            let text = String::from_utf8(chunk.bytes.clone()).unwrap();
            text.lines().map(|line| format!("{}\r\n", line.split(',').next().unwrap())).collect()
        };
        let expected: String = (0..20_000).map(|number| format!("{number}\n")).collect();
        assert_eq!(answered(&input, first).unwrap(), expected);
        assert_eq!(answered("", |_| unreachable!("nothing is asked")).unwrap(), "");
    }

    #[test]
    fn an_answer_of_other_rows_is_a_failure_by_name() {
        for (answer, complaint) in [
            ("1\n", "rows 1 to 2: 1 answers to 2 rows"),
            ("1\n2\n3\n", "rows 1 to 2: 3 answers to 2 rows"),
            ("1\n\n", "rows 1 to 2: answer 2 is empty"),
            ("", "rows 1 to 2: 0 answers to 2 rows"),
        ] {
            let refusal = answered("a\nb\n", |_| answer.into()).unwrap_err();
            assert_eq!(refusal, Refusal::Wrong(complaint.into()));
        }
        assert_eq!(answered("a\nb", |_| "1\n2".into()).unwrap(), "1\n2\n");
    }
}
