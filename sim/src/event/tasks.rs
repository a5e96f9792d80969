//! Which tasks of a host have something to do, in the order of tokio's scheduler for one thread.
//!
//! Each flow has two tasks: the driver of its socket and its application. A task that is woken goes
//! to the end of the queue unless it is there already. One that yields goes there after all that
//! were ready when it did.

use std::collections::VecDeque;

/// A task of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TaskId(u32);

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It is the application of a flow.
    App,
    /// It drives the socket of a flow.
    Driver,
}

impl TaskId {
    /// The task with a role in the flow that has the index `cell` at its host.
    pub(super) fn new(cell: usize, role: Role) -> Self {
        let cell = u32::try_from(cell).unwrap_or(u32::MAX >> 1);
        Self(cell << 1 | u32::from(role == Role::Driver))
    }

    pub(super) const fn cell(self) -> usize {
        (self.0 >> 1) as usize
    }

    pub(super) const fn role(self) -> Role {
        if self.0 & 1 == 1 { Role::Driver } else { Role::App }
    }

    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The queue of a host.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    ready: VecDeque<TaskId>,
    yielded: Vec<TaskId>,
    queued: Vec<bool>,
}

impl Tasks {
    /// Makes sure that the task runs.
    pub(super) fn wake(&mut self, task: TaskId) {
        if self.queued.len() <= task.index() {
            self.queued.resize(task.index() + 1, false);
        }
        if !std::mem::replace(&mut self.queued[task.index()], true) {
            self.ready.push_back(task);
        }
    }

    /// Makes sure that the task runs after all that are ready now.
    pub(super) fn yield_now(&mut self, task: TaskId) {
        self.yielded.push(task);
    }

    /// The next task to run.
    pub(super) fn next(&mut self) -> Option<TaskId> {
        if self.ready.is_empty() {
            for task in std::mem::take(&mut self.yielded) {
                self.wake(task);
            }
        }
        let task = self.ready.pop_front()?;
        self.queued[task.index()] = false;
        Some(task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_run_once_in_the_order_of_their_first_wake() {
        let mut tasks = Tasks::default();
        let ids = [(3, Role::App), (0, Role::Driver), (3, Role::Driver)];
        let ids = ids.map(|(cell, role)| TaskId::new(cell, role));
        for id in [ids[0], ids[1], ids[0], ids[2], ids[1]] {
            tasks.wake(id);
        }
        let order: Vec<TaskId> = std::iter::from_fn(|| tasks.next()).collect();
        assert_eq!(order, ids);
        assert_eq!((ids[2].cell(), ids[2].role()), (3, Role::Driver));
    }

    #[test]
    fn a_task_that_yields_lets_all_others_go_first() {
        let mut tasks = Tasks::default();
        let (app, driver) = (TaskId::new(0, Role::App), TaskId::new(0, Role::Driver));
        tasks.yield_now(app);
        tasks.wake(driver);
        assert_eq!(tasks.next(), Some(driver));
        tasks.wake(driver);
        assert_eq!(tasks.next(), Some(driver), "it was ready before the other's turn");
        assert_eq!(tasks.next(), Some(app));
        assert_eq!(tasks.next(), None);
    }
}
