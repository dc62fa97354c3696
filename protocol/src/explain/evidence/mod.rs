//! What entries prove by themselves: that whoever must have signed did, and that all parts of an
//! entry say the same. Offline verification stands on this, and on nothing that a broker remembers.

mod contract;
mod grant;
mod identity;
mod invocation;
mod rebind;
mod session;
mod stream;

pub(in crate::explain) use contract::{Conclusion, check_contract};
pub(in crate::explain) use grant::check_grant;
pub(in crate::explain) use identity::check_admission;
pub(in crate::explain) use invocation::{
    Reservation, Use, check_end, check_intent, check_reservation, check_unanswered,
};
pub(in crate::explain) use rebind::{check_rebind, rebind_in};
pub(in crate::explain) use session::{Spoken, check_request, check_result};
pub(in crate::explain) use stream::check_stream;

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
pub(in crate::explain) fn worthless(rule: &'static str) -> impl Fn(Refusal) -> Refusal {
    move |refusal| Refusal::new(rule, Reason::BundleInvalid, refusal.to_string())
}
