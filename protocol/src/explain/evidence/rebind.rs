use super::{open, worthless};
use crate::{
    contract::{ContractBody, RebindRequest},
    domain::{ChainRebound, check_issued},
    identity::InstanceStatement,
    ledger::LeafIndex,
    refusal::{Reason, Refusal},
    require, require_some,
    time::Timestamp,
    token::{Rebound, Token, UnverifiedToken},
    trust::KeySet,
};

/// What the last link of a rebind's token says of it; whether the token is what it should be comes after.
pub(in crate::explain) fn rebind_in(
    keys: &KeySet,
    event: &ChainRebound,
) -> Result<(Token, Rebound), Refusal> {
    let token =
        UnverifiedToken::from_bytes(event.token.clone()).verify(keys).map_err(worthless("LOG-055"))?;
    let rebound = token.leaf().rebound.clone();
    let rebound = require_some!("LOG-055", rebound, Reason::BundleInvalid, "Its token ends with no rebind.");
    Ok((token, rebound))
}

/// The new holder signed for the chain, was attested with what the contract's grantee was, and the domain's
/// key of that leaf signed that it holds it. That it stands behind the contract's hop is how the contract was found.
pub(in crate::explain) fn check_rebind(
    (leaf, at): (LeafIndex, Timestamp),
    event: &ChainRebound,
    (token, rebound): (&Token, &Rebound),
    body: &ContractBody,
    new: &InstanceStatement,
) -> Result<(), Refusal> {
    let invalid = Reason::BundleInvalid;
    let request: RebindRequest = open("LOG-055", &event.request, &[new.key])?;
    request.extensions.check().map_err(worthless("LOG-055"))?;
    if rebound.terms.consent.is_none() {
        check_issued(request.issued, at).map_err(worthless("LOG-055"))?;
    }
    require!("LOG-055", request.domain == body.domain, invalid, "It was asked of another domain.");
    let holder = &rebound.terms.holder;
    let own = request.sender == new.instance && (&holder.instance, holder.key) == (&new.instance, new.key);
    require!("LOG-055", own, invalid, "It was asked by another than its holder.");
    require!("LOG-055", rebound.terms.evidence == new.evidence, invalid, "It rests on other evidence.");
    let same = new.configuration == body.grantee.configuration;
    require!("LOG-055", same, invalid, "{} runs something else than was agreed with.", new.instance);
    require!("LOG-055", event.chain_id == token.chain_id(), invalid, "The entry names another chain.");
    token.check_rebound_at(leaf).map_err(worthless("LOG-055"))
}
