//! Contracts: what both sides sign, and the states that a contract goes through.
//!
//! The states are data: `spec/machines/contract.toml`.

mod body;
mod change;
mod rebind;
mod table;

pub use body::{
    Acceptance, ContractBody, ContractVersion, Disclosure, FailurePolicy, Offline, Party, Rebind,
    SeenCheckpoint, hash_of,
};
pub use change::{ChangeKind, ChangeRequest, Side};
pub use rebind::{RebindConsent, RebindRequest};
pub use table::{Cell, Input, State, next};
