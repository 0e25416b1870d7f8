//! Where a call to a port is held until the scheduler says how it ends.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use ports::{Error, ErrorKind, Result};

use crate::memory::lock;

/// A task of the scheduler.
pub type TaskId = u64;

/// On which side of its effect a call is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing has happened yet.
    Before,
    /// It has happened, and the caller does not know it.
    After,
}

/// A call that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Port and method.
    pub name: &'static str,
    /// What it is about.
    pub what: String,
    /// On which side of its effect it is held.
    pub moment: Moment,
    /// How many entries the call has that can fail one by one; 0 where it fails as a whole.
    pub entries: usize,
}

/// How a call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should.
    Pass,
    /// Nothing happens: too fast.
    Throttle,
    /// No answer: before the effect it never happens, after it the reply is lost.
    Lose,
    /// The entries whose bits are set are refused one by one, the others pass.
    Refuse(u32),
}

impl Verdict {
    /// One word for the story.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "passes",
            Verdict::Throttle => "is throttled",
            Verdict::Lose => "gets no answer",
            Verdict::Refuse(_) => "is refused in part",
        }
    }
}

#[derive(Debug)]
enum Standing {
    Held(Call),
    Told(Verdict),
}

#[derive(Debug, Default)]
struct State {
    current: Option<TaskId>,
    standing: BTreeMap<TaskId, Standing>,
}

/// The gate that all ports of one deployment share. A call made outside any task passes at once,
/// so that whoever looks at the deployment may use its ports.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<State>,
}

impl Gate {
    /// The call at which a task is held.
    pub fn held(&self, task: TaskId) -> Option<Call> {
        match lock(&self.state).standing.get(&task) {
            Some(Standing::Held(call)) => Some(call.clone()),
            _ => None,
        }
    }

    /// Says how the call of a task goes on; it hears it when it is polled.
    pub fn tell(&self, task: TaskId, verdict: Verdict) {
        lock(&self.state).standing.insert(task, Standing::Told(verdict));
    }

    /// A task that is no more.
    pub fn forget(&self, task: TaskId) {
        lock(&self.state).standing.remove(&task);
    }

    /// From now on calls are this task's; none: nobody's.
    pub fn enter(&self, task: Option<TaskId>) {
        lock(&self.state).current = task;
    }

    fn stop(self: &Arc<Gate>, call: Call) -> Stop {
        Stop { gate: Arc::clone(self), task: None, call: Some(call) }
    }

    /// Holds a call before its effect.
    pub(crate) async fn before(self: &Arc<Gate>, name: &'static str, what: impl ToString) -> Result<()> {
        let call = Call { name, what: what.to_string(), moment: Moment::Before, entries: 0 };
        self.pass(call).await.map(|_| ())
    }

    /// Holds a call of several entries before its effect; the bits of those that are refused.
    pub(crate) async fn each(
        self: &Arc<Gate>,
        name: &'static str,
        what: impl ToString,
        entries: usize,
    ) -> Result<u32> {
        self.pass(Call { name, what: what.to_string(), moment: Moment::Before, entries }).await
    }

    /// Holds a call after its effect.
    pub(crate) async fn after(self: &Arc<Gate>, name: &'static str, what: impl ToString) -> Result<()> {
        let call = Call { name, what: what.to_string(), moment: Moment::After, entries: 0 };
        self.pass(call).await.map(|_| ())
    }

    async fn pass(self: &Arc<Gate>, call: Call) -> Result<u32> {
        let (name, what) = (call.name, call.what.clone());
        match self.stop(call).await {
            Verdict::Pass => Ok(0),
            Verdict::Refuse(bits) => Ok(bits),
            Verdict::Throttle => Err(Error::new(ErrorKind::Throttled, format!("{name} {what}: too fast"))),
            Verdict::Lose => Err(Error::new(ErrorKind::Unavailable, format!("{name} {what}: no answer"))),
        }
    }
}

struct Stop {
    gate: Arc<Gate>,
    task: Option<TaskId>,
    call: Option<Call>,
}

impl Future for Stop {
    type Output = Verdict;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Verdict> {
        let gate = Arc::clone(&self.gate);
        let mut state = lock(&gate.state);
        if let Some(call) = self.call.take() {
            let Some(task) = state.current else { return Poll::Ready(Verdict::Pass) };
            let before = state.standing.insert(task, Standing::Held(call));
            assert!(before.is_none(), "a task makes one call at a time");
            self.task = Some(task);
            return Poll::Pending;
        }
        let task = self.task.expect("a call that was held belongs to a task");
        match state.standing.remove(&task) {
            Some(Standing::Told(verdict)) => Poll::Ready(verdict),
            Some(held) => {
                state.standing.insert(task, held);
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }
}
