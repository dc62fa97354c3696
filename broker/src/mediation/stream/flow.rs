//! What a stream's task and its callee's stream pass to each other.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use countersign_protocol::{id::InvocationId, limits::STREAM_WINDOW};
use countersign_wire::v1::{OfferedStream, ServedStream, StreamChunk};
use tokio::sync::mpsc;

/// Words of a callee that wait for the stream's task: a window of chunks, and as many that it takes.
const HEARD: usize = 2 * STREAM_WINDOW as usize + 2;

/// Something for the callee.
#[derive(Debug)]
pub(in crate::mediation) enum Word {
    /// The next chunk of the body. There are no more than the window lets through.
    Chunk(StreamChunk),
    /// How many chunks of the result were taken; a later word stands for an earlier one.
    Taken(u64),
}

/// What goes to and fro between a stream's task and its callee.
#[derive(Debug)]
pub(in crate::mediation) struct Flow {
    ahead: Mutex<Ahead>,
    heard: mpsc::Sender<ServedStream>,
}

#[derive(Debug, Default)]
struct Ahead {
    chunks: VecDeque<StreamChunk>,
    taken: Option<u64>,
    /// Whether the callee's queue knows that there is something here.
    queued: bool,
}

impl Flow {
    /// A flow, and where its task hears what the callee says.
    pub(super) fn new() -> (Self, mpsc::Receiver<ServedStream>) {
        let (heard, hears) = mpsc::channel(HEARD);
        (Self { ahead: Mutex::default(), heard }, hears)
    }

    /// Adds something for the callee. Whether the callee's queue has to be told.
    pub(in crate::mediation) fn push(&self, word: Word) -> bool {
        let mut ahead = self.ahead();
        match word {
            Word::Chunk(chunk) => ahead.chunks.push_back(chunk),
            Word::Taken(taken) => ahead.taken = Some(taken),
        }
        !std::mem::replace(&mut ahead.queued, true)
    }

    /// The next thing for the callee, and whether there is more.
    pub(in crate::mediation) fn pop(&self, id: InvocationId) -> (Option<OfferedStream>, bool) {
        let mut ahead = self.ahead();
        let taken = ahead.taken.take();
        let chunk = if taken.is_none() { ahead.chunks.pop_front() } else { None };
        let said = taken.is_some() || chunk.is_some();
        ahead.queued = !ahead.chunks.is_empty();
        let word = OfferedStream {
            invocation_id: id.to_string(),
            chunk,
            taken: taken.unwrap_or_default(),
            over: false,
        };
        (said.then_some(word), ahead.queued)
    }

    /// Something that the callee says. False where it says more than it may.
    pub(in crate::mediation) fn hear(&self, said: ServedStream) -> bool {
        !matches!(self.heard.try_send(said), Err(mpsc::error::TrySendError::Full(_)))
    }

    fn ahead(&self) -> MutexGuard<'_, Ahead> {
        // Each change under the lock is one step.
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use countersign_protocol::time::Timestamp;
    use rand::rngs::OsRng;

    use super::*;

    fn chunk(data: &[u8]) -> Word {
        Word::Chunk(StreamChunk { data: data.to_vec(), head: Vec::new() })
    }

    #[test]
    fn what_was_taken_goes_first_and_once_and_chunks_in_their_order() {
        let (flow, _hears) = Flow::new();
        let id = InvocationId::new(Timestamp::new(countersign_forge::START_MS).unwrap(), &mut OsRng);
        assert!(flow.push(chunk(b"one")), "the queue is told");
        assert!(!flow.push(chunk(b"two")), "and knows");
        assert!(!flow.push(Word::Taken(1)) && !flow.push(Word::Taken(2)));
        let next = || {
            let (word, more) = flow.pop(id);
            let word = word.map(|word| (word.taken, word.chunk.map(|chunk| chunk.data)));
            (word, more)
        };
        assert_eq!(next(), (Some((2, None)), true));
        assert_eq!(next(), (Some((0, Some(b"one".to_vec()))), true));
        assert_eq!(next(), (Some((0, Some(b"two".to_vec()))), false));
        assert_eq!(next(), (None, false));
        assert!(flow.push(Word::Taken(3)), "the queue is told anew");
    }

    #[test]
    fn a_callee_says_no_more_than_fits_on_its_way() {
        let (flow, _hears) = Flow::new();
        assert!((0..HEARD).all(|_| flow.hear(ServedStream::default())));
        assert!(!flow.hear(ServedStream::default()));
    }
}
