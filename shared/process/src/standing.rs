//! How does an endpoint stand, and what is next for it? Pure, but for looking whether a server
//! lives.

use std::path::Path;
use std::sync::Arc;

use domain::BlobPath;
use ports::endpoints::Capture;
use ports::{EndpointSpec, EndpointState, EndpointStatus, Error};
use serde::{Deserialize, Serialize};

use crate::bound::{PROVEN, RESTARTS_MAX};
use crate::server::Server;
use crate::spec::{Called, invalid, shortened};

/// A configuration that was put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Put {
    pub(crate) config: String,
    pub(crate) program: Called,
    pub(crate) artifact: BlobPath,
    pub(crate) capture: Captured,
}

/// Whether requests and answers are captured: [`Capture`] as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Captured {
    All,
    Nothing,
}

impl Put {
    /// A configuration as it is written, or `Invalid` where a name in it would lead out of a
    /// directory.
    pub(crate) fn of(spec: &EndpointSpec) -> Result<Put, Error> {
        ports::jobs::check_name(&spec.name)?;
        let segment = BlobPath::parse(&spec.config).ok().filter(|path| path.file_name() == spec.config);
        if segment.is_none() || spec.config.len() > 200 {
            let what = format!("configuration {:?}: expected a name of a file", spec.config);
            return Err(invalid(&spec.name, &what));
        }
        let program = Called::of(&spec.program).map_err(|what| invalid(&spec.name, &what))?;
        let capture = match spec.capture {
            Capture::All => Captured::All,
            Capture::Nothing => Captured::Nothing,
        };
        Ok(Put { config: spec.config.clone(), program, artifact: spec.artifact.clone(), capture })
    }
}

/// What of an endpoint outlives its owner.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) wanted: Put,
    pub(crate) serving: Option<Put>,
    pub(crate) failed: Option<String>,
}

/// Whether an endpoint is still looked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Kept,
    Deleted,
    Closing,
}

/// How an endpoint stands.
#[derive(Debug)]
pub(crate) struct Standing {
    /// What was put last.
    pub(crate) wanted: Put,
    /// What came into service last.
    pub(crate) serving: Option<Put>,
    /// What answers now: a server of `serving`.
    pub(crate) server: Option<Arc<Server>>,
    pub(crate) state: EndpointState,
    pub(crate) fate: Fate,
    /// How often in a row the server of `serving` has died or could not be started.
    pub(crate) restarts: u32,
    hope: Hope,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hope {
    Some,
    None,
}

/// What is next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Start what served again.
    Restore(Put),
    /// Bring up what was put last.
    BringUp(Put),
    /// Look again later.
    Wait,
    /// Nothing, ever.
    Leave,
}

/// Whether a change is to be told and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    None,
    InService,
    Failed,
}

impl Standing {
    pub(crate) fn new(kept: Kept) -> Standing {
        let state = match kept.failed {
            Some(reason) => EndpointState::Failed { reason },
            None => EndpointState::Updating,
        };
        Standing {
            wanted: kept.wanted,
            serving: kept.serving,
            server: None,
            state,
            fate: Fate::Kept,
            restarts: 0,
            hope: Hope::Some,
        }
    }

    pub(crate) fn kept(&self) -> Kept {
        let failed = match &self.state {
            EndpointState::Failed { reason } => Some(reason.clone()),
            _ => None,
        };
        Kept { wanted: self.wanted.clone(), serving: self.serving.clone(), failed }
    }

    pub(crate) fn status(&self) -> EndpointStatus {
        let serving = self.serving.as_ref().filter(|_| self.server.is_some());
        EndpointStatus { state: self.state.clone(), serving: serving.map(|put| put.config.clone()) }
    }

    fn wanted_serves(&self) -> bool {
        self.serving.as_ref().is_some_and(|put| put.config == self.wanted.config)
    }

    /// Takes in what was put. Putting what was put last changes nothing, unless it had served
    /// and then died so often that it was given up: then it is tried again.
    pub(crate) fn put(&mut self, put: Put) -> Change {
        if put.config == self.wanted.config {
            if self.hope == Hope::None && self.wanted_serves() {
                self.revive();
            }
            return Change::None;
        }
        self.wanted = put;
        self.state = EndpointState::Updating;
        if self.wanted_serves() {
            if self.server.is_some() {
                self.state = EndpointState::InService;
                return Change::InService;
            }
            self.revive();
        }
        Change::None
    }

    fn revive(&mut self) {
        self.state = EndpointState::Updating;
        self.restarts = 0;
        self.hope = Hope::Some;
    }

