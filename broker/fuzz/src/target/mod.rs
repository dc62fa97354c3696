//! The targets: what is fuzzed, from which seeds, and by which mutations.

mod activation;
mod bundle;
mod certificate;
mod checkpoint;
mod contract;
mod decided;
mod door;
mod entries;
mod key_set;
mod log_proof;
mod name;
mod payloads;
mod proof;
mod rights;
mod statements;
mod token;
mod written;

use countersign_protocol::limits::{
    BUNDLE_MAX_BYTES, CHECKPOINT_MAX_BYTES, JOIN_TOKEN_MAX_BYTES, KEYS_TEXT_MAX_BYTES, NAME_MAX_BYTES,
    PAYLOAD_MAX_BYTES, TOKEN_MAX_BYTES,
};

/// What became of an input. Anything else than these two is a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was taken for what it claims to be.
    Accepted,
    /// It was not.
    Refused,
}

impl Verdict {
    fn of<T>(taken: Option<T>) -> Self {
        if taken.is_some() { Self::Accepted } else { Self::Refused }
    }

    fn or(self, other: Self) -> Self {
        if self == Self::Accepted { self } else { other }
    }
}

/// What an input looks like to the mutator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A message on the wire, after so many bytes that select what it is read as.
    Message {
        /// How many bytes come before it.
        selectors: usize,
    },
    /// Text.
    Text,
    /// Neither.
    Bytes,
}

/// An input to begin with.
#[derive(Clone, Debug)]
pub struct Seed {
    /// What it is.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

/// One decoder, or several that take the same input.
#[derive(Debug)]
pub struct Target {
    /// As fuzzers call it.
    pub name: &'static str,
    /// Holds what comes of an input against the target's properties, and panics where one does not hold.
    pub run: fn(&[u8]) -> Verdict,
    /// What to begin with, beside the corpus that is checked in.
    pub seeds: fn() -> Vec<Seed>,
    /// How inputs are mutated.
    pub form: Form,
    /// The longest input that is worth a try: a little more than is accepted.
    pub max_bytes: usize,
}

impl Target {
    /// The target of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }
}

const MESSAGE: Form = Form::Message { selectors: 0 };

macro_rules! targets {
    ($($name:literal: $run:path, $seeds:path, $form:expr, $max:expr;)*) => {
        /// All of them.
        pub static TARGETS: &[Target] = &[
            $(Target { name: $name, run: $run, seeds: $seeds, form: $form, max_bytes: $max },)*
        ];
    };
}

targets! {
    "payload": payloads::payload, payloads::seeds, Form::Message { selectors: 1 }, PAYLOAD_MAX_BYTES + 16;
    "token": token::token, token::seeds, MESSAGE, TOKEN_MAX_BYTES + 16;
    "contract": contract::contract, contract::seeds, MESSAGE, PAYLOAD_MAX_BYTES + 16;
    "move": statements::made_move, statements::move_seeds, MESSAGE, PAYLOAD_MAX_BYTES + 16;
    "proof": proof::proof, proof::seeds, MESSAGE, PAYLOAD_MAX_BYTES + 16;
    "receipt": statements::receipt, statements::receipt_seeds, MESSAGE, PAYLOAD_MAX_BYTES + 16;
    "grant_request": statements::grant_request, statements::grant_seeds, MESSAGE, PAYLOAD_MAX_BYTES + 16;
    "join": statements::join, statements::join_seeds, MESSAGE, PAYLOAD_MAX_BYTES + 16;
    "renewal": statements::renewal, statements::renewal_seeds, MESSAGE, PAYLOAD_MAX_BYTES + 16;
    "revocation": statements::revocation, statements::revocation_seeds, MESSAGE, PAYLOAD_MAX_BYTES + 16;
    "change": statements::change, statements::change_seeds, MESSAGE, PAYLOAD_MAX_BYTES + 16;
    "activation": activation::activation, activation::seeds, MESSAGE, PAYLOAD_MAX_BYTES + 16;
    "entries": entries::entries, entries::seeds, MESSAGE, 2 * PAYLOAD_MAX_BYTES;
    "bundle": bundle::bundle, bundle::seeds, MESSAGE, BUNDLE_MAX_BYTES / 16;
    "checkpoint": checkpoint::checkpoint, checkpoint::seeds, Form::Text, CHECKPOINT_MAX_BYTES + 16;
    "inclusion": log_proof::inclusion, log_proof::inclusion_seeds, MESSAGE, 4096;
    "consistency": log_proof::consistency, log_proof::consistency_seeds, MESSAGE, 4096;
    "key_set": key_set::key_set, key_set::seeds, MESSAGE, KEYS_TEXT_MAX_BYTES + 64;
    "join_token": key_set::join_token, key_set::join_token_seeds, MESSAGE, JOIN_TOKEN_MAX_BYTES + 64;
    "name": name::name, name::seeds, Form::Text, NAME_MAX_BYTES + 64;
    "rights": rights::rights, rights::seeds, MESSAGE, 2 * PAYLOAD_MAX_BYTES;
    "settings": written::settings, written::settings_seeds, Form::Text, 16 * 1024;
    "config": written::config, written::config_seeds, Form::Text, 16 * 1024;
    "certificate": certificate::certificate, certificate::seeds, Form::Bytes, 4096;
    "door": door::door, door::seeds, Form::Message { selectors: 2 }, 2 * PAYLOAD_MAX_BYTES;
}

/// Seeds from named bytes.
fn seeds_of(named: impl IntoIterator<Item = (String, Vec<u8>)>) -> Vec<Seed> {
    named.into_iter().map(|(name, bytes)| Seed { name, bytes }).collect()
}
