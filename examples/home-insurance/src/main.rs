//! Writes one month of quotes to standard output: `home-insurance [SEED] [MONTH] [ROWS] [bad|broken]`.

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize, default: u64| match words.get(place) {
        Some(word) => word.parse::<u64>().ok(),
        None => Some(default),
    };
    let (Some(seed), Some(month @ 1..=12), Some(rows)) = (number(0, 7), number(1, 1), number(2, 2_000))
    else {
        let _ = writeln!(std::io::stderr(), "usage: home-insurance [SEED] [MONTH 1-12] [ROWS] [bad|broken]");
        return ExitCode::from(2);
    };
    let quotes = home_insurance::month(seed, month as u32, rows as usize);
    let text = match words.get(3).map(String::as_str) {
        Some("bad") => home_insurance::csv_with_bad_rows(&quotes),
        Some("broken") => home_insurance::csv_broken(&quotes),
        _ => home_insurance::csv(&quotes),
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
