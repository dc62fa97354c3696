//! What entries prove by themselves: that whoever must have signed did, and that all parts of an
//! entry say the same. Offline verification and the audit both stand on this, and on nothing that a
//! broker remembers.

mod contract;
mod grant;
mod identity;
mod invocation;

pub(crate) use contract::{Conclusion, check_contract};
pub(crate) use grant::check_grant;
pub(crate) use identity::check_admission;
pub(crate) use invocation::{Use, check_end, check_intent};

use crate::{
    key::PublicKey,
    refusal::{Reason, Refusal},
    signed::{Signed, Statement},
};

/// Opens a statement of an entry.
fn open<T: Statement>(rule: &'static str, signed: &Signed, signers: &[PublicKey]) -> Result<T, Refusal> {
    signed
        .open(signers)
        .map_err(|error| Refusal::new(rule, Reason::BundleInvalid, format!("{}: {error}.", T::TYPE)))
}

/// Says of another rule's refusal that it makes evidence worthless.
pub(crate) fn worthless(rule: &'static str) -> impl Fn(Refusal) -> Refusal {
    move |refusal| Refusal::new(rule, Reason::BundleInvalid, refusal.to_string())
}
