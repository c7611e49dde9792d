//! The two handles that a claim carries.

use crate::domain::id::MessageId;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Between the hand-over of 0x1A and a cancel: whoever is first wins, the other learns it.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<AtomicU8>);

impl Gate {
    /// Called just before 0x1A is handed to the kernel. `false`: it has been canceled; nothing may leave.
    pub fn pass(&self) -> bool {
        self.0.compare_exchange(OPEN, PASSED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Called to cancel. `false`: 0x1A has been handed over.
    pub fn shut(&self) -> bool {
        self.0.compare_exchange(OPEN, SHUT, Ordering::AcqRel, Ordering::Acquire).is_ok()
            || self.0.load(Ordering::Acquire) == SHUT
    }

    /// Opens it again for the next part. Has no effect once it is shut.
    pub fn reopen(&self) {
        let _ = self.0.compare_exchange(PASSED, OPEN, Ordering::AcqRel, Ordering::Acquire);
    }
}

const OPEN: u8 = 0;
const PASSED: u8 = 1;
const SHUT: u8 = 2;

/// Gives a claimed message back when dropped.
pub struct Lease {
    message: MessageId,
    give_back: Option<Box<dyn FnOnce(MessageId) + Send>>,
}

impl Lease {
    /// A lease that calls `give_back` when it is dropped.
    pub fn new(message: MessageId, give_back: impl FnOnce(MessageId) + Send + 'static) -> Self {
        Self { message, give_back: Some(Box::new(give_back)) }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(give_back) = self.give_back.take() {
            give_back(self.message);
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease({})", self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn the_first_at_the_gate_wins() {
        let gate = Gate::default();
        assert!(gate.pass());
        assert!(!gate.clone().shut(), "a cancel after the hand-over comes too late");
        gate.reopen();
        assert!(gate.shut());
        assert!(gate.shut(), "shutting twice is one cancel");
        assert!(!gate.pass());
        gate.reopen();
        assert!(!gate.pass(), "what is shut stays shut");
    }

    #[test]
    fn a_dropped_lease_gives_the_message_back_once() {
        let back = Arc::new(Mutex::new(Vec::new()));
        let to = back.clone();
        drop(Lease::new(MessageId(7), move |id| to.lock().unwrap().push(id)));
        assert_eq!(*back.lock().unwrap(), [MessageId(7)]);
    }
}
