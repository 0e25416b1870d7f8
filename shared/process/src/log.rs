//! What did a program print? Its last megabytes are kept, its last lines can be quoted.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::bound::{LINE_CHARS_MAX, LOG_BYTES_MAX, LOG_TAIL_BYTES};

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
}
