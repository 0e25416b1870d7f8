//! What time it is: the machine's time, or one that moves only when a person moves it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use domain::Time;
use domain::time::ClockKind;
use ports::{Error, ErrorKind, Result};

use crate::fault::{sync_folder, system};
use crate::lock;

/// A clock. Clones tell the same time; asking costs next to nothing.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Hand>);

#[derive(Debug)]
enum Hand {
    Real(Mutex<Told>),
    Virtual {
        folder: PathBuf,
        millis: AtomicI64,
        /// Held while the clock is moved, so that the file never falls behind the hand.
        moving: Mutex<()>,
    },
}

/// What the machine's clock was last told to say: the point from which time goes on.
#[derive(Clone, Copy, Debug)]
struct Told {
    time: Time,
    at: Instant,
}

impl Told {
    /// The time where the machine's clock says `machine` at a moment: that, unless it lies before
    /// what was told already. Then time goes on from there at half its pace, so that it never goes
    /// back, never stands still, and meets the machine's clock again.
    fn at(&mut self, machine: Time, moment: Instant) -> Time {
        let passed = moment.saturating_duration_since(self.at).as_millis();
        let slow = self.time.plus(i64::try_from(passed / 2).unwrap_or(i64::MAX));
        if machine < slow {
            return slow;
        }
        *self = Told { time: machine, at: moment };
        machine
    }
}

/// The file that remembers a virtual clock: one moment in RFC 3339 and a line break.
const FILE: &str = "clock";

/// The next content of that file while it is being written.
const NEXT: &str = "clock.next";

impl Clock {
    /// The machine's clock. It never goes back, also where the machine's is moved back: then it
    /// goes on at half its pace until the two meet.
    pub fn real() -> Clock {
        Clock(Arc::new(Hand::Real(Mutex::new(Told { time: machine(), at: monotonic() }))))
    }

    /// Says that a moment was told before this clock was made, so that it tells none before.
    /// Answers by how many milliseconds the machine's clock lies behind that moment, 0 where it
    /// does not. A virtual clock remembers by itself.
    pub fn not_before(&self, moment: Time) -> i64 {
        let Hand::Real(told) = &*self.0 else { return 0 };
        let mut told = lock(told);
        let behind = moment.millis().saturating_sub(told.time.millis());
        if behind > 0 {
            *told = Told { time: moment, at: monotonic() };
        }
        behind.max(0)
    }

    /// A virtual clock that stands at a moment and is remembered in the file `clock` of a
    /// folder, which is made where it is missing.
    ///
    /// One process at a time may hold the virtual clock of a folder.
    /// `Invalid` where the folder remembers a later moment: a clock never goes back.
    pub fn virtual_from(folder: &Path, time: Time) -> Result<Clock> {
        fs::create_dir_all(folder)
            .map_err(|error| system(format!("make the clock of {}", folder.display()), error))?;
        let clock = match remembered(folder)? {
            Some(then) => Clock::standing_at(folder, then),
            None => {
                remember(folder, time)?;
                Clock::standing_at(folder, time)
            }
        };
        clock.set(time)?;
        Ok(clock)
    }

    /// The clock that a folder remembers, else the machine's.
    /// `Invalid` where the file does not hold a moment.
    pub fn open(folder: &Path) -> Result<Clock> {
        Ok(match remembered(folder)? {
            Some(time) => Clock::standing_at(folder, time),
            None => Clock::real(),
        })
    }

    fn standing_at(folder: &Path, time: Time) -> Clock {
        let millis = AtomicI64::new(time.millis());
        Clock(Arc::new(Hand::Virtual { folder: folder.to_owned(), millis, moving: Mutex::default() }))
    }

    /// Now.
    pub fn now(&self) -> Time {
        match &*self.0 {
            Hand::Real(told) => lock(told).at(machine(), monotonic()),
            Hand::Virtual { millis, .. } => Time::from_millis(millis.load(Ordering::Acquire)),
        }
    }

    /// Whose time it is.
    pub fn kind(&self) -> ClockKind {
        match &*self.0 {
            Hand::Real(_) => ClockKind::Real,
            Hand::Virtual { .. } => ClockKind::Virtual,
        }
    }

    /// Moves a virtual clock to a moment; once this returns, the moment is remembered durably.
    /// `Invalid` where the moment is earlier than now, or where the clock is the machine's.
    pub fn set(&self, to: Time) -> Result<()> {
        let invalid =
            |why: &str| Err(Error::new(ErrorKind::Invalid, format!("set the clock to {to}: {why}")));
        let Hand::Virtual { folder, millis, moving } = &*self.0 else {
            return invalid("it is the machine's");
        };
        let _moving = lock(moving);
        let now = self.now();
        if to < now {
            return invalid(&format!("it is {now} already, and a clock never goes back"));
        }
        if to > now {
            remember(folder, to)?;
            millis.store(to.millis(), Ordering::Release);
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "time passes also where the machine's clock is moved")]
fn monotonic() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]
fn machine() -> Time {
    let now = std::time::SystemTime::now();
    let millis = |length: std::time::Duration| i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    Time::from_millis(match now.duration_since(std::time::UNIX_EPOCH) {
        Ok(since) => millis(since),
        Err(before) => -millis(before.duration()),
    })
}

fn remembered(folder: &Path) -> Result<Option<Time>> {
    let file = folder.join(FILE);
    let tried = || format!("read the clock of {}", file.display());
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(system(tried(), error)),
    };
    let time = text.trim_end().parse();
    time.map(Some).map_err(|error: String| Error::new(ErrorKind::Invalid, tried()).because(error))
}

fn remember(folder: &Path, time: Time) -> Result<()> {
    let write = || -> io::Result<()> {
        let next = folder.join(NEXT);
        let mut file = File::create(&next)?;
        writeln!(file, "{time}")?;
        file.sync_all()?;
        fs::rename(&next, folder.join(FILE))?;
        sync_folder(folder)
    };
    write().map_err(|error| system(format!("set the clock of {} to {time}", folder.display()), error))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_machines_clock_that_is_moved_back_is_met_again_and_never_followed_back() {
        let at = |seconds: i64| Time::from_millis(seconds * Time::SECOND);
        let begin = monotonic();
        let moment = |seconds: u64| begin + Duration::from_secs(seconds);
        let mut told = Told { time: at(1_000), at: begin };
        // Moved back by a hundred seconds: after so many seconds the machine's clock says …, and
        // what is told is ….
        for (passed, machine, expected) in [
            (0, 900, 1_000),
            (100, 1_000, 1_050),
            (199, 1_099, 1_099),
            (201, 1_101, 1_101),
            (202, 1_102, 1_102),
        ] {
            let found = told.at(at(machine), moment(passed));
            assert!((found.millis() - at(expected).millis()).abs() <= 500, "{passed}: {found}");
        }
        // Moved back while it runs.
        assert_eq!(told.at(at(500), moment(202)), at(1_102));
        assert_eq!(told.at(at(502), moment(204)), at(1_103));
        // Moved forward it is followed at once.
        assert_eq!(told.at(at(9_000), moment(205)), at(9_000));
    }
}
