//! Bundles of evidence: reading them, and holding them against a domain's keys.

use countersign_protocol::{
    explain::{Bundle, Explanation},
    payload::Payload as _,
    refusal::{Reason, Refusal},
    trust::KeySet,
};

use crate::failure::Failure;

/// What the evidence shows, if all of it holds.
pub(crate) fn verify(bytes: &[u8], keys: &KeySet) -> Result<Explanation, Failure> {
    let bundle = Bundle::from_bytes(bytes).map_err(|malformed| {
        Refusal::new("CONV-010", Reason::PayloadMalformed, format!("The bundle is malformed: {malformed}."))
    });
    let explanation = bundle.and_then(|bundle| bundle.verify(keys));
    explanation.map_err(|refusal| Failure::tampered("The evidence does not verify", &refusal))
}
