//! The negotiation: two parties, one order of moves, and at its end a contract that both signed, or
//! nothing.
//!
//! Which move is allowed in which state, and what it leads to, is data: `spec/machines/negotiation.toml`.

mod moves;
mod table;

pub use moves::{Accept, Counter, Move, MoveKind, Offer, Request, empty_transcript, extend_transcript};
pub use table::{Cell, Input, State, next};
