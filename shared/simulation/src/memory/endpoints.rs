//! Endpoints that only a test brings up, answered by a function the test gives.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use ports::jobs::check_name;
use ports::{EndpointSpec, EndpointState, EndpointStatus, Endpoints, Error, ErrorKind, Reply, Result};

use super::lock;

/// What answers: given the configuration that serves and the request's body.
type Model = Arc<dyn Fn(&EndpointSpec, &[u8]) -> Reply + Send + Sync>;

/// Endpoints in a map. What was put stays `Updating` until the test says otherwise.
pub struct MemoryEndpoints {
    endpoints: Mutex<BTreeMap<String, Standing>>,
    model: Mutex<Model>,
}

/// How one endpoint stands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Standing {
    last: EndpointSpec,
    state: EndpointState,
    serving: Option<EndpointSpec>,
}

impl Default for MemoryEndpoints {
    fn default() -> MemoryEndpoints {
        let model: Model = Arc::new(|_, body| csv_reply(body, |_| "0".to_owned()));
        MemoryEndpoints { endpoints: Mutex::default(), model: Mutex::new(model) }
    }
}

impl fmt::Debug for MemoryEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemoryEndpoints").field(&*lock(&self.endpoints)).finish()
    }
}

/// A reply with one line for each non-empty line of the request.
fn csv_reply(body: &[u8], answer: impl Fn(&str) -> String) -> Reply {
    let request = String::from_utf8_lossy(body);
    let lines = request.lines().filter(|line| !line.is_empty()).map(|line| answer(line) + "\n");
    Reply { status: 200, content_type: "text/csv".into(), body: lines.collect::<String>().into() }
}

impl MemoryEndpoints {
    /// From now on this answers: it is given the configuration that serves and the body.
    pub fn answer(&self, model: impl Fn(&EndpointSpec, &[u8]) -> Reply + Send + Sync + 'static) {
        *lock(&self.model) = Arc::new(model);
    }

    /// From now on every CSV row is answered by this. Without it every row is answered by `0`.
    pub fn predict(&self, predict: impl Fn(&EndpointSpec, &str) -> String + Send + Sync + 'static) {
        self.answer(move |spec, body| csv_reply(body, |line| predict(spec, line)));
    }

    /// A copy with a life of its own; the same answers.
    pub fn fork(&self) -> MemoryEndpoints {
        MemoryEndpoints {
            endpoints: Mutex::new(lock(&self.endpoints).clone()),
            model: Mutex::new(lock(&self.model).clone()),
        }
    }

    /// Brings the configuration put last under one name into service.
    ///
    /// # Panics
    /// Where there is no such endpoint.
    pub fn bring_up(&self, name: &str) {
        match lock(&self.endpoints).get_mut(name) {
            Some(standing) => {
                standing.state = EndpointState::InService;
                standing.serving = Some(standing.last.clone());
            }
            None => panic!("no endpoint {name:?} was put"),
        }
    }

    /// Brings every configuration that is coming up into service.
    pub fn settle(&self) {
        for standing in lock(&self.endpoints).values_mut() {
            if standing.state == EndpointState::Updating {
                standing.state = EndpointState::InService;
                standing.serving = Some(standing.last.clone());
            }
        }
    }

    /// The configuration put last cannot be brought up.
    ///
    /// # Panics
    /// Where there is no such endpoint.
    pub fn fail(&self, name: &str, reason: &str) {
        match lock(&self.endpoints).get_mut(name) {
            Some(standing) => standing.state = EndpointState::Failed { reason: reason.to_owned() },
            None => panic!("no endpoint {name:?} was put"),
        }
    }

    /// The configuration put last is taken back: the one that serves goes on.
    ///
    /// # Panics
    /// Where there is no such endpoint.
    pub fn roll_back(&self, name: &str) {
        match lock(&self.endpoints).get_mut(name) {
            Some(standing) => standing.state = EndpointState::InService,
            None => panic!("no endpoint {name:?} was put"),
        }
    }

    /// Names of the endpoints that are coming up.
    pub fn coming_up(&self) -> Vec<String> {
        let endpoints = lock(&self.endpoints);
        let coming = endpoints.iter().filter(|(_, standing)| standing.state == EndpointState::Updating);
        coming.map(|(name, _)| name.clone()).collect()
    }

    /// Names of all endpoints.
    pub fn names(&self) -> Vec<String> {
        lock(&self.endpoints).keys().cloned().collect()
    }

    /// What was put last under a name; none where there is no endpoint.
    pub fn spec(&self, name: &str) -> Option<EndpointSpec> {
        lock(&self.endpoints).get(name).map(|standing| standing.last.clone())
    }

    /// What answers under a name; none where nothing does.
    pub fn serving(&self, name: &str) -> Option<EndpointSpec> {
        lock(&self.endpoints).get(name).and_then(|standing| standing.serving.clone())
    }

    /// What was put last under every name, and how it stands: equal dumps mean that nothing has
    /// changed.
    pub fn dump(&self) -> BTreeMap<String, (EndpointSpec, EndpointStatus)> {
        let endpoints = lock(&self.endpoints);
        endpoints.iter().map(|(name, it)| (name.clone(), (it.last.clone(), it.status()))).collect()
    }
}

impl Standing {
    fn status(&self) -> EndpointStatus {
        let serving = self.serving.as_ref().map(|spec| spec.config.clone());
        EndpointStatus { state: self.state.clone(), serving }
    }
}

#[async_trait]
impl Endpoints for MemoryEndpoints {
    async fn put(&self, spec: &EndpointSpec) -> Result<()> {
        check_name(&spec.name)?;
        let mut endpoints = lock(&self.endpoints);
        let before = endpoints.remove(&spec.name);
        let standing = match before {
            Some(standing) if standing.last.config == spec.config => standing,
            before => Standing {
                last: spec.clone(),
                state: EndpointState::Updating,
                serving: before.and_then(|standing| standing.serving),
            },
        };
        endpoints.insert(spec.name.clone(), standing);
        Ok(())
    }

    async fn status(&self, name: &str) -> Result<Option<EndpointStatus>> {
        Ok(lock(&self.endpoints).get(name).map(Standing::status))
    }

    async fn delete(&self, name: &str) -> Result<()> {
        lock(&self.endpoints).remove(name);
        Ok(())
    }

    async fn invoke(&self, name: &str, _content_type: &str, body: Bytes) -> Result<Reply> {
        let serving = match lock(&self.endpoints).get(name) {
            Some(standing) => standing.serving.clone(),
            None => {
                return Err(Error::new(ErrorKind::NotFound, format!("invoke {name}: no such endpoint")));
            }
        };
        let Some(spec) = serving else {
            let what = format!("invoke {name}: nothing answers yet");
            return Err(Error::new(ErrorKind::Unavailable, what));
        };
        let model = lock(&self.model).clone();
        Ok(model(&spec, &body))
    }
}
