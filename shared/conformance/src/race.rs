//! How several callers are let loose on one adapter at once.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;

/// One caller.
pub type Task = BoxFuture<'static, ()>;

/// Runs callers at the same time, until all are done. An adapter that needs a runtime brings
/// its own; the others take [`threads`].
pub type Race = fn(Vec<Task>) -> Task;

/// Callers in a race: enough to collide, few enough for a laptop.
pub const CALLERS: usize = 8;

/// Each caller on a thread of its own.
pub fn threads(tasks: Vec<Task>) -> Task {
    Box::pin(async move {
        let start = |task: Task| std::thread::spawn(|| futures::executor::block_on(task));
        let callers: Vec<_> = tasks.into_iter().map(start).collect();
        for caller in callers {
            if let Err(panic) = caller.join() {
                std::panic::resume_unwind(panic);
            }
        }
    })
}

/// Lets one caller for each number below [`CALLERS`] run, and gathers their answers, in no
/// particular order.
pub async fn gather<T, F>(race: Race, caller: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let answers: Arc<Mutex<Vec<T>>> = Arc::default();
    let mut tasks: Vec<Task> = Vec::with_capacity(CALLERS);
    for number in 0..CALLERS {
        let (answers, caller) = (answers.clone(), caller(number));
        tasks.push(Box::pin(async move {
            let answer = caller.await;
            answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
        }));
    }
    race(tasks).await;
    let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut *answers)
}
