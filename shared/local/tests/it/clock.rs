//! Whether a virtual clock stands, moves, and is remembered.

use std::path::Path;

use domain::Time;
use domain::time::ClockKind;
use local::Clock;
use ports::ErrorKind;

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

fn opened(folder: &Path) -> (ClockKind, Option<Time>) {
    let clock = Clock::open(folder).unwrap();
    let now = (clock.kind() == ClockKind::Virtual).then(|| clock.now());
    (clock.kind(), now)
}

#[test]
fn the_real_clock_is_the_machines_and_cannot_be_set() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(opened(folder.path()), (ClockKind::Real, None));
    let clock = Clock::real();
    // The file system dates a file by the machine's clock, too.
    let file = folder.path().join("file");
    let before = clock.now();
    std::fs::write(&file, "x").unwrap();
    let modified = std::fs::metadata(&file).unwrap().modified().unwrap();
    let modified = modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    assert!((before.millis() - modified).abs() < Time::DAY, "{before}, {modified}");
    assert_eq!(clock.set(Time::MAX).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn the_real_clock_tells_no_moment_before_one_that_was_told() {
    let clock = Clock::real();
    assert_eq!(clock.not_before(at("2020-01-01")), 0);
    let tomorrow = clock.now().plus(Time::DAY);
    let behind = clock.not_before(tomorrow);
    assert!((Time::DAY - Time::HOUR..=Time::DAY).contains(&behind), "{behind}");
    assert!(clock.now() >= tomorrow);
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Clock::virtual_from(folder.path(), at("2020-01-01")).unwrap().not_before(tomorrow), 0);
}

#[test]
fn a_virtual_clock_stands_until_it_is_moved_and_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("made");
    let clock = Clock::virtual_from(&folder, at("2018-01-31")).unwrap();
    assert_eq!((clock.kind(), clock.now()), (ClockKind::Virtual, at("2018-01-31")));
    let same = clock.clone();
    clock.set(at("2018-02-28T12:00:00.001Z")).unwrap();
    assert_eq!(same.now(), at("2018-02-28T12:00:00.001Z"));
    drop((clock, same));
    assert_eq!(opened(&folder), (ClockKind::Virtual, Some(at("2018-02-28T12:00:00.001Z"))));
    // Nothing but the clock is left behind.
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["clock"]);
}

#[test]
fn a_virtual_clock_never_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::virtual_from(folder.path(), at("2020-01-01")).unwrap();
    let refused = clock.set(at("2019-12-31")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(refused.to_string().contains("it is 2020-01-01T00:00:00.000Z already"), "{refused}");
    clock.set(at("2020-01-01")).unwrap();
    assert_eq!(clock.now(), at("2020-01-01"));
    let refused = Clock::virtual_from(folder.path(), at("2019-12-31")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert_eq!(opened(folder.path()).1, Some(at("2020-01-01")));
    assert_eq!(Clock::virtual_from(folder.path(), at("2021-01-01")).unwrap().now(), at("2021-01-01"));
}

#[test]
fn racing_moves_leave_the_latest_moment() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::virtual_from(folder.path(), at("2020-01-01")).unwrap();
    std::thread::scope(|scope| {
        for number in 1..=8 {
            let clock = &clock;
            scope.spawn(move || {
                let to = at("2020-01-01").plus(number * Time::HOUR);
                // Refused where a later move came first.
                clock.set(to).ok();
                assert!(clock.now() >= to);
            });
        }
    });
    assert_eq!(clock.now(), at("2020-01-01T08:00:00Z"));
    assert_eq!(opened(folder.path()).1, Some(at("2020-01-01T08:00:00Z")));
}

#[test]
fn a_file_that_is_no_moment_is_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("clock"), "yesterday\n").unwrap();
    let error = Clock::open(folder.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("clock") && error.to_string().contains("yesterday"), "{error}");
}
