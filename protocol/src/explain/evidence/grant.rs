use super::{open, worthless};
use crate::{
    domain::{GrantIssued, check_issued},
    extension::Extensions,
    grant::GrantRequest,
    identity::InstanceStatement,
    refusal::{Reason, Refusal},
    require,
    time::Timestamp,
    token::{Evidence, EvidenceKind, GrantTerms, Holder, Token, UnverifiedToken},
    trust::KeySet,
};

/// The originator signed the request, and the token is what it asked for, for the holder that it
/// named. The two records are those of the instances that the request names.
pub(in crate::explain) fn check_grant(
    keys: &KeySet,
    at: Timestamp,
    event: &GrantIssued,
    originator: &InstanceStatement,
    holder: &InstanceStatement,
) -> Result<Token, Refusal> {
    let invalid = Reason::BundleInvalid;
    let request: GrantRequest = open("LOG-037", &event.request, &[originator.key])?;
    request.extensions.check().map_err(worthless("LOG-037"))?;
    check_issued(request.issued, at).map_err(worthless("LOG-037"))?;
    require!("LOG-037", at < request.rights.not_after, invalid, "It was over before it began.");
    let token =
        UnverifiedToken::from_bytes(event.token.clone()).verify(keys).map_err(worthless("LOG-037"))?;
    let asked = GrantTerms {
        domain: request.domain,
        grant_id: request.grant_id,
        originator: request.originator.principal().clone(),
        evidence: Evidence { kind: EvidenceKind::Signed, digest: event.request.digest() },
        holder: Holder { instance: request.holder, key: holder.key },
        rights: request.rights,
        extensions: Extensions::none(),
    };
    // The domain too: a token that verifies is one of the domain whose keys these are.
    let asked = asked.chain_id();
    require!("LOG-037", token.chain_id() == asked, invalid, "The token is not what its originator signed.");
    require!("LOG-037", event.chain_id == asked, invalid, "The entry names another chain.");
    Ok(token)
}
