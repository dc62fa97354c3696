//! How far one side may be ahead of the other.

use crate::{
    limits::STREAM_WINDOW,
    refusal::{Reason, Refusal},
    require,
};

/// Chunks of one side that are on their way. A side sends no more before the other has taken some, so a
/// slow reader holds up its own stream and nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamWindow {
    sent: u64,
    taken: u64,
}

impl StreamWindow {
    /// Whether there is room for one more.
    pub fn has_room(&self) -> bool {
        self.sent < self.taken.saturating_add(STREAM_WINDOW)
    }

    /// One more was sent.
    pub fn send(&mut self) -> Result<(), Refusal> {
        require!("STR-020", self.has_room(), Reason::LimitExceeded, "It sends more than was taken.");
        self.sent = self.sent.saturating_add(1);
        Ok(())
    }

    /// The other side has taken so many in all.
    pub fn take(&mut self, taken: u64) -> Result<(), Refusal> {
        let more = self.taken < taken && taken <= self.sent;
        require!("STR-021", more, Reason::PayloadMalformed, "It takes {taken} of {}.", self.sent);
        self.taken = taken;
        Ok(())
    }

    /// How many were taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }
}