    /// Looks whether the server lives, and says what is next.
    pub(crate) fn next(&mut self, log: &Path) -> (Next, Change) {
        if self.fate != Fate::Kept {
            return (Next::Leave, Change::None);
        }
        let dead = self.server.as_ref().and_then(|server| server.ended(log).map(|told| (server.age(), told)));
        let mut change = Change::None;
        if let Some((age, told)) = dead {
            self.server = None;
            if age >= PROVEN {
                self.restarts = 0;
            }
            change = self.struck(&format!("its server {told}"));
        }
        let updating = self.state == EndpointState::Updating && !self.wanted_serves();
        let may_restore = self.hope == Hope::Some && (self.restarts == 0 || !updating);
        let next = match &self.serving {
            Some(serving) if self.server.is_none() && may_restore => Next::Restore(serving.clone()),
            _ if updating => Next::BringUp(self.wanted.clone()),
            _ => Next::Wait,
        };
        (next, change)
    }

    /// The server of what serves has died or could not be started.
    fn struck(&mut self, reason: &str) -> Change {
        self.restarts += 1;
        if self.restarts > RESTARTS_MAX {
            self.hope = Hope::None;
        }
        if !self.wanted_serves() {
            return Change::None;
        }
        if self.hope == Hope::Some {
            self.state = EndpointState::Updating;
            return Change::None;
        }
        let reason = shortened(&format!("given up after {RESTARTS_MAX} restarts: {reason}"));
        self.state = EndpointState::Failed { reason };
        Change::Failed
    }

    /// What served serves again, or could not be started again.
    pub(crate) fn restored(&mut self, server: Result<Arc<Server>, String>) -> Change {
        match server {
            Ok(server) => {
                self.server = Some(server);
                if !self.wanted_serves() {
                    return Change::None;
                }
                self.state = EndpointState::InService;
                Change::InService
            }
            Err(reason) => self.struck(&reason),
        }
    }

    /// What was put last has come up, or could not; answers what it replaced, too.
    pub(crate) fn brought_up(
        &mut self,
        server: Result<Arc<Server>, String>,
    ) -> (Change, Option<Arc<Server>>) {
        match server {
            Ok(server) => {
                self.serving = Some(self.wanted.clone());
                self.state = EndpointState::InService;
                self.restarts = 0;
                self.hope = Hope::Some;
                (Change::InService, self.server.replace(server))
            }
            Err(reason) => {
                self.state = EndpointState::Failed { reason: shortened(&reason) };
                (Change::Failed, None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(config: &str) -> Put {
        let artifact = BlobPath::parse("model.tar.gz").unwrap();
        Put { config: config.into(), program: Called::Boost, artifact, capture: Captured::Nothing }
    }

    fn standing(wanted: &str, serving: Option<&str>) -> Standing {
        Standing::new(Kept { wanted: put(wanted), serving: serving.map(put), failed: None })
    }

    fn next(standing: &mut Standing) -> Next {
        standing.next(Path::new("/nowhere")).0
    }

    #[test]
    fn what_served_is_restored_before_what_comes() {
        assert_eq!(next(&mut standing("b", None)), Next::BringUp(put("b")));
        let mut both = standing("b", Some("a"));
        assert_eq!(next(&mut both), Next::Restore(put("a")));
        assert_eq!(both.restored(Err("no".into())), Change::None);
        assert_eq!(next(&mut both), Next::BringUp(put("b")), "a dead one must not keep the new one waiting");
        assert_eq!(both.brought_up(Err("no".into())).0, Change::Failed);
        assert_eq!(next(&mut both), Next::Restore(put("a")), "the one before goes on");
    }

    #[test]
    fn a_server_that_does_not_start_is_given_up_until_it_is_put_again() {
        let mut same = standing("a", Some("a"));
        for _ in 0..RESTARTS_MAX {
            assert_eq!(same.restored(Err("no".into())), Change::None);
            assert_eq!(next(&mut same), Next::Restore(put("a")));
        }
        assert_eq!(same.restored(Err("no".into())), Change::Failed);
        assert_eq!(next(&mut same), Next::Wait);
        assert!(matches!(same.status().state, EndpointState::Failed { .. }));
        assert_eq!(same.put(put("a")), Change::None);
        assert_eq!(same.status().state, EndpointState::Updating);
        assert_eq!(next(&mut same), Next::Restore(put("a")));
    }

    #[test]
    fn what_never_came_up_is_not_tried_again_by_the_same_put() {
        let mut failed = standing("a", None);
        failed.brought_up(Err("no".into()));
        failed.put(put("a"));
        assert_eq!(next(&mut failed), Next::Wait);
        failed.put(put("b"));
        assert_eq!(next(&mut failed), Next::BringUp(put("b")));
        failed.fate = Fate::Deleted;
        assert_eq!(next(&mut failed), Next::Leave);
    }

    #[test]
    fn a_configuration_is_the_name_of_a_file() {
        let spec = |config: &str| EndpointSpec {
            name: "taxi".into(),
            config: config.into(),
            program: ports::ProgramSpec::Boost,
            artifact: BlobPath::parse("m").unwrap(),
            capture: Capture::All,
        };
        assert_eq!(Put::of(&spec("7f3a")).unwrap().capture, Captured::All);
        for config in ["", "..", "a/b", "a\nb"] {
            assert!(Put::of(&spec(config)).is_err(), "{config:?}");
        }
    }
}
