//! Streams: one invocation whose body and result come in pieces (`spec/stream.md`).
//!
//! A stream is begun by an ordinary proof and ended by an ordinary receipt. Between the two each side sends
//! chunks, each with a signed [`StreamHead`] over everything that its side has sent up to it. So whoever
//! takes a chunk knows at once whose it is and that none before it is missing, altered or out of order;
//! what the last head of a side says, the receipt says too.

mod head;
mod side;
mod window;

pub use head::{OpenedHead, Part, StreamAccount, StreamHead, StreamHeads, StreamSum};
pub use side::{StreamReader, StreamWriter};
pub use window::StreamWindow;

#[cfg(test)]
mod tests;
