//! What did a program print? Its last megabytes are kept, its last lines can be quoted.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::bound::{LINE_BYTES_MAX, LINE_CHARS_MAX, LOG_BYTES_MAX, LOG_TAIL_BYTES, LOOK_BYTES_MAX};

/// Copies what a program prints to a file until it prints no more. The file is bounded: when it
/// is full it becomes the one before, and that is forgotten.
pub(crate) fn keep(output: impl Read, path: &Path) -> io::Result<()> {
    keep_within(output, path, LOG_BYTES_MAX)
}

fn keep_within(mut output: impl Read, path: &Path, bytes_max: u64) -> io::Result<()> {
    let mut file = File::options().create(true).append(true).open(path)?;
    let mut written = file.metadata()?.len();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = match output.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if written > 0 && written + count as u64 > bytes_max {
            fs::rename(path, before(path))?;
            file = File::options().create(true).append(true).open(path)?;
            written = 0;
        }
        file.write_all(&buffer[..count])?;
        written += count as u64;
    }
}

fn before(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}

/// The last line that is not empty, shortened; none where nothing was printed.
pub(crate) fn last_line(path: &Path) -> Option<String> {
    last(path, |line| !line.is_empty())
}

/// The last line that tells an objective, as programs of SageMaker print them; shortened.
pub(crate) fn last_objective(path: &Path) -> Option<String> {
    last(path, |line| line.starts_with('#') || line.contains("validation:"))
}

fn last(path: &Path, wanted: impl Fn(&str) -> bool) -> Option<String> {
    let find = |path: &Path| {
        let text = tail(path).ok()?;
        let line = text.lines().map(str::trim).rfind(|line| wanted(line))?;
        // What a program prints may be meant for a terminal; this is a quotation.
        let quoted: String = line.chars().filter(|c| !c.is_control()).take(LINE_CHARS_MAX).collect();
        Some(quoted.trim_end().to_owned())
    };
    find(path).or_else(|| find(&before(path)))
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(LOG_TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The lines of a log that is being kept, as they come, also where a full file made way for a new
/// one meanwhile.
#[derive(Debug)]
pub(crate) struct Lines {
    path: PathBuf,
    file: Option<File>,
    /// The beginning of a line whose end is not there yet.
    begun: Vec<u8>,
}

impl Lines {
    /// From the log's beginning.
    pub(crate) fn of(path: &Path) -> Lines {
        Lines { path: path.to_owned(), file: None, begun: Vec::new() }
    }

    /// The lines since the last look. Where everything was printed, all of them, and the last one
    /// need not have an end.
    pub(crate) fn more(&mut self, everything: bool) -> io::Result<Vec<String>> {
        let mut bytes = Vec::new();
        loop {
            let count = self.read(&mut bytes)?;
            if count == 0 && !self.moved_on(&mut bytes)? {
                break;
            }
            if !everything && bytes.len() as u64 >= LOOK_BYTES_MAX {
                break;
            }
        }
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE_BYTES_MAX.saturating_sub(self.begun.len());
            self.begun.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                lines.push(self.line());
            }
        }
        if everything && !self.begun.is_empty() {
            lines.push(self.line());
        }
        Ok(lines)
    }

    fn line(&mut self) -> String {
        let line = String::from_utf8_lossy(&self.begun).trim().to_owned();
        self.begun.clear();
        line
    }

    fn read(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        if self.file.is_none() {
            match File::open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
                Err(error) => return Err(error),
            }
        }
        match &self.file {
            Some(file) => file.take(LOOK_BYTES_MAX).read_to_end(bytes),
            None => Ok(0),
        }
    }

    /// Whether the file at hand is full and another has taken its place; what was written to it
    /// between the two looks is taken in.
    fn moved_on(&mut self, bytes: &mut Vec<u8>) -> io::Result<bool> {
        let Some(file) = &mut self.file else { return Ok(false) };
        let there = match fs::metadata(&self.path) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let here = file.metadata()?;
        if (there.dev(), there.ino()) == (here.dev(), here.ino()) {
            return Ok(false);
        }
        file.read_to_end(bytes)?;
        self.file = None;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_long_log_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("output.log");
        let printed: String = (0..100_000).map(|number| format!("line {number}\n")).collect();
        keep_within(printed.as_bytes(), &path, 200_000).unwrap();
        let kept = fs::read_to_string(before(&path)).unwrap() + &fs::read_to_string(&path).unwrap();
        assert!(printed.ends_with(&kept) && kept.len() >= 200_000 && kept.len() <= 400_000);
        assert_eq!(last_line(&path).as_deref(), Some("line 99999"));
    }

    #[test]
    fn the_last_objective_is_quoted_without_controls() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("output.log");
        assert_eq!((last_line(&path), last_objective(&path)), (None, None));
        fs::write(&path, "#round=1 train:rmse=2\n\u{1b}[2J[5] validation:rmse=1\r\nbye \u{7}\n\n").unwrap();
        assert_eq!(last_objective(&path).as_deref(), Some("[2J[5] validation:rmse=1"));
        assert_eq!(last_line(&path).as_deref(), Some("bye"));
        fs::write(&path, "x".repeat(1_000)).unwrap();
        assert_eq!(last_line(&path).unwrap().len(), LINE_CHARS_MAX);
    }

    #[test]
    fn every_line_is_read_once_also_over_a_change_of_files() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("output.log");
        let mut lines = Lines::of(&path);
        assert_eq!(lines.more(false).unwrap(), [""; 0]);
        fs::write(&path, "one\ntw").unwrap();
        assert_eq!(lines.more(false).unwrap(), ["one"]);
        let append = |text: &str| {
            let mut file = File::options().create(true).append(true).open(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        append("o\r\nthree\n");
        fs::rename(&path, before(&path)).unwrap();
        append("four\nfi");
        assert_eq!(lines.more(false).unwrap(), ["two", "three", "four"]);
        append("ve");
        assert_eq!(lines.more(true).unwrap(), ["five"]);
        append(&format!("{}\nsix\n", "x".repeat(3 * LINE_BYTES_MAX)));
        let last = lines.more(false).unwrap();
        assert_eq!((last[0].len(), last[1].as_str()), (LINE_BYTES_MAX, "six"));
    }
}
