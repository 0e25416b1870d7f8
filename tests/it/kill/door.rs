//! Whether the server is there to be asked: people wait at its door while it is not.

use std::sync::{Condvar, Mutex};

use crate::http::Address;

/// Shown to people by whoever starts and kills the server.
#[derive(Debug, Default)]
pub(super) struct Door {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Counts the servers that were started.
    life: u64,
    address: Option<Address>,
    closed: bool,
}

/// Closes the door for good when it is dropped.
pub(super) struct Closing<'a>(&'a Door);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().closed = true;
        self.0.moved.notify_all();
    }
}

impl Door {
    /// A server listens.
    pub(super) fn open(&self, address: Address) {
        let mut state = self.state.lock().unwrap();
        state.life += 1;
        state.address = Some(address);
        drop(state);
        self.moved.notify_all();
    }

    /// It is about to be killed. Whoever asks at this moment is not held back.
    pub(super) fn shut(&self) {
        self.state.lock().unwrap().address = None;
    }

    pub(super) fn closing(&self) -> Closing<'_> {
        Closing(self)
    }

    /// Waits for a server of a later life than `seen`; none when there will be no other.
    pub(super) fn enter(&self, seen: u64) -> Option<(u64, Address)> {
        let state = self.state.lock().unwrap();
        let is_to_wait = |state: &mut State| !state.closed && (state.life <= seen || state.address.is_none());
        let state = self.moved.wait_while(state, is_to_wait).unwrap();
        match (&state.address, state.closed) {
            (Some(address), false) => Some((state.life, address.clone())),
            _ => None,
        }
    }
}
