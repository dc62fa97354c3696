//! A person's standing in a trust domain, kept from one command to the next.
//!
//! A program keeps its identity in memory, and it ends with the program. A person runs one command
//! after another, so the keys have to lie in a file: whoever reads it is that person until the
//! certificate ends. What this module relies on not happening:
//!
//! - Nobody but the owner can read the directory or a file in it; otherwise nothing is opened.
//! - No file is ever half written, and none is written by two commands at once.
//! - No agent or service has its identity kept here.

mod file;
mod home;
mod open;

pub(crate) use file::{Lock, SessionFile};
pub(crate) use home::Home;
pub(crate) use open::{Session, options};
