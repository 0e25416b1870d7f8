//! Cloud: a stand-in for AWS in tests, with a stack in it and a Lambda for its functions.

mod lambda;
mod server;
mod stack;

pub use lambda::{Answer, Function};
pub use server::{Fault, Server};
pub use stack::Stack;
