//! How many streams there may be.

use std::sync::Arc;

use countersign_protocol::{
    limits::STREAMS_PER_INSTANCE,
    name::InstanceId,
    refusal::{Reason, Refusal},
    require_some,
};

use crate::{
    channel::{Holder, Seat, Seats},
    limits::STREAMS_MAX,
};

/// A seat for each stream, from its first message to the last word to its caller.
#[derive(Debug)]
pub(in crate::mediation) struct Streams(Arc<Seats>);

impl Streams {
    pub(in crate::mediation) fn new() -> Self {
        Self(Seats::new(STREAMS_MAX, STREAMS_PER_INSTANCE))
    }

    /// A seat for one more stream of that caller.
    pub(super) fn seat(&self, caller: &InstanceId) -> Result<Seat, Refusal> {
        let seat = self.0.take(Holder::Instance(caller.clone()));
        Ok(require_some!("STR-032", seat, Reason::Overloaded, "It has too many streams open."))
    }
}

#[cfg(test)]
mod tests {
    use countersign_forge::instance;

    use super::*;

    #[test]
    fn one_caller_has_only_so_many_streams() {
        let (streams, greedy) = (Streams::new(), instance("planner"));
        let mut seats: Vec<_> = (0..STREAMS_PER_INSTANCE).map(|_| streams.seat(&greedy).unwrap()).collect();
        let refused = streams.seat(&greedy).unwrap_err();
        assert_eq!((refused.rule(), refused.reason()), ("STR-032", Reason::Overloaded));
        assert!(streams.seat(&instance("files")).is_ok(), "somebody else");
        seats.pop();
        assert!(streams.seat(&greedy).is_ok(), "the twin: one that has ended makes room");
    }
}
